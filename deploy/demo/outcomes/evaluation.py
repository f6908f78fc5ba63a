"""The evaluation of index and rules on real presentations, from the files to the scores of each day."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np

from deploy.demo.outcomes.activity import read_activity, read_work
from deploy.demo.outcomes.places import DAY_ZERO, PlacesByDay
from deploy.demo.outcomes.students import read_students
from services.indicators.domain.calendar import BEFORE_START, LEFT, MODULE_OVER
from services.indicators.domain.places import NEVER, Ints
from services.indicators.domain.rules import Change
from services.indicators.evaluation.days import Day, DayScores, score
from services.indicators.evaluation.judging import Judge
from services.kernel.errors import ConfigurationError
from services.kernel.register import Register

DAYS = (28, 56, 84, 112)
RULE = "days-since-last-activity"
SOURCES = ("vle", "assessment")  # what the dataset's activity and hand-ins come from

Told = Callable[[int, str], None]


class Evaluation:
    """Presentations with their outcomes, ready to be judged.

    Raises:
        ConfigurationError: the folder does not hold what is needed; the message says what, where, how to mend it.
    """

    def __init__(
        self, folder: Path, names: Sequence[str], register: Register, told: Callable[[float], None] = lambda _s: None
    ) -> None:
        if RULE not in register.rule:
            raise ConfigurationError(f"The policy register has no rule {RULE}, with which the index is compared")
        self._register = register
        self.students = read_students(folder, names)
        activity = read_activity(folder, self.students, register, told)
        self._places = PlacesByDay(self.students, activity, read_work(folder, self.students))

    @property
    def notes(self) -> list[str]:
        """What was left out, and which rules the dataset has nothing for, in words."""
        blind = [
            r.name for r in self._register.rules if not {*SOURCES} & {*self._register.indicator[r.indicator].sources}
        ]
        said = [f"The dataset has nothing that {name} reads." for name in blind]
        return [*self.students.notes, *said]

    @property
    def shortest(self) -> int:
        """Days of the shortest presentation."""
        return int(self.students.length.min())

    def days(self, wanted: Sequence[int], told: Told = lambda _day, _note: None) -> Iterator[DayScores]:
        """The scores at the end of each wanted day, ascending.

        Raises:
            ConfigurationError: no presentation lasts until one of them.
        """
        if late := [day for day in wanted if day > self.students.length.max()]:
            raise ConfigurationError(
                f"No presentation lasts until day {late[0]}: the longest has {self.students.length.max()} days"
            )
        judge = self.judge(self._register)
        for day in range(max(wanted) + 1):
            self.advance(judge, day=day)
            if day in wanted:
                yield score(self._day(judge, day), RULE)
            told(day, f"day {day}")

    def judge(self, register: Register) -> Judge:
        """Who judges by a register, from day 0 on."""
        students = self.students
        return Judge(register, [_slug(name) for name in students.presentations], students.presentation, SOURCES)

    def advance(self, *judges: Judge, day: int) -> list[list[Change]]:
        """Let each judge the next day; gives what changed for each."""
        places, held = self._places.at(day), self._held(day)
        return [judge.advance(places, held) for judge in judges]

    def _day(self, judge: Judge, day: int) -> Day:
        students, present = self.students, self._places.present(day)
        lasts = students.length[students.presentation]
        first = np.where(judge.first_day == NEVER, NEVER, judge.first_day - DAY_ZERO)
        return Day(
            day=day,
            present=present,
            begun=(students.registered <= day) & (students.left > np.maximum(students.registered, 0)),
            index=judge.index(self._places.at(day), present),
            holding=dict(zip(judge.rules, judge.holding.T, strict=True)),
            first_day=dict(zip(judge.rules, first.T, strict=True)),
            end_day=np.minimum(students.left, lasts),
            left=students.left < lasts,
            outcome=students.fails,
            groups=students.groups,
            presentation=students.presentation,
            presentations=students.presentations,
        )

    def _held(self, day: int) -> Ints:
        students = self.students
        over = students.length[students.presentation] < day
        return np.select([over, students.left <= day, students.registered > day], [MODULE_OVER, LEFT, BEFORE_START], 0)


def _slug(name: str) -> str:
    return name.replace("/", "-")
