"""The students of a partition: what is known of each, over the tables that hold their numbers."""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Iterator, Mapping
from sys import intern

import numpy as np

from services.indicators.domain.activity.gathering import ASSESSMENT, Store
from services.indicators.domain.activity.moments import StreamTime
from services.indicators.domain.activity.roster import FIGURES, TUTOR
from services.indicators.domain.activity.windows import kind_bits
from services.indicators.domain.activity.work import due_by
from services.indicators.domain.permission import NOTHING, Permission
from services.kernel.events import Enrolment
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
        changed_ms: the clock at the last change.
        kept: whether there is a state of the student, or one is to be written.
        published: whether the indicators topic may have a record.
    """

    __slots__ = (
        "changed_ms", "enrolled", "enrolments", "granted", "grants", "handed", "kept", "marks", "name", "number",
        "permitted", "places", "published", "seen", "version", "windows",
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
        self.seen: dict[int, int] = {}
        self.granted: dict[str, int] = {}
        self.kept = self.published = False

    def permit(self, permitted: Permission) -> None:
        """Take over what the consent permits."""
        self.permitted = permitted
        self.version = permitted.version
        self.grants = permitted.indicators


class Students:
    """All students of a partition of whom anything is known.

    Attributes:
        by_key: as the records are keyed.
        store: the tables.
        time: the partition's clock.
    """

    def __init__(self, register: Register, store: Store, time: StreamTime) -> None:
        self.store, self.time = store, time
        self.by_key: dict[bytes, Student] = {}
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
        for view, spans in ((FIGURES, student.grants), (TUTOR, student.permitted.tutor)):
            self.store.roster.permit(place, view, {s: self.time.day_of(span.from_ms) for s, span in spans.items()})

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

    def keep(self, student: Student) -> None:
        """There is a state of the student from now on, under the grants of now."""
        student.kept = True
        student.granted = {source: span.from_ms for source, span in student.grants.items()}

    def purge(self, student: Student) -> None:
        """Forget everything but consent and enrolments."""
        for source in {source for source, _ in (*student.windows, *student.marks)} | {ASSESSMENT}:
            self.drop_source(student, source)
        for module in list(student.places):
            self.leave_place(student, module)
        student.seen, student.granted = {}, {}
        student.changed_ms = 0
        student.kept = student.published = False
        for module in student.enrolments:
            self.place(student, module)

    @staticmethod
    def _unlink(rows: list[list[int]], student: Student, module: str, row: int) -> None:
        if module in student.places:
            rows[student.places[module]].remove(row)


def by_name(students: Mapping[bytes, Student]) -> list[Student]:
    """The students in the order of their pseudonyms, which no restart changes."""
    return [students[key] for key in sorted(students)]
