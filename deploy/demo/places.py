"""Students' places on modules: since when and how long, part-time, on leave, exempt, and what is due from them."""

from __future__ import annotations

import datetime as dt
import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from deploy.demo.chance import chance
from deploy.demo.events import Span
from deploy.demo.timetable import pieces

_TWO_MODULES, _PART_TIME, _LEFT = 0.2, 0.06, 0.02
_EXAM_DAYS = 7  # modules outlast the teaching weeks
_ON_LEAVE, _LEAVE_DAYS = 0.02, (14, 21)
_FROM_AFAR, _NEED_NOT_COME = 0.015, ("low-attendance",)  # rules of the register
_LATER_DEADLINE, _LATER_DAYS = 0.03, 7


@dataclass(frozen=True, slots=True)
class Leave:
    """Days of agreed absence, the last one included."""

    first_day: dt.date
    last_day: dt.date


@dataclass(frozen=True, slots=True)
class Due:
    """A piece of work, when it is due, and the student's own later moment, if any."""

    assessment: str
    due: dt.datetime
    extended: dt.datetime | None = None


@dataclass(frozen=True, slots=True)
class Enrolment:
    """A student's place on a module; `end_day` is its last day, `left_day` the first one after leaving early.

    Attributes:
        exempt: rules of the register that do not apply.
    """

    person: str
    module: str
    start_day: dt.date
    end_day: dt.date
    left_day: dt.date | None = None
    part_time: bool = False
    leave: tuple[Leave, ...] = ()
    exempt: tuple[str, ...] = ()
    due: tuple[Due, ...] = ()

    def is_away(self, date: dt.date) -> bool:
        """Whether the student is on leave then."""
        return any(leave.first_day <= date <= leave.last_day for leave in self.leave)


def places_of(students: Sequence[str], modules: Sequence[str], seed: int, span: Span) -> tuple[Enrolment, ...]:
    """Everybody's places. Leave, exemptions and work are drawn apart, so that they change nothing else."""
    draw = chance("enrolments", seed)
    work = {code: pieces(span, number, code) for number, code in enumerate(modules)}
    away = _on_leave(students, seed, span)
    afar = set(_some(students, _FROM_AFAR, chance("exempt", seed)))
    return tuple(
        _with_work(
            replace(place, leave=away.get(student, ()), exempt=_NEED_NOT_COME if student in afar else ()), seed, work
        )
        for student in students
        for place in _enrol(student, modules, draw, span)
    )


def _enrol(student: str, modules: Sequence[str], draw: random.Random, span: Span) -> Iterator[Enrolment]:
    part_time = draw.random() < _PART_TIME
    number = 2 if not part_time and draw.random() < _TWO_MODULES else 1
    left = draw.randrange(span.days // 4, span.days) if draw.random() < _LEFT else None
    for module in draw.sample(modules, number):
        yield Enrolment(
            person=student,
            module=module,
            start_day=span.first_day,
            end_day=span.date(span.days + _EXAM_DAYS),
            left_day=None if left is None else span.date(left),
            part_time=part_time,
        )


def _some(students: Sequence[str], share: float, draw: random.Random) -> list[str]:
    """A share of the students, but one at least, so that there is somebody to look at."""
    return draw.sample(students, max(1, round(share * len(students))))


def _on_leave(students: Sequence[str], seed: int, span: Span) -> Mapping[str, tuple[Leave, ...]]:
    draw = chance("leave", seed)
    leaves = {}
    for student in _some(students, _ON_LEAVE, draw):
        days = min(draw.randint(*_LEAVE_DAYS), span.days // 3)
        first = draw.randrange(span.days // 4, span.days // 2)
        leaves[student] = (Leave(span.date(first), span.date(first + days - 1)),)
    return leaves


def _with_work(place: Enrolment, seed: int, work: Mapping[str, Mapping[str, dt.datetime]]) -> Enrolment:
    """With the module's work, but what is due only after the student left."""
    mine = (
        Due(name, at) for name, at in work[place.module].items() if not place.left_day or at.date() < place.left_day
    )
    return replace(place, due=tuple(_with_own_deadline(due, place, seed) for due in mine))


def _with_own_deadline(due: Due, place: Enrolment, seed: int) -> Due:
    """A later one where there is reason: after a leave, else by chance."""
    day = due.due.date()
    days = next((_LATER_DAYS + (leave.last_day - day).days for leave in place.leave if place.is_away(day)), 0)
    if not days and chance("extension", seed, place.person, due.assessment).random() < _LATER_DEADLINE:
        days = _LATER_DAYS
    return replace(due, extended=due.due + dt.timedelta(days=days)) if days else due
