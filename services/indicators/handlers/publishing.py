"""The records that tell figures to the outside: of all students who changed, made together."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import groupby

import numpy as np

from services.indicators.domain.activity.roster import FIGURES
from services.indicators.domain.publication import Publication
from services.indicators.domain.rules import Rules
from services.indicators.domain.situations import Situations
from services.indicators.handlers.students import Student, Students
from services.kernel.codec import encode
from services.kernel.events import ModuleIndicators


class Publishing:
    """Makes the records of students.

    Attributes:
        figured_ms: the last tick at which everybody's figures were made anew.
    """

    def __init__(self, students: Students, rules: Rules, situations: Situations, publication: Publication) -> None:
        self._students, self._rules, self._situations, self._publication = students, rules, situations, publication
        self._store, self._time = students.store, students.time
        self.figured_ms = 0

    def everybody(self) -> list[Student]:
        """All who have a record, or may have one, in an order that no restart changes."""
        known = (student for student in self._students.by_key.values() if student.published or student.kept)
        return sorted(known, key=lambda student: student.name)

    def records(self, students: Iterable[Student]) -> dict[str, bytes | None]:
        """Records by pseudonym; None where there was one and nothing may stand there now."""
        asked = list(students)
        said = self._modules(asked)
        records: dict[str, bytes | None] = {}
        for student in asked:
            modules = said.get(student.number)
            if modules:
                self._students.publish(student, yes=True)
                records[student.name] = encode(
                    self._publication.record(
                        student.name, student.permitted, self._as_of_ms(student), self._time.today, modules
                    )
                )
            elif student.published:
                self._students.publish(student, yes=False)
                records[student.name] = None
        return records

    def _modules(self, students: Sequence[Student]) -> dict[int, list[ModuleIndicators]]:
        """What is said of the places that run, by the student's number, modules in the order of their names."""
        asked = [(student, student.places[module]) for student in students for module in sorted(student.places)]
        every = np.array([place for _, place in asked], np.int64)
        rows = self._store.running(every, FIGURES, self._time.moment)
        if not len(rows):
            return {}
        owners = list(self._students.of_places(rows))
        as_of_ms = np.array([self._as_of_ms(student) for student in owners], np.int64)
        situation, figures = self._situations.of(rows, FIGURES, self._time.moment, as_of_ms)
        levels = self._rules.levels(situation, figures, self._store.roster.standing(rows).level)
        said = zip(owners, self._publication.modules(situation, figures, levels), strict=True)
        return {
            number: [modules for _, modules in of] for number, of in groupby(said, key=lambda owned: owned[0].number)
        }

    def _as_of_ms(self, student: Student) -> int:
        return max(student.changed_ms, self.figured_ms)
