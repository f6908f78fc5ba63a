"""Between the students in memory and their persisted states."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from services.indicators.domain.activity.state import (
    DayRows,
    MarkRow,
    PlaceRow,
    StudentState,
    WindowRow,
    decode_state,
    encode_state,
    packed_ids,
    packed_spans,
    unpacked_ids,
    unpacked_spans,
)
from services.indicators.domain.activity.windows import SLACK_DAYS, Ring, first_day_as_of
from services.indicators.domain.cohort import COLUMNS
from services.indicators.domain.places import NEVER, Ints
from services.indicators.domain.rules import Change, Memory, Rules
from services.indicators.handlers.students import Student, Students


@dataclass(slots=True)
class _Loaded:
    """Rows that were begun for states, with what is still to be written into them, all together."""

    windows: list[tuple[int, DayRows]] = field(default_factory=list)
    marks: list[tuple[int, DayRows]] = field(default_factory=list)
    places: list[tuple[int, PlaceRow]] = field(default_factory=list)


class Keeping:
    """Writes states of students and takes them over again."""

    def __init__(self, students: Students, rules: Rules) -> None:
        self._students, self._rules = students, rules
        self._store, self._time = students.store, students.time

    def save(self, students: Sequence[Student]) -> dict[str, bytes]:
        """The states to write, by pseudonym, each as of the student's last change.

        No student's last change may lie further back than the slack of the rings.
        """
        days = {student: self.day_of_change(student) for student in students}
        windows = [(student, key, row) for student in students for key, (row, _) in sorted(student.windows.items())]
        marks = [(student, key, row) for student in students for key, row in sorted(student.marks.items())]
        places = self._places(students)
        made = {student: self._begun(student, places) for student in students}
        for (student, (source, module), row), packed in zip(
            windows,
            self._packed(self._store.windows, [row for *_, row in windows], [days[s] for s, *_ in windows]),
            strict=True,
        ):
            made[student].windows.append(self._window(student, source, module, row, packed))
        for (student, (source, module), _), packed in zip(
            marks,
            self._packed(self._store.marks, [row for *_, row in marks], [days[s] for s, *_ in marks]),
            strict=True,
        ):
            made[student].marks.append(MarkRow(module, source, packed))
        return {student.name: encode_state(state) for student, state in made.items()}

    def seal(self, today: int) -> None:
        """Write what the rings will not hold any more on that day, since it changed too long ago."""
        pending = self._students.pending
        aged = [student for student in pending.changed if self.day_of_change(student) < today - SLACK_DAYS]
        pending.sealed |= self.save(aged)
        for student in aged:
            del pending.changed[student]
            pending.figures[student] = None

    def load(self, states: dict[bytes, bytes]) -> list[tuple[Student, str, Change]]:
        """Take states over; gives the ends of episodes whose rules the register no longer has, with their modules."""
        self._begin_calendar(states)
        gone: list[tuple[Student, str, Change]] = []
        loaded = _Loaded()
        for key, raw in states.items():
            student, state = self._students.of(key), decode_state(raw)
            self._load(student, state, loaded)
            gone += [
                (student, place.module, change) for place in state.places for change in self._rules.gone([place.memory])
            ]
        self._store.windows.put(*_columns(loaded.windows))
        self._store.marks.put(*_columns(loaded.marks))
        self._load_places(loaded.places)
        return gone

    def _begin_calendar(self, states: Mapping[bytes, bytes]) -> None:
        """The rings stand at the clock; before the first tick at the newest activity, as they did."""
        today = self._time.today
        if not self._time.at_ms:
            windows = (row for raw in states.values() for row in decode_state(raw).windows)
            today = max((row.last_day for row in windows), default=NEVER)
        for ring in (self._store.windows, self._store.marks):
            ring.advance(today)

    def _load(self, student: Student, state: StudentState, loaded: _Loaded) -> None:
        students, store = self._students, self._store
        student.granted, student.changed_ms = state.granted, state.changed_ms
        student.told, student.kept_version = state.told, state.version
        student.kept = True
        students.publish(student, yes=True)
        student.handed = state.handed
        student.seen = unpacked_ids(*state.seen)
        for window in state.windows:
            row = students.begin_window(
                student, window.source, window.module, window.last_day, unpacked_spans(window.spans)
            )
            store.windows.first_day[row] = window.first_day
            loaded.windows.append((row, window.days))
        for mark in state.marks:
            loaded.marks.append((students.begin_marks(student, mark.source, mark.module), mark.days))
        for place in state.places:
            loaded.places.append((students.place(student, place.module), place))

    def _load_places(self, places: Sequence[tuple[int, PlaceRow]]) -> None:
        roster = self._store.roster
        rows = np.array([row for row, _ in places], np.int64)
        roster.stand(rows, self._rules.recall([kept.memory for _, kept in places]))
        for row, kept in places:
            if len(kept.stands) == len(COLUMNS):
                roster["stands"][row] = [np.nan if value is None else value for value in kept.stands]

    def day_of_change(self, student: Student) -> int:
        """The local day as of which the student's state is written."""
        return self._time.day_of(student.changed_ms) if student.changed_ms else self._store.windows.today

    def _begun(self, student: Student, places: Mapping[int, PlaceRow]) -> StudentState:
        """The state without its rows of days."""
        return StudentState(
            changed_ms=student.changed_ms,
            granted=student.granted,
            places=[places[place] for _, place in sorted(student.places.items()) if place in places],
            handed={module: handed for module, handed in student.handed.items() if handed},
            seen=packed_ids(student.seen, self._time.open_day_at(student.changed_ms)),
            told=student.told,
            version=student.version,
        )

    def _places(self, students: Sequence[Student]) -> dict[int, PlaceRow]:
        """What is remembered of their places, where there is anything."""
        roster = self._store.roster
        rows = np.array([place for student in students for place in student.places.values()], np.int64)
        standing, stands = roster.standing(rows), roster["stands"][rows]
        remembered = np.any(standing.level, axis=1) | np.any(standing.in_a_row, axis=1)
        for days in (standing.episode_day, standing.ended_day):
            remembered |= (days != NEVER).any(axis=1)
        compared = ~np.isnan(stands).all(axis=1)
        kept: dict[int, PlaceRow] = {}
        for at in np.flatnonzero(remembered | compared).tolist():
            memory = self._rules.memory(standing, at) if remembered[at] else Memory()
            values = [None if value != value else value for value in stands[at].tolist()] if compared[at] else []  # noqa: PLR0124 - NaN
            place = int(rows[at])
            kept[place] = PlaceRow(roster.module(place), memory, values)
        return kept

    def _window(self, student: Student, source: str, module: str, row: int, days: DayRows) -> WindowRow:
        windows = self._store.windows
        spans = packed_spans(windows.sessions[row], self._time.sessions_from_ms(student.changed_ms))
        return WindowRow(module, source, windows.first_day[row], windows.last_day[row], days, spans)

    @staticmethod
    def _packed(ring: Ring, rows: Sequence[int], today: Sequence[int]) -> list[DayRows]:
        """The days of rows, each as of its own day, on which there is anything."""
        at, as_of = np.array(rows, np.int64), np.array(today, np.int64)
        first, second = (ring.as_of(plane, at, as_of) for plane in ("first", "second"))
        row, column = np.nonzero(first | second)
        days = first_day_as_of(as_of)[row] + column
        borders = np.searchsorted(row, np.arange(len(rows) + 1)).tolist()
        return DayRows.cut(days, first[row, column], second[row, column], borders)


def _columns(rows: Sequence[tuple[int, DayRows]]) -> tuple[Ints, Ints, Ints, Ints]:
    """The days of many rows end to end: row, day and the two numbers."""
    joined = DayRows(*(b"".join(getattr(days, part) for _, days in rows) for part in ("days", "first", "second")))
    days, first, second = joined.columns()
    lengths = [days.number for _, days in rows]
    return np.repeat(np.array([row for row, _ in rows], np.int64), lengths), days, first, second
