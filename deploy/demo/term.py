"""A simulated term: who does what, when, on which module, as the university's systems would report it.

The same university, seed and first day give the same events, byte for byte.
"""

from __future__ import annotations

import math
import random
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence

from deploy.demo.chance import chance
from deploy.demo.coursework import hand_ins, marks
from deploy.demo.events import ASSESSMENT, ATTENDANCE, VLE, Day, Event, Span, Term, in_order
from deploy.demo.habits import Student, students_of
from deploy.demo.places import Enrolment
from deploy.demo.timetable import deadlines, outage, timetabled, vacation
from deploy.demo.university import Demo, University
from services.kernel.ids import deterministic_id

_WEEKDAY = (1.0, 1.17, 1.15, 1.22, 1.0, 0.73, 0.78)  # Monday first
_TREND = (1.22, 0.85)  # at the start and at the end of the term
_VACATION = 0.3
_RUSH, _RUSH_DAYS, _LULL, _LULL_DAYS = 0.9, 2.5, 0.75, 2
_ROWS_MEDIAN, _ROWS_SPREAD, _ROWS_MOST = 4.4, 0.7, 60
_WEIGHT_LOG, _WEIGHT_SPREAD, _WEIGHT_MOST = 0.55, 1.1, 250  # how often one item is used within a day
_LOGIN = 0.6  # of the sessions begin with one that the system reports
_ACTIVITIES = {
    "page": 36,
    "resource": 20,
    "forum": 17,
    "quiz": 11,
    "recording": 8,
    "assignment": 3,
    "collaboration": 2,
    "external": 2,
    "glossary": 1,
}
_PART_TIME = 0.6  # of a full-time student's pace
_MOST_LIKELY = 0.97
_ROWS_A_SITTING = 8
_PAUSE_S = 200
_MIX, _SHARES = tuple(_ACTIVITIES), tuple(_ACTIVITIES.values())
_BY_DAY = (1, 0, 0, 0, 0, 0, 1, 3, 8, 14, 15, 13, 10, 13, 15, 13, 10, 6, 4, 4, 4, 3, 2, 1)  # by hour
_BY_EVENING = (3, 1, 0, 0, 0, 0, 0, 1, 2, 4, 5, 5, 5, 5, 5, 5, 6, 7, 9, 14, 16, 14, 10, 6)
_HOURS = range(24)
_LAST_SECOND = 86_399

Deed = tuple[int, str, int]  # the second of the day, the activity, its weight


def simulate(university: University, demo: Demo, span: Span) -> Term:
    """Everybody's term, day by day."""
    students = students_of([person.id for person in university.students], demo.seed, span.days)
    number = {module.code: n for n, module in enumerate(university.modules)}
    business = [_business(span, n) for n in number.values()]
    expected = [timetabled(span, n) for n in number.values()]
    arrivals: dict[int, dict[str, list[Event]]] = defaultdict(lambda: defaultdict(list))
    for place in university.enrolments:
        student, module = students[place.person], number[place.module]
        for day, events in _online(place, student, demo, span, business[module]):
            arrivals[_arrival(day, span)][VLE] += events
        for day, event in _handed_in(place, student, demo, span):
            arrivals[day][ASSESSMENT].append(event)
        for day, event in _marked(place, student, demo, span, expected[module]):
            arrivals[day][ATTENDANCE].append(event)
    return Term(demo.term, span, [Day(span.date(n), _in_order(arrivals[n])) for n in range(span.days)])


def _arrival(day: int, span: Span) -> int:
    """The day on which the learning environment tells of what happened on another."""
    broken = outage(span)
    return broken.stop if day in broken else day


def _in_order(by_source: Mapping[str, list[Event]]) -> dict[str, list[Event]]:
    return {source: sorted(events, key=in_order) for source, events in sorted(by_source.items())}


def _online(
    place: Enrolment, student: Student, demo: Demo, span: Span, business: Sequence[float]
) -> Iterator[tuple[int, list[Event]]]:
    draw = chance("place", demo.seed, place.person, place.module)
    for day in _active_days(place, student, business, span, draw):
        deeds = _deeds(student, draw)
        yield day, [_event(demo, place, span, (day, n), deed) for n, deed in enumerate(deeds)]


def _handed_in(place: Enrolment, student: Student, demo: Demo, span: Span) -> Iterator[tuple[int, Event]]:
    for name, at in hand_ins(place, student, demo.seed, span):
        event_id = deterministic_id("handed-in", demo.seed, place.person, name, at.date().isoformat())
        event = Event(event_id, place.person, place.module, "assignment", at.isoformat(), assessment=name)
        yield (at.date() - span.first_day).days, event


def _marked(
    place: Enrolment, student: Student, demo: Demo, span: Span, expected: Sequence[tuple[int, int]]
) -> Iterator[tuple[int, Event]]:
    for day, second, came in marks(place, student, demo.seed, span, expected):
        at = span.moment(day, second).isoformat()
        event_id = deterministic_id("marked", demo.seed, place.person, place.module, at)
        yield day, Event(event_id, place.person, place.module, "attended" if came else "absent", at)


def _business(span: Span, module: int) -> tuple[float, ...]:
    """A factor to everybody's activity on each day: the weekday, the vacation, the term's course, a deadline ahead."""
    due, off = deadlines(span, module), vacation(span)
    return tuple(
        _WEEKDAY[span.date(day).weekday()]
        * (_TREND[0] + (_TREND[1] - _TREND[0]) * day / max(1, span.days - 1))
        * (_VACATION if day in off else 1)
        * _deadline_factor(day, due)
        for day in range(span.days)
    )


def _deadline_factor(day: int, due: Sequence[int]) -> float:
    ahead = min((deadline - day for deadline in due if deadline >= day), default=None)
    lull = _LULL if any(0 < day - deadline <= _LULL_DAYS for deadline in due) else 1
    return lull * (1 if ahead is None else 1 + _RUSH * math.exp(-ahead / _RUSH_DAYS))


def _active_days(
    place: Enrolment, student: Student, business: Sequence[float], span: Span, draw: random.Random
) -> Iterator[int]:
    """The days on which one student comes to one module."""
    until = (place.left_day - span.first_day).days if place.left_day else span.days
    pace = _PART_TIME if place.part_time else 1
    for day in range(until):
        likely = student.propensity * pace * business[day] * student.mood[day]
        if draw.random() < min(_MOST_LIKELY, likely) and not place.is_away(span.date(day)):
            yield day


def _event(demo: Demo, place: Enrolment, span: Span, key: tuple[int, int], deed: Deed) -> Event:
    day, ordinal = key
    second, activity, weight = deed
    date = span.date(day).isoformat()
    return Event(
        id=deterministic_id("simulated", demo.seed, place.person, place.module, date, ordinal),
        student=place.person,
        module=place.module,
        activity=activity,
        at=span.moment(day, second).isoformat(),
        weight=weight,
    )


def _deeds(student: Student, draw: random.Random) -> list[Deed]:
    """All that a student does on a module on a day of coming; whoever is silent logs in and goes no further."""
    if student.habit == "silent":
        return [(_moment(student, draw), "login", 1)]
    rows = round(_ROWS_MEDIAN * student.intensity * draw.lognormvariate(0, _ROWS_SPREAD))
    rows = min(max(rows, 1), _ROWS_MOST)
    sittings = 1 + rows // _ROWS_A_SITTING
    deeds: list[Deed] = []
    for n in range(sittings):
        count = rows * (n + 1) // sittings - rows * n // sittings
        deeds += _sitting(_moment(student, draw), count, draw)
    return deeds


def _sitting(second: int, rows: int, draw: random.Random) -> Iterator[Deed]:
    """Some minutes of work from a moment on, within the day."""
    if draw.random() < _LOGIN:
        yield second, "login", 1
    for activity in draw.choices(_MIX, _SHARES, k=rows):
        second = min(second + round(draw.expovariate(1 / _PAUSE_S)), _LAST_SECOND)
        weight = round(math.exp(draw.gauss(_WEIGHT_LOG, _WEIGHT_SPREAD)))
        yield second, activity, min(max(weight, 1), _WEIGHT_MOST)


def _moment(student: Student, draw: random.Random) -> int:
    """A second of the day at which the student may sit down to work."""
    hour = draw.choices(_HOURS, _BY_EVENING if student.evening else _BY_DAY)[0]
    return hour * 3600 + draw.randrange(3600)
