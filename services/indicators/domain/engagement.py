"""The indicators' formulas: from a student's days of activity to figures.

The register says the same in words; a formula that it does not declare is not used, and one that it declares without
being here stops the start.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass

from services.indicators.domain.window import ModuleWindows

WEEKS_SHOWN = 8


@dataclass(frozen=True, slots=True)
class Activity:
    """What the permitted sources say together about a student on a module.

    Attributes:
        since_day: first local day that could have counted.
        last_day: last local day with a qualifying event, if any.
        days: sum of weights by local day.
    """

    since_day: int
    last_day: int | None
    days: dict[int, int]


Formula = Callable[[Activity, int], float]


def activity(windows: ModuleWindows | None, sources: Collection[str], since_day: int) -> Activity:
    """The activity from the given sources together."""
    parts = [w for s, w in windows.sources.items() if s in sources] if windows else []
    if len(parts) == 1:
        return Activity(since_day, parts[0].last_day, parts[0].days)
    days: dict[int, int] = {}
    for part in parts:
        for day, weight in part.days.items():
            days[day] = days.get(day, 0) + weight
    return Activity(since_day, max((part.last_day for part in parts), default=None), days)


def counted_from(what: Activity) -> int:
    """The day that absence counts from: the last active one, or the first possible one where there is none."""
    return what.since_day if what.last_day is None else what.last_day


def days_since_last_activity(what: Activity, today: int) -> float:
    """Local days from the last active one to today; 0 where an event is ahead of the clock."""
    return max(0, today - counted_from(what))


def active_days(window: int) -> Formula:
    """Local days with a qualifying event, in the last `window` with today."""
    return lambda what, today: sum(1 for day in what.days if today - window < day <= today)


def volume(window: int) -> Formula:
    """Sum of the weights of qualifying events, in the last `window` local days with today."""
    return lambda what, today: sum(w for day, w in what.days.items() if today - window < day <= today)


def weekly_active_days(what: Activity, today: int) -> tuple[int, ...]:
    """Active days of the last eight seven-day windows, oldest first; the last ends today."""
    weeks = [0] * WEEKS_SHOWN
    for day in what.days:
        week = (today - day) // 7
        if 0 <= week < WEEKS_SHOWN:
            weeks[WEEKS_SHOWN - 1 - week] += 1
    return tuple(weeks)


FORMULAS: dict[str, Formula] = {
    "days-since-last-activity": days_since_last_activity,
    "active-days-7": active_days(7),
    "active-days-14": active_days(14),
    "active-days-28": active_days(28),
    "volume-7": volume(7),
    "volume-28": volume(28),
}
