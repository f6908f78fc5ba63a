"""Cohorts whose figures a test gives as numbers: what is counted of them, and the exact values beside."""

from __future__ import annotations

import math
import statistics

import numpy as np

from services.indicators.domain.cohort import INDEX_PARTS, Histograms, Norms, compare, count, merge, monday
from services.indicators.domain.places import Figure, Floats
from services.kernel.events import CohortCounted

TODAY = 20_000
USUAL = {"volume-28": 40.0, "active-days-28": 12.0, "days-since-last-activity": 3.0, "arrears": 1.0}


def one_module(values: list[int]) -> Histograms:
    """The histogram of one module."""
    return Histograms.of(1, np.zeros(len(values), np.int64), np.array(values, np.int64))


def exact(values: list[int]) -> tuple[float, float]:
    """Median and MAD of ln(1+x), from the values themselves."""
    logs = [math.log1p(x) for x in values]
    median = statistics.median(logs)
    return median, statistics.median(abs(x - median) for x in logs)


def read(values: list[int]) -> tuple[float, float]:
    """The same as read from buckets."""
    median, mad = one_module(values).log_median_and_mad()
    return float(median[0]), float(mad[0])


def said(n: int, **values: float) -> dict[str, Figure]:
    """The basis of n places that are alike."""
    return {name: Figure(np.full(n, values.get(name, USUAL[name])), np.ones(n, np.bool_)) for name in INDEX_PARTS}


def volumes(values: list[int]) -> dict[str, Figure]:
    """The basis of places that differ in volume."""
    return said(len(values)) | {"volume-28": Figure(np.array(values, np.float64), np.ones(len(values), np.bool_))}


def counted(values: list[int], module: str = "HIST101", partition: int = 0, running: int = 0) -> CohortCounted:
    """One module of a partition with these volumes."""
    records = count(
        day=monday(TODAY), partition=partition, modules=[module], running=[running or len(values)],
        module=np.zeros(len(values), np.int64), figures=volumes(values),
    )  # fmt: skip
    (record,) = (r for r in records if isinstance(r, CohortCounted))
    return record


def norms_of(*records: CohortCounted) -> Norms:
    """What they add up to."""
    return merge(monday(TODAY), records, INDEX_PARTS)


def standing(values: list[int], of: list[int] | None = None) -> Floats:
    """Where places with the volumes `of` stand among those with `values`."""
    own = volumes(values if of is None else of)
    return compare(norms_of(counted(values)), np.zeros(len(own["volume-28"].values), np.int64), own)
