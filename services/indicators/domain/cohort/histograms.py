"""Histograms that add up: how many students of each module have about which figure.

A bucket is named by the lowest whole number in it. Small numbers have a bucket each; from `EXACT_BELOW` on a bucket
holds at most 1 % of its numbers' size, so that ln(1+x) varies by less than `WIDTH` = ln 1.01 within it. The borders
are made by whole-number arithmetic, so they are the same on every machine.

How far off what is read from buckets may be, with h = WIDTH / 2, x' the middle of x's bucket on the scale of ln(1+x):

* |ln(1+x') - ln(1+x)| ≤ h, and the order of any two students is kept or lost in a tie, never turned round.
* So the k-th of the bucketed values is within h of the k-th true one; hence the *median* within h.
* A deviation from the median is off by at most h for the value and h for the median; the k-th smallest of numbers that
  are each off by at most 2h is off by at most 2h; hence the *MAD* within 2h = WIDTH. A true MAD of 0 gives 0 here.
* With m, M as read and z' = (ln(1+x) - m) / (1.4826 M), the true z is z' (M / M°) + (m - m°) / (1.4826 M°), where
  m° and M° are true, so |z - z'| ≤ (WIDTH |z'| + h / 1.4826) / (M - WIDTH): `z_error`.
* Of c students in one bucket the *mid-rank* is taken in the middle, so it is off by at most c / 2 students.

Where no student's figure reaches `EXACT_BELOW`, all are exact.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from services.indicators.domain.places import Floats, Ints

_MOST = 10**9  # what is more than this is in the last bucket
WIDTH = math.log(1.01)
MAD_TO_SIGMA = 1.4826  # 1 / Φ⁻¹(3/4): makes the MAD of normal values their standard deviation


def _borders() -> Iterator[int]:
    lowest = 0
    while lowest <= _MOST:
        yield lowest
        lowest += max(1, (lowest + 1) // 100)


_LOWEST: Ints = np.fromiter(_borders(), np.int64)
EXACT_BELOW = int(_LOWEST[:-1][np.diff(_LOWEST) > 1][0])
# The middle of each bucket on the scale of ln(1+x): between the logarithms of its lowest and its highest number.
_MIDDLE: Floats = (np.log1p(_LOWEST) + np.log(np.append(_LOWEST[1:], _LOWEST[-1] + 1))) / 2
_BITS = 31  # of a lowest number; a module's number is put before them, so that one key holds both


def lowest_of(values: Floats | Ints) -> Ints:
    """[n]; the lowest number of the bucket that holds each value; values are whole and not negative."""
    lowest: Ints = _LOWEST[np.searchsorted(_LOWEST, values, "right") - 1]
    return lowest


@dataclass(frozen=True, slots=True)
class Histograms:
    """One figure's histograms of several modules, end to end: b buckets that are not empty, by module, ascending.

    Attributes:
        modules: how many there are.
        module: [b]; 0…modules-1.
        lowest: [b]; names the bucket within its module.
        students: [b]; at least 1.
    """

    modules: int
    module: Ints
    lowest: Ints
    students: Ints

    @classmethod
    def of(cls, modules: int, module: Ints, values: Floats | Ints) -> Histograms:
        """The histograms of n students: the module of each, and the figure."""
        return cls.summed(modules, module, lowest_of(values), np.ones(len(module), np.int64))

    @classmethod
    def summed(cls, modules: int, module: Ints, lowest: Ints, students: Ints) -> Histograms:
        """The histograms with these buckets in any order, those of the same name added up."""
        keys, place = np.unique(_keys(module, lowest), return_inverse=True)
        added = np.bincount(place, students, len(keys)).astype(np.int64)
        return cls(modules, keys >> _BITS, keys & ((1 << _BITS) - 1), added)

    @classmethod
    def merged(cls, parts: Iterable[Histograms]) -> Histograms:
        """The sum of histograms of the same modules; their order and grouping change nothing."""
        all_parts = list(parts)
        columns = (np.concatenate([getattr(p, c) for p in all_parts]) for c in ("module", "lowest", "students"))
        return cls.summed(all_parts[0].modules, *columns)

    @property
    def n(self) -> Ints:
        """[modules]; students in each."""
        return np.bincount(self.module, self.students, self.modules).astype(np.int64)

    def ranked(self, module: Ints, values: Floats) -> tuple[Ints, Ints]:
        """[n] each; of each module's students, those in lower buckets than the value, and those in its own."""
        keys, wanted = _keys(self.module, self.lowest), _keys(module, lowest_of(values))
        before = np.append(0, np.cumsum(self.students))
        at = np.searchsorted(keys, wanted)
        own = np.append(keys, -1)[at] == wanted
        below = before[at] - before[self._first()[module]]
        return below, np.where(own, np.append(self.students, 0)[at], 0)

    def log_median_and_mad(self) -> tuple[Floats, Floats]:
        """[modules] each; the median of ln(1+x), and the median of the distances from it; NaN where nobody is."""
        values = _MIDDLE[np.searchsorted(_LOWEST, self.lowest, "right") - 1]
        median = self._median(values, np.arange(len(values)))
        distances = np.abs(values - median[self.module])
        return median, self._median(distances, np.lexsort((distances, self.module)))

    def rows(self) -> list[tuple[tuple[int, int], ...]]:
        """[modules]; the buckets of each with their students."""
        pairs = list(zip(self.lowest.tolist(), self.students.tolist(), strict=True))
        borders = [*self._first().tolist(), len(pairs)]
        return [tuple(pairs[begin:end]) for begin, end in pairwise(borders)]

    def _first(self) -> Ints:
        """[modules]; where each module's buckets begin."""
        return np.searchsorted(self.module, np.arange(self.modules))

    def _median(self, values: Floats, order: Ints) -> Floats:
        """[modules]; the mean of the middle two students' values, buckets taken by module in this order."""
        n, reached = self.n, np.cumsum(self.students[order])
        before = np.append(0, np.cumsum(n)[:-1])
        some = n > 0
        median = np.full(self.modules, np.nan)
        lower, upper = (
            values[order[np.searchsorted(reached, (before + rank)[some], "right")]] for rank in ((n - 1) // 2, n // 2)
        )
        median[some] = (lower + upper) / 2
        return median


def z_error(z: Floats, mad: Floats) -> Floats:
    """[n]; how far a robust z that was read from buckets may be from the exact one, with the MAD read from them.

    Infinite where the MAD is not more than `WIDTH`.
    """
    error = (WIDTH * np.abs(z) + WIDTH / 2 / MAD_TO_SIGMA) / np.maximum(mad - WIDTH, np.finfo(float).tiny)
    return np.where(mad > WIDTH, error, np.inf)


def _keys(module: Ints, lowest: Ints) -> Ints:
    keys: Ints = (module << _BITS) | lowest
    return keys
