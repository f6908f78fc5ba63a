"""How students differ: whether someone is likely to be active on a day of the term, by habit and propensity.

The figures are set so that the sums and shapes come near those of real terms; `compare` says how near.
"""

from __future__ import annotations

import math
import random
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, get_args

from deploy.demo.chance import chance

Habit = Literal["steady", "fading", "bursty", "silent", "returning"]
HABITS: tuple[Habit, ...] = get_args(Habit)
_SHARES = (0.58, 0.18, 0.11, 0.05, 0.08)

_MEDIAN_ODDS, _SPREAD = 0.68, 1.3  # of a day's activity, before the habit; the spread is of the log-odds
_ONLY_LOGIN = (0.0, 0.1)  # the same of those who log in at most
_BREAK_DAYS = (16, 23)  # long enough for a tutor to be told


@dataclass(frozen=True, slots=True)
class Student:
    """One student's ways.

    Attributes:
        propensity: chance of activity on an ordinary day.
        mood: a factor to it for each day of the term.
        intensity: a factor to how much is done on an active day.
        evening: whether they work late rather than by day.
    """

    habit: Habit
    propensity: float
    mood: tuple[float, ...]
    intensity: float
    evening: bool


def students_of(ids: Sequence[str], seed: int, days: int) -> dict[str, Student]:
    """Deal out the habits in their shares, mixed, and everything else by chance."""
    mixed = list(ids)
    chance("habits", seed).shuffle(mixed)
    dealt: list[Habit] = [h for h, share in zip(HABITS, _SHARES, strict=True) for _ in range(round(share * len(mixed)))]
    dealt += ["steady"] * (len(mixed) - len(dealt))
    return {
        student: _student(habit, chance("student", seed, student), days)
        for student, habit in zip(mixed, dealt, strict=False)
    }


def _student(habit: Habit, draw: random.Random, days: int) -> Student:
    odds = _MEDIAN_ODDS * draw.lognormvariate(0, _SPREAD)
    propensity = odds / (1 + odds) if habit != "silent" else draw.choice(_ONLY_LOGIN)
    return Student(
        habit=habit,
        propensity=propensity,
        mood=tuple(_MOODS[habit](draw, days)),
        intensity=draw.lognormvariate(0, 0.25) * (0.8 + 0.5 * propensity),
        evening=draw.random() < 0.45,  # noqa: PLR2004 - the share of them
    )


def _steady(_draw: random.Random, days: int) -> list[float]:
    return [1.0] * days


def _fading(draw: random.Random, days: int) -> list[float]:
    turn, pace = draw.uniform(0.15, 0.5) * days, draw.uniform(6, 15)
    return [1.1 if day < turn else 1.1 * math.exp((turn - day) / pace) for day in range(days)]


def _bursty(draw: random.Random, days: int) -> list[float]:
    mood: list[float] = []
    while len(mood) < days:
        mood += [0.05] * draw.randint(4, 11) + [2.2] * draw.randint(2, 5)
    return mood[:days]


def _returning(draw: random.Random, days: int) -> list[float]:
    length = min(draw.randint(*_BREAK_DAYS), days)
    start = draw.randint(days // 5, max(days // 5, days - length - days // 5))
    return [0.0 if start <= day < start + length else 1.1 for day in range(days)]


_MOODS = {
    "steady": _steady,
    "fading": _fading,
    "bursty": _bursty,
    "silent": _steady,
    "returning": _returning,
}
