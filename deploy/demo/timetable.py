"""When things are in a simulated term: the vacation, deadlines, timetabled events, and days without a feed."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence

from deploy.demo.events import Span

_WEEKS_FOR_MORE = 4  # a shorter term has no vacation, and nothing breaks in it
_DEADLINE_WEEKS = 3  # between two deadlines of a module
_TUESDAY = 1
_NOON_S, _TEN_S, _TWO_S = 12 * 3600, 10 * 3600, 14 * 3600
_OUTAGE_DAYS = 2  # as late as events may be


def vacation(span: Span) -> range:
    """The days of a week off in the middle; none in a short term."""
    middle = span.days // 14 * 7
    return range(middle, middle + 7) if _is_long(span) else range(0)


def outage(span: Span) -> range:
    """The days on which the learning environment sends nothing: a Tuesday and the day after, in the third week.

    What happened on them arrives on the day after.
    """
    first = _first(span, _TUESDAY) + 14
    return range(first, first + _OUTAGE_DAYS) if _is_long(span) else range(0)


def deadlines(span: Span, module: int) -> tuple[int, ...]:
    """The days on which work for the module with this number is due: a Tuesday, Wednesday or Thursday."""
    due = range(_first(span, _TUESDAY) + 7 + module % 3, span.days, _DEADLINE_WEEKS * 7)
    return tuple(day for day in due if day not in vacation(span))


def pieces(span: Span, module: int, code: str) -> dict[str, dt.datetime]:
    """The names of the module's pieces of work, and the moments at which they are due."""
    return {
        f"{code}-CW{number}": span.moment(day, _NOON_S) for number, day in enumerate(deadlines(span, module), start=1)
    }


def timetabled(span: Span, module: int) -> Sequence[tuple[int, int]]:
    """Day and second of the module's lectures and seminars: two a week, none in the vacation."""
    weekly = ((module % 3, _TEN_S), (module % 3 + 2, _TWO_S))  # Monday is 0
    days = (day for day in range(span.days) if day not in vacation(span))
    return [(day, second) for day in days for weekday, second in weekly if span.date(day).weekday() == weekday]


def _first(span: Span, weekday: int) -> int:
    return (weekday - span.first_day.weekday()) % 7


def _is_long(span: Span) -> bool:
    return span.days >= _WEEKS_FOR_MORE * 7
