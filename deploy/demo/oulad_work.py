"""OULAD's assessments: what was due when, and when each student handed it in.

Exams are left out, since nothing is handed in for them; so is, for a student, a result that was taken over from an
earlier presentation ("banked"): it need not be handed in again.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from deploy.demo.oulad_files import read

_EXAM = "Exam"


@dataclass(frozen=True, slots=True)
class Work:
    """A presentation's pieces of work; days count from its start.

    Attributes:
        due: of each assessment's id, its kind ("TMA" or "CMA") and the day on which it is due.
        handed_in: on each day, student and assessment.
        banked: student and assessment of results that were taken over.
    """

    due: Mapping[int, tuple[str, int]]
    handed_in: Mapping[int, list[tuple[int, int]]] = field(default_factory=dict)
    banked: frozenset[tuple[int, int]] = frozenset()

    def name(self, assessment: int) -> str:
        """Such as TMA-1752."""
        return f"{self.due[assessment][0]}-{assessment}"

    def due_from(self, student: int) -> Iterator[tuple[str, int]]:
        """Name and day of what a student must hand in."""
        for assessment, (_, day) in self.due.items():
            if (student, assessment) not in self.banked:
                yield self.name(assessment), day


def work(folder: Path, key: tuple[str, str]) -> Work:
    """All of a module's presentation.

    Raises:
        ConfigurationError: a file, a column or a number in it is missing or wrong; the message says which.
    """
    columns = read(folder, "assessments", texts=("assessment_type",), numbers=("id_assessment", "date"), only=key)
    due = {found: (kind, day) for kind, found, day in columns if kind != _EXAM and day is not None}
    handed_in: dict[int, list[tuple[int, int]]] = defaultdict(list)
    banked = set()
    for assessment, student, day, taken_over in read(
        folder, "studentAssessment", numbers=("id_assessment", "id_student", "date_submitted", "is_banked")
    ):
        if assessment not in due:
            continue
        if taken_over:
            banked.add((student, assessment))
        elif day is not None:
            handed_in[day].append((student, assessment))
    return Work(due, handed_in, frozenset(banked))
