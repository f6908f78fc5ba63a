"""How far centiles, robust z and index that come from merged histograms are from the exact ones, on real presentations.

Run `python -m deploy.demo.cohort_error FOLDER` with OULAD's files. Each week of each presentation the present students
are counted in four parts, as four partitions would, and the parts go over the bus and are added up; beside it the same
figures are made from the students themselves.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from rich.box import MARKDOWN
from rich.console import Console
from rich.table import Table

from deploy.demo.outcomes.activity import read_activity, read_work
from deploy.demo.outcomes.places import PlacesByDay
from deploy.demo.outcomes.students import read_students
from services.indicators.domain.cohort import (
    FEWEST,
    INDEX_PARTS,
    ModuleNorm,
    at_or_below,
    basis,
    cohort_figures,
    compare,
    count,
    engagement_index,
    merge,
    z_error,
)
from services.indicators.domain.formulas import COMPARED
from services.indicators.domain.places import Bools, Figure, Floats, Ints
from services.kernel.codec import decoder, encode
from services.kernel.events import CohortClosed, CohortCounted
from services.kernel.register import load_register
from services.kernel.topics import COHORT_NORMS

PARTITIONS = 4
LOW = -1.5  # the register's threshold of z
CENTILE, ROBUST_Z, INDEX = COMPARED
_decode = decoder(COHORT_NORMS)


@dataclass(frozen=True, slots=True)
class Week:
    """One presentation at the end of one week.

    Attributes:
        errors: by figure, the distance from the exact value of each student.
        allowed: the largest distance that is stated for each student's z.
        widest: the largest share of students in one bucket, in percent.
        swayed: for how many students the rule on z would decide otherwise.
    """

    presentation: str
    week: int
    students: int
    errors: dict[str, Floats]
    allowed: Floats
    widest: float
    swayed: int


def weeks(folder: Path, names: Sequence[str] = ()) -> Iterator[Week]:
    """Each week of each presentation in which somebody is present, up to the end of the shortest."""
    students = read_students(folder, names)
    activity = read_activity(folder, students, load_register(), lambda _share: None)
    by_day = PlacesByDay(students, activity, read_work(folder, students))
    for week in range(1, int(students.length.min()) // 7 + 1):
        places, present = by_day.at(7 * week), by_day.present(7 * week)
        figures = basis(places, np.ones(len(places), np.bool_))
        for number, name in enumerate(students.presentations):
            here = present & (students.presentation == number)
            if here.sum() >= FEWEST:
                yield _week(name, week, {of: _rows(figure, here) for of, figure in figures.items()})


def _rows(figure: Figure, rows: Bools) -> Figure:
    return replace(figure, values=figure.values[rows], said=figure.said[rows])


def _week(name: str, week: int, figures: dict[str, Figure]) -> Week:
    volume = figures["volume-28"].values
    read, norm, widest = _over_the_bus(figures)
    exact = _exact(figures)
    errors = {figure: np.abs(read[figure].values - exact[figure]) for figure in COMPARED}
    allowed = z_error(read[ROBUST_Z].values, np.full(len(volume), norm.mad))
    swayed = int(((read[ROBUST_Z].values <= LOW) != (exact[ROBUST_Z] <= LOW)).sum())
    return Week(name, week, len(volume), errors, allowed, widest, swayed)


def _over_the_bus(figures: dict[str, Figure]) -> tuple[dict[str, Figure], ModuleNorm, float]:
    """The figures as the stream would say them, what they compare with, and the fullest bucket."""
    n = len(figures["volume-28"].values)
    module, part = np.zeros(n, np.int64), np.arange(n) % PARTITIONS
    norms = merge(0, (r for p in range(PARTITIONS) for r in _counted(p, figures, part == p)), INDEX_PARTS)
    norm = norms.by_module()["M"]
    volume = norms.histograms["volume-28"].students
    return cohort_figures(compare(norms, module, figures), module, [norm]), norm, 100 * volume.max() / n


def _counted(partition: int, figures: dict[str, Figure], rows: Bools) -> Iterator[CohortCounted]:
    module: Ints = np.zeros(int(rows.sum()), np.int64)
    mine = {name: _rows(figure, rows) for name, figure in figures.items()}
    said = count(day=0, partition=partition, modules=["M"], running=[len(module)], module=module, figures=mine)
    for record in said:
        told: CohortCounted | CohortClosed = _decode(encode(record))
        if isinstance(told, CohortCounted):
            yield told


def _exact(figures: dict[str, Figure]) -> dict[str, Floats]:
    """The same three, from the students themselves."""
    volume = figures["volume-28"].values
    ordered, logs = np.sort(volume), np.log1p(volume)
    below, up_to = np.searchsorted(ordered, volume, "left"), np.searchsorted(ordered, volume, "right")
    median = np.median(logs)
    mad = np.median(np.abs(logs - median))
    shares = [
        at_or_below(sign * figures[name].values, sign * figures[name].values)
        for name, sign in ((name, 1 if more else -1) for name, more in INDEX_PARTS.items())
    ]
    return {
        CENTILE: 100 * (below + up_to) / 2 / len(volume),
        ROBUST_Z: (logs - median) / (1.4826 * mad) if mad > 0 else np.full(len(volume), np.nan),
        INDEX: engagement_index(shares),
    }


def table(found: Sequence[Week], title: str, group: Callable[[Week], str]) -> Table:
    """Distances by presentation or by week: the 99th percentile and the largest, and for how many z changes sides."""
    columns = [f"{name} {what}" for name in ("Centile", "z", "Index") for what in ("99 %", "largest")]
    made = Table(title, "Students", *columns, "Swayed", box=MARKDOWN)
    for name in dict.fromkeys(map(group, found)):
        mine = [week for week in found if group(week) == name]
        told = []
        for figure in COMPARED:
            errors = np.concatenate([week.errors[figure] for week in mine])
            errors = errors[~np.isnan(errors)]
            told += [f"{np.quantile(errors, 0.99):.4f}", f"{errors.max():.4f}"] if len(errors) else ["–", "–"]
        sizes = [week.students for week in mine]
        made.add_row(name, f"{min(sizes):,}–{max(sizes):,}", *told, f"{sum(week.swayed for week in mine)}")
    return made


def main() -> None:
    """Print two tables: by presentation over all weeks, and by week over all presentations."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("folder", type=Path, help="with OULAD's files")
    found = list(weeks(parser.parse_args().folder))
    console = Console(width=150)
    console.print(table(found, "Presentation", lambda week: week.presentation))
    console.print(table(found, "Week", lambda week: f"{week.week}"))


if __name__ == "__main__":
    main()
