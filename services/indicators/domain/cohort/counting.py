"""Who is counted for a module's norms, from what, and the records that say so to the other partitions.

Consent to be counted is a purpose of its own (`cohort-improvement`). A student is counted by the very figures that are
computed for them, so only where every source of these may be used for both; a figure from some of the sources would
look like less activity, and pull the norms down.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from services.indicators.domain.cohort.histograms import Histograms
from services.indicators.domain.places import Bools, Figure, Ints, Places
from services.kernel.clock import iso_day
from services.kernel.events import CohortClosed, CohortCounted

ALL_OF_IT, NOTHING = 0, 1 << 40  # of `since`: all that is held may be counted, or none
_WINDOW = 28  # counting days, that all of the basis but what is owed looks back over
_MONDAY = 3  # 1970-01-01 was a Thursday


def monday(day: int) -> int:
    """The Monday of the day's week: the first tick of a week counts the cohorts, and they are named by this day."""
    return day - (day + _MONDAY) % 7


def members(places: Places, figures: Mapping[str, Figure], start_day: Ints, since: Ints) -> dict[str, Figure]:
    """The basis with `said` where it may be counted.

    Whoever could be seen for only a part of the window since the module began is not comparable yet. And nothing from
    before a grant is used for it: unless all that is held may be counted, the grant must be older than the window,
    absence is counted from it, and what is owed, which looks back further, is not counted.

    Args:
        places: n of them.
        figures: the basis.
        start_day: [n]; the module's first day for the student.
        since: [n]; the local day from which on all of the place's sources may be counted; ALL_OF_IT, NOTHING.
    """
    seen = (places.start_day <= start_day) | (places.elapsed(places.start_day - 1) >= _WINDOW)
    whole = since == ALL_OF_IT
    permitted = whole | ((since < NOTHING) & (places.elapsed(np.minimum(since, places.today + 1) - 1) >= _WINDOW))
    counted = {name: replace(figure, said=figure.said & seen & permitted) for name, figure in figures.items()}
    silent, owed = counted["days-since-last-activity"], counted["arrears"]
    longest = np.where(whole, np.inf, places.elapsed(since))
    counted["days-since-last-activity"] = replace(silent, values=np.minimum(silent.values, longest))
    counted["arrears"] = replace(owed, said=owed.said & whole)
    return counted


def count(  # noqa: PLR0913 - a record's fields, and what they are made from
    *,
    day: int,
    partition: int,
    modules: Sequence[str],
    running: Sequence[int],
    module: Ints,
    figures: Mapping[str, Figure],
) -> list[CohortCounted | CohortClosed]:
    """One partition's records of a week: a `CohortCounted` for each module that runs, then the `CohortClosed`.

    Args:
        day: the week's Monday.
        partition: that counts.
        modules: m names, ascending.
        running: [m]; places that run, whoever they belong to.
        module: [n]; which of the modules each place is on.
        figures: as of `members`.
    """
    rows = {name: _histograms(len(modules), module, figure).rows() for name, figure in figures.items()}
    students = np.bincount(module[_counted(figures)], minlength=len(modules))
    counted: list[CohortCounted | CohortClosed] = [
        CohortCounted(
            module=name,
            partition=partition,
            day=iso_day(day),
            places=running[number],
            students=int(students[number]),
            counts={figure: buckets[number] for figure, buckets in rows.items() if buckets[number]},
        )
        for number, name in enumerate(modules)
    ]
    return [*counted, CohortClosed(partition=partition, day=iso_day(day), modules=len(counted))]


def _histograms(modules: int, module: Ints, figure: Figure) -> Histograms:
    return Histograms.of(modules, module[figure.said], figure.values[figure.said])


def _counted(figures: Mapping[str, Figure]) -> Bools:
    counted: Bools = np.logical_or.reduce([figure.said for figure in figures.values()])
    return counted
