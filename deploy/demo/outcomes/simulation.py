"""What other thresholds would have done on OULAD's presentations, with tutors made up as for a replay of them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np

from deploy.demo.oulad import STUDENTS_A_TUTOR, Presentation
from deploy.demo.outcomes.evaluation import Evaluation
from deploy.demo.university import groups
from services.indicators.domain.places import Ints
from services.indicators.domain.rules import Change
from services.indicators.simulation.loads import Alert, Loads, compare
from services.kernel.clock import day_number
from services.kernel.register import Register

Told = Callable[[int, str], None]


@dataclass(slots=True)
class Simulation:
    """Presentations judged by two registers at once.

    Attributes:
        found: the presentations.
        seed: chooses who tutors whom.
    """

    found: Evaluation
    seed: int = 1
    _starts: Ints = field(init=False)

    def __post_init__(self) -> None:
        """Place each presentation at its nominal date."""
        starts = [_start(name) for name in self.found.students.presentations]
        self._starts = np.array(starts, np.int64)[self.found.students.presentation]

    def loads(self, present: Register, proposed: Register, told: Told) -> Loads:
        """The tutors' loads by both."""
        students = self.found.students
        judges = [self.found.judge(register) for register in (present, proposed)]
        alerts: tuple[list[Alert], list[Alert]] = ([], [])
        for day in range(int(students.length.max()) + 1):
            for kept, changes in zip(alerts, self.found.advance(*judges, day=day), strict=True):
                kept += [self._alert(change, day) for change in changes if change.state == "opened"]
            told(day, f"day {day}")
        ends = self._starts + students.length[students.presentation] + 1
        return compare(*alerts, self._tutors(), range(int(self._starts.min()), int(ends.max())))

    def _alert(self, change: Change, day: int) -> Alert:
        return Alert(str(change.place), change.rule, int(self._starts[change.place]) + day)

    def _tutors(self) -> dict[str, Sequence[str]]:
        """The tutors of each place: fifty students of a presentation each, mixed."""
        tutors: dict[str, Sequence[str]] = {}
        for number, name in enumerate(self.found.students.presentations):
            places = [str(place) for place in np.flatnonzero(self.found.students.presentation == number)]
            slug = name.replace("/", "-").lower()
            names = [f"{slug}-{n + 1:02}" for n in range(-(-len(places) // STUDENTS_A_TUTOR))]
            tutors |= {student: (tutor,) for tutor, student in groups(names, places, self.seed)}
        return tutors


def _start(name: str) -> int:
    module, _, code = name.partition("/")
    return day_number(Presentation(module, code, 0).start.isoformat())
