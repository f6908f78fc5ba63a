"""What is read from merged histograms beside the exact figures, and that their order changes nothing."""

from __future__ import annotations

import math
import random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.indicators.domain.cohort import (
    EXACT_BELOW,
    FEWEST,
    INDEX_PARTS,
    WIDTH,
    Histograms,
    count,
    monday,
    z_error,
)
from services.kernel.clock import day_number, iso_day
from services.kernel.codec import decoder, encode
from services.kernel.events import CohortClosed, CohortCounted
from services.kernel.topics import COHORT_NORMS
from tests.support.norms import TODAY, counted, exact, norms_of, one_module, read, standing, volumes

VOLUMES = st.one_of(st.integers(0, 400), st.integers(0, 20_000), st.integers(0, 10**8))
COHORTS = st.lists(VOLUMES, min_size=1, max_size=50)


# What is read from the buckets, and how far off it may be.


@given(COHORTS)
def test_median_and_mad_are_as_near_as_stated(values: list[int]) -> None:
    (median, mad), (true_median, true_mad) = read(values), exact(values)
    assert abs(median - true_median) <= WIDTH / 2 + 1e-12
    assert abs(mad - true_mad) <= WIDTH + 1e-12
    assert true_mad > 1e-12 or mad == 0  # nobody's z comes from a spread that there is not


@given(st.lists(st.integers(0, EXACT_BELOW - 1), min_size=FEWEST, max_size=60))
def test_small_figures_are_exact(values: list[int]) -> None:
    assert read(values) == pytest.approx(exact(values), abs=1e-12)
    below, level = one_module(values).ranked(np.zeros(len(values), np.int64), np.array(values, np.float64))
    assert below.tolist() == [sum(other < x for other in values) for x in values]
    assert level.tolist() == [values.count(x) for x in values]


@given(st.lists(VOLUMES, min_size=FEWEST, max_size=80), VOLUMES)
def test_robust_z_is_as_near_as_stated(values: list[int], own: int) -> None:
    _, _, z, *_ = standing(values, [own])[0]
    (_, mad), (true_median, true_mad) = read(values), exact(values)
    if np.isnan(z):
        assert mad == 0
    elif mad > WIDTH:
        true_z = (math.log1p(own) - true_median) / (1.4826 * true_mad)
        assert abs(z - true_z) <= float(z_error(np.array([z]), np.array([mad]))[0]) + 1e-3


@settings(max_examples=40)
@given(st.lists(VOLUMES, min_size=FEWEST, max_size=50))
def test_centile_is_off_by_at_most_half_of_those_in_the_same_bucket(values: list[int]) -> None:
    centiles = standing(values)[:, 1]
    _, level = one_module(values).ranked(np.zeros(len(values), np.int64), np.array(values, np.float64))
    for x, centile, same in zip(values, centiles, level, strict=True):
        true = 100 * (sum(o < x for o in values) + values.count(x) / 2) / len(values)
        assert abs(centile - true) <= 100 * (same - 1) / 2 / len(values) + 1e-4


@given(st.lists(VOLUMES, min_size=2, max_size=40))
def test_whoever_did_more_never_stands_lower(values: list[int]) -> None:
    ordered = sorted(values * FEWEST)
    assert (np.diff(standing(ordered)[:, 1]) >= 0).all()


# Adding up.


@settings(max_examples=40)
@given(st.lists(st.tuples(st.sampled_from(["A1", "B2", "C3"]), COHORTS), min_size=1, max_size=6), st.randoms())
def test_counts_add_up_in_any_order_to_those_of_all_students_at_once(
    parts: list[tuple[str, list[int]]], random_: random.Random
) -> None:
    records = [counted(values, module, partition) for partition, (module, values) in enumerate(parts)]
    random_.shuffle(records)
    together: dict[str, list[int]] = {}
    for module, values in parts:
        together.setdefault(module, []).extend(values)
    merged, at_once = norms_of(*records), norms_of(*(counted(v, m) for m, v in sorted(together.items())))
    assert merged.modules == at_once.modules
    assert merged.places.tolist() == at_once.places.tolist()
    for figure in INDEX_PARTS:
        assert merged.histograms[figure].rows() == at_once.histograms[figure].rows()


@settings(max_examples=40)
@given(COHORTS, COHORTS, COHORTS)
def test_merging_is_associative_and_commutative(a: list[int], b: list[int], c: list[int]) -> None:
    one, two, three = map(one_module, (a, b, c))
    grouped = Histograms.merged([Histograms.merged([one, two]), three])
    regrouped = Histograms.merged([three, Histograms.merged([two, one])])
    assert grouped.rows() == regrouped.rows() == one_module(a + b + c).rows()


def test_records_say_the_same_after_a_way_over_the_bus() -> None:
    records = count(
        day=monday(TODAY), partition=3, modules=["A1", "B2"], running=[12, 4],
        module=np.array([0, 1, 0]), figures=volumes([5, 250, 251]),
    )  # fmt: skip
    first, second, closed = records
    assert [decoder(COHORT_NORMS)(encode(record)) for record in records] == records
    assert isinstance(first, CohortCounted)
    assert isinstance(second, CohortCounted)
    assert (first.module, first.places, first.students, first.partition) == ("A1", 12, 2, 3)
    assert first.counts["volume-28"] == ((5, 1), (251, 1))
    assert second.counts["volume-28"] == ((249, 1),)  # 249 and 250 share a bucket
    assert closed == CohortClosed(partition=3, day=iso_day(monday(TODAY)), modules=2)


def test_a_module_without_anybody_to_count_still_says_how_many_places_run() -> None:
    (empty, _) = count(
        day=0, partition=0, modules=["A1"], running=[7], module=np.array([], np.int64), figures=volumes([])
    )
    assert isinstance(empty, CohortCounted)
    assert (empty.places, empty.students, empty.counts) == (7, 0, {})


@pytest.mark.parametrize(("day", "expected"), [("2026-01-12", "2026-01-12"), ("2026-01-18", "2026-01-12")])
def test_a_week_is_named_by_its_monday(day: str, expected: str) -> None:
    assert iso_day(monday(day_number(day))) == expected
