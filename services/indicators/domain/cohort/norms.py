"""A day's norms of all modules: what the partitions counted, added up."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import chain

import numpy as np
from msgspec import Struct

from services.indicators.domain.cohort.histograms import Histograms, lowest_of
from services.indicators.domain.places import Ints
from services.kernel.events import CohortCounted

FEWEST = 10  # students; where there are fewer, nothing is said
VOLUME = "volume-28"


class ModuleNorm(Struct, array_like=True, frozen=True):
    """What a shard remembers of a module's norms, to tell what its figures compare with.

    Attributes:
        day: Monday of the week, as a day number.
        places: that run on the module, whoever they belong to.
        students: who are counted.
        median, mad: of ln(1 + volume); NaN where nobody is counted.
    """

    day: int
    places: int
    students: int
    median: float
    mad: float


@dataclass(frozen=True, slots=True)
class Norms:
    """The norms of m modules.

    Attributes:
        day: Monday of the week, as a day number.
        modules: their names, ascending.
        places: [m]; that run, whoever they belong to.
        histograms: by figure.
    """

    day: int
    modules: tuple[str, ...]
    places: Ints
    histograms: dict[str, Histograms]

    def by_module(self) -> dict[str, ModuleNorm]:
        """What is to be remembered."""
        volume = self.histograms[VOLUME]
        columns = (self.places, volume.n, *volume.log_median_and_mad())
        rows = zip(self.modules, *(column.tolist() for column in columns), strict=True)
        return {module: ModuleNorm(self.day, *row) for module, *row in rows}

    def number(self, modules: Iterable[str]) -> Ints:
        """[len(modules)]; the number here of each; `len(self.modules)` where there is none."""
        known = {module: number for number, module in enumerate(self.modules)}
        return np.array([known.get(module, len(self.modules)) for module in modules], np.int64)


def merge(day: int, counted: Iterable[CohortCounted], figures: Iterable[str]) -> Norms:
    """The norms of the day that these records of all partitions add up to, in whichever order they come."""
    records = list(counted)
    modules = tuple(sorted({record.module for record in records}))
    number = {module: n for n, module in enumerate(modules)}
    of = np.array([number[record.module] for record in records], np.int64)
    places = np.bincount(of, np.array([record.places for record in records], np.int64), len(modules)).astype(np.int64)
    return Norms(day, modules, places, {figure: _histograms(len(modules), of, records, figure) for figure in figures})


def _histograms(modules: int, of: Ints, records: list[CohortCounted], figure: str) -> Histograms:
    buckets = [record.counts.get(figure, ()) for record in records]
    module = np.repeat(of, np.fromiter(map(len, buckets), np.int64, len(buckets)))
    flat = np.fromiter(chain.from_iterable(chain.from_iterable(buckets)), np.int64, 2 * len(module))
    return Histograms.summed(modules, module, lowest_of(flat[::2]), flat[1::2])
