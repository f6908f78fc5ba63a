"""How near the simulated term is to real ones: the same figures of both, side by side.

Run `python -m deploy.demo.compare FOLDER` with OULAD's files. Of a real presentation its first days count, as many as
the simulated term has, of everybody who was registered when it began. A place is a student on a module.
"""

from __future__ import annotations

import argparse
import datetime as dt
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from statistics import mean, median
from zoneinfo import ZoneInfo

from rich.box import MARKDOWN
from rich.console import Console
from rich.table import Column, Table

from deploy.demo import oulad
from deploy.demo.events import VLE, Span
from deploy.demo.term import simulate
from deploy.demo.university import Demo, demo_university

_LARGE = 100  # from here on without decimals
_FADED = 0.25  # clicks in the last third over those in the first
_WEEKDAYS = ("Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday")
_COLUMNS = ("Simulated", "Real median", "Real least", "Real most", "Within")
_SUNDAY = dt.date(2024, 9, 1)  # a real presentation's day 0 lies as a Sunday would: days 0 and 6 are the quiet ones


@dataclass(frozen=True, slots=True)
class Activity:
    """What happened on some places over some days.

    Attributes:
        clicks: of each place, on each of its active days, the clicks of every row.
        weekday: of day 0, counted from Sunday.
    """

    days: int
    places: int
    weekday: int
    clicks: Mapping[str, Mapping[int, list[int]]] = field(default_factory=lambda: defaultdict(_rows_by_day))

    def add(self, place: str, day: int, clicks: int) -> None:
        """One row."""
        self.clicks[place][day].append(clicks)


def _rows_by_day() -> defaultdict[int, list[int]]:
    return defaultdict(list)


def simulated(demo: Demo, zone: ZoneInfo) -> Activity:
    """What the simulated term's learning environment tells; logins do not count, real data has none."""
    span = Span(_SUNDAY, demo.days, zone)
    university = demo_university(demo, span)
    activity = Activity(demo.days, len(university.enrolments), 0)
    for event in (event for day in simulate(university, demo, span).days for event in day.by_source.get(VLE, ())):
        if event.activity != "login":
            day = (dt.date.fromisoformat(event.at[:10]) - span.first_day).days
            activity.add(f"{event.student} {event.module}", day, event.weight)
    return activity


def real(folder: Path, presentation: oulad.Presentation, days: int) -> Activity:
    """A real presentation's first days."""
    there = {str(r.student) for r in oulad.registrations(folder, presentation) if r.left is None or r.left > 0}
    activity = Activity(days, len(there), 0)
    for day, packed in oulad.clicks(folder, presentation).by_day.items():
        for student, clicks in zip(map(str, packed[::3]), packed[2::3], strict=True):
            if 0 <= day < days and student in there:
                activity.add(student, day, clicks)
    return activity


def figures(activity: Activity) -> dict[str, float]:
    """Sums and shapes, by their names."""
    places = activity.clicks.values()
    days = [rows for place in places for rows in place.values()]
    return {
        "rows a place": sum(map(len, days)) / activity.places,
        **_quantiles("clicks a place", _filled([_clicks(place) for place in places], activity.places)),
        **_quantiles("clicks an active day", [sum(rows) for rows in days]),
        "clicks an active day, mean": mean(sum(rows) for rows in days),
        **_quantiles("rows an active day", [len(rows) for rows in days]),
        **_quantiles("clicks a row", [clicks for rows in days for clicks in rows], (50, 90, 99)),
        **_quantiles("share of active days", [len(place) / activity.days for place in places]),
        **_quantiles("longest gap, days", [_longest_gap(place, activity.days) for place in places]),
        "active the day after an active day": _active_again(places),
        "never active": 1 - len(places) / activity.places,
        **_endings(activity),
        **_weekdays(activity),
    }


def _quantiles(name: str, values: Sequence[float], percents: Sequence[int] = (10, 25, 50, 75, 90)) -> dict[str, float]:
    ordered = sorted(values)
    return {f"{name}, {p} %": ordered[min(len(ordered) - 1, len(ordered) * p // 100)] for p in percents}


def _filled(values: list[int], length: int) -> list[int]:
    return values + [0] * (length - len(values))


def _clicks(place: Mapping[int, list[int]], first: int = 0, after: int | None = None) -> int:
    return sum(sum(rows) for day, rows in place.items() if first <= day and (after is None or day < after))


def _longest_gap(place: Mapping[int, list[int]], days: int) -> int:
    return max(later - day for day, later in pairwise([*sorted(place), days]))


def _active_again(places: Iterable[Mapping[int, list[int]]]) -> float:
    pairs = [day + 1 in place for place in places for day in place]
    return sum(pairs) / len(pairs)


def _endings(activity: Activity) -> dict[str, float]:
    third = activity.days // 3
    started = [place for place in activity.clicks.values() if _clicks(place, 0, third)]
    ratios = [_clicks(p, activity.days - third) / _clicks(p, 0, third) for p in started]
    return {
        "faded by the last third": sum(ratio < _FADED for ratio in ratios) / activity.places,
        "gone in the last third": sum(ratio == 0 for ratio in ratios) / activity.places,
    }


def _weekdays(activity: Activity) -> dict[str, float]:
    by_weekday: Counter[int] = Counter()
    for place in activity.clicks.values():
        for day, rows in place.items():
            by_weekday[(day + activity.weekday) % 7] += sum(rows)
    return {name: by_weekday[n] * 7 / by_weekday.total() for n, name in enumerate(_WEEKDAYS)}


def compare(ours: Mapping[str, float], theirs: Sequence[Mapping[str, float]]) -> Table:
    """A table of figures, and whether ours lies within the range of theirs."""
    table = Table(Column("Figure", no_wrap=True), *_COLUMNS, box=MARKDOWN)
    for name, value in ours.items():
        others = [figures_[name] for figures_ in theirs]
        within = "yes" if min(others) <= value <= max(others) else "no"
        table.add_row(name, *(_short(x) for x in (value, median(others), min(others), max(others))), within)
    return table


def _short(value: float) -> str:
    return f"{value:,.0f}" if value >= _LARGE else f"{value:.3g}"


def main() -> None:
    """Compare the demo's term with all presentations of a folder."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("folder", type=Path, help="with OULAD's files")
    parser.add_argument("--students", type=int, default=1000, help="of the simulated term")
    parser.add_argument("--seed", type=int, default=1)
    chosen = parser.parse_args()
    demo = Demo(seed=chosen.seed, students=chosen.students)
    ours = figures(simulated(demo, ZoneInfo("Europe/London")))
    known = oulad.presentations(chosen.folder)
    theirs = [figures(real(chosen.folder, presentation, demo.days)) for presentation in known]
    Console(width=120).print(compare(ours, theirs))


if __name__ == "__main__":
    main()
