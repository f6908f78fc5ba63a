"""The students of a partition: what is known of each, over the tables that hold their numbers."""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from sys import intern

import numpy as np

from services.indicators.domain.activity.gathering import ASSESSMENT, Store
from services.indicators.domain.activity.moments import StreamTime
from services.indicators.domain.activity.roster import FIGURES, TUTOR
from services.indicators.domain.activity.windows import kind_bits
from services.indicators.domain.activity.work import due_by
from services.indicators.domain.permission import NOTHING, Permission
from services.kernel.dead_letters import RawRecord
from services.kernel.errors import InvalidMessage
from services.kernel.events import CohortClosed, CohortCounted, Enrolment, SupportTriggered
from services.kernel.register import Register


class Student:
    """What is known of a student, beside the rows of the tables.

    Attributes:
        name: the pseudonym.
        number: in the roster's column `student`.
        permitted: by the consent; `version` and `grants` are its version and its grants for computing.
        enrolled: the version of the enrolments; 0 where there are none.
        enrolments: by module.
        places: the roster's row by module: enrolled ones, and others of which something is remembered.
        windows: by source and module, the row and its sessions.
        marks: by source and module, the row.
        handed: by module, when each piece of work was first handed in.
        seen: halves of the ids of events with their days; those of closed days have no meaning.
        granted: from when on each grant runs that the kept state rests on.
        told: the same of the tutor's grants, and of what rules remember.
        kept_version: of the consent, as the state has it that was restored.
        changed_ms: the clock at the last change.
        kept: whether there is a state of the student, or one is to be written.
        published: whether the indicators topic may have a record.
    """

    __slots__ = (
        "changed_ms", "enrolled", "enrolments", "granted", "grants", "handed", "kept", "kept_version", "marks",
        "name", "number", "permitted", "places", "published", "seen", "told", "version", "windows",
    )  # fmt: skip

    def __init__(self, name: str, number: int) -> None:
        self.name, self.number = name, number
        self.permit(NOTHING)
        self.enrolled = self.changed_ms = 0
        self.enrolments: dict[str, Enrolment] = {}
        self.places: dict[str, int] = {}
        self.windows: dict[tuple[str, str], tuple[int, array[int]]] = {}
        self.marks: dict[tuple[str, str], int] = {}
        self.handed: dict[str, dict[str, int]] = {}
        self.seen: dict[bytes, int] = {}
        self.granted: dict[str, int] = {}
        self.told: dict[str, int] = {}
        self.kept_version = 0
        self.kept = self.published = False

    def permit(self, permitted: Permission) -> None:
        """Take over what the consent permits."""
        self.permitted = permitted
        self.version = permitted.version
        self.grants = permitted.indicators


@dataclass(slots=True)
class Pending:
    """What has changed since the last flush.

    Attributes:
        changed: students whose state is to be written, in the order of the log.
        sealed: states of those that did not change any more while the clock went on; written earlier than they are.
        figures: students whose record is to be published; as of their last change or the last tick that was for all.
        purged: pseudonyms of which everything must go.
    """

    changed: dict[Student, None] = field(default_factory=dict)
    sealed: dict[str, bytes] = field(default_factory=dict)
    figures: dict[Student, None] = field(default_factory=dict)
    purged: dict[str, None] = field(default_factory=dict)
    triggers: list[SupportTriggered] = field(default_factory=list)
    norms: list[CohortCounted | CohortClosed] = field(default_factory=list)
    unreadable: list[tuple[RawRecord, InvalidMessage]] = field(default_factory=list)

    def __bool__(self) -> bool:
        """Whether there is anything that must be flushed; what is to be published can wait."""
        return any(getattr(self, name) for name in self.__slots__ if name != "figures")

    def flushed(self) -> None:
        """All of it is durable; the parts stay the same objects. What is still to be published stays."""
        for name in self.__slots__:
            if name != "figures":
                getattr(self, name).clear()


class Students:
    """All students of a partition of whom anything is known.

    Attributes:
        by_key: as the records are keyed.
        pending: what has changed.
        published: how many have a record.
        store: the tables.
        time: the partition's clock.
    """

    def __init__(self, register: Register, store: Store, time: StreamTime) -> None:
        self.store, self.time, self.pending = store, time, Pending()
        self.by_key: dict[bytes, Student] = {}
        self.published = 0
        self.kinds = kind_bits(a.name for a in register.activities if a.qualifying)
        self.source_numbers = {name: number for number, name in enumerate(store.sources)}
        self._numbered: list[Student] = []

    def of(self, key: bytes) -> Student:
        """The student of that key."""
        student = self.by_key.get(key)
        if student is None:
            student = self.by_key[key] = Student(key.decode("ascii", "replace"), len(self._numbered))
            self._numbered.append(student)
        return student

    def numbered(self, number: int) -> Student:
        """The student of that number."""
        return self._numbered[number]

    def of_places(self, places: Iterable[int]) -> Iterator[Student]:
        """Whose each place is."""
        return map(self._numbered.__getitem__, self.store.roster["student"][np.fromiter(places, np.int64)].tolist())

    def begin_window(self, student: Student, source: str, module: str, day: int, spans: array[int]) -> int:
        """A row for a source's part in a module."""
        source, module = intern(source), intern(module)
        row = self.store.windows.begin(self.source_numbers.get(source, -1), day, spans)
        student.windows[source, module] = row, spans
        if module in student.places:
            self.store.roster.window_rows[student.places[module]].append(row)
        return row

    def begin_marks(self, student: Student, source: str, module: str) -> int:
        """A row for a source's marks of attendance on a module."""
        source, module = intern(source), intern(module)
        row = student.marks[source, module] = self.store.marks.new()
        self.store.marks["source"][row] = self.source_numbers.get(source, -1)
        if module in student.places:
            self.store.roster.mark_rows[student.places[module]].append(row)
        return row

    def hand_in(self, student: Student, module: str, assessment: str, at_ms: int) -> None:
        """A piece of work was handed in; the earliest time counts."""
        handed = student.handed.setdefault(module, {})
        handed[assessment] = min(at_ms, handed.get(assessment, at_ms))
        if module in student.places:
            self.store.work.hand_in(self.store.roster.work_rows[student.places[module]], handed)

    def place(self, student: Student, module: str) -> int:
        """The student's place on a module, begun where there is none, with what is known of it."""
        place = student.places.get(module)
        if place is None:
            module = intern(module)
            roster = self.store.roster
            place = student.places[module] = roster.begin(student.number, module)
            roster.window_rows[place] += [row for (_, of), (row, _) in student.windows.items() if of == module]
            roster.mark_rows[place] += [row for (_, of), row in student.marks.items() if of == module]
            self.permit_place(student, place)
            self.enrol_place(student, module)
        return place

    def enrol_place(self, student: Student, module: str) -> None:
        """Take over when the student's place runs, and what work is due."""
        place, enrolment = student.places[module], student.enrolments.get(module)
        roster, work = self.store.roster, self.store.work
        roster.enrol(place, enrolment)
        for row in roster.work_rows[place]:
            work.free(row)
        handed = student.handed.get(module, {})
        due = enrolment.due if enrolment else ()
        roster.work_rows[place] = [
            work.set(piece, self.time.day_of(due_by(piece)), handed.get(piece.assessment)) for piece in due
        ]

    def permit_place(self, student: Student, place: int) -> None:
        """Take over which sources are permitted for a place."""
        ours, day_of = student.grants, self.time.day_of
        figures = {source: day_of(span.from_ms) for source, span in ours.items()}
        # The tutor's grant does not cover the whole of its first day, where computing was permitted before it.
        tutor = {
            source: day_of(span.from_ms) + 1 if span.from_ms > ours[source].from_ms else figures[source]
            for source, span in student.permitted.tutor.items()
        }
        self.store.roster.permit(place, FIGURES, figures)
        self.store.roster.permit(place, TUTOR, tutor)

    def leave_place(self, student: Student, module: str) -> None:
        """Forget a place; the activity on the module stays."""
        place = student.places.pop(module)
        for row in self.store.roster.work_rows[place]:
            self.store.work.free(row)
        self.store.roster.free(place)

    def drop_source(self, student: Student, source: str) -> None:
        """Forget all that came from a source: its grant ended or began anew."""
        roster = self.store.roster
        for (of, module), (row, _) in [item for item in student.windows.items() if item[0][0] == source]:
            del student.windows[of, module]
            self._unlink(roster.window_rows, student, module, row)
            self.store.windows.free(row)
        for (of, module), row in [item for item in student.marks.items() if item[0][0] == source]:
            del student.marks[of, module]
            self._unlink(roster.mark_rows, student, module, row)
            self.store.marks.free(row)
        if source == ASSESSMENT:
            student.handed.clear()
            for place in student.places.values():
                self.store.work.hand_in(roster.work_rows[place], {})
        for place in student.places.values():
            roster["stands"][place] = np.nan  # it was compared by what is gone
            roster["level"][place] = 0  # or reached by it

    def judged(self, student: Student) -> None:
        """Rules have judged: what they remember of the student rests on the tutor's grants of now."""
        told = {source: span.from_ms for source, span in student.permitted.tutor.items()}
        if told != student.told:
            student.told = told
            self.mark(student)

    def mark(self, student: Student) -> None:
        """The student has changed as of now: there is a state to write, and a record to publish."""
        if not student.kept:
            self.keep(student)
        student.changed_ms = self.time.at_ms
        self.pending.changed[student] = None

    def keep(self, student: Student) -> None:
        """There is a state of the student from now on, under the grants of now."""
        student.kept = True
        student.granted = {source: span.from_ms for source, span in student.grants.items()}

    def publish(self, student: Student, *, yes: bool) -> None:
        """There is a record of the student from now on, or none any more."""
        self.published += yes - student.published
        student.published = yes

    def begin_anew(self, student: Student) -> None:
        """Forget everything but consent and enrolments: nothing of what it rests on is permitted any more."""
        for source in {source for source, _ in (*student.windows, *student.marks)} | {ASSESSMENT}:
            self.drop_source(student, source)
        for module in list(student.places):
            self.leave_place(student, module)
        student.seen, student.granted, student.told, student.changed_ms = {}, {}, {}, 0
        for module in student.enrolments:
            self.place(student, module)

    def purge(self, student: Student) -> None:
        """Begin anew, and keep nothing."""
        self.begin_anew(student)
        self.publish(student, yes=False)
        student.kept = False

    @staticmethod
    def _unlink(rows: list[list[int]], student: Student, module: str, row: int) -> None:
        if module in student.places:
            rows[student.places[module]].remove(row)


def by_name(students: Mapping[bytes, Student]) -> list[Student]:
    """The students in the order of their pseudonyms, which no restart changes."""
    return [students[key] for key in sorted(students)]
