"""What is said of where a student stands in the module, what is kept back, and who is counted for it."""

from __future__ import annotations

import math
from dataclasses import replace

import msgspec
import numpy as np
import pytest

from services.indicators.domain.cohort import (
    ALL_OF_IT,
    FEWEST,
    INDEX_PARTS,
    NOTHING,
    ModuleNorm,
    at_or_below,
    basis,
    cohort_figures,
    compare,
    count,
    engagement_index,
    members,
    merge,
    monday,
)
from services.indicators.domain.permission import permission
from services.indicators.domain.places import CALENDAR_DAYS, HISTORY_DAYS, NEVER, Figure, Places
from services.kernel.consents import COHORT_IMPROVEMENT, INDIVIDUAL_INDICATORS
from services.kernel.events import CohortCounted, ConsentStateChanged, Grant
from services.kernel.register import load_register
from tests.support.norms import TODAY, counted, exact, norms_of, standing, volumes

# What is said, and what is kept back.


def figures_of(values: list[int], of: list[int] | None = None, running: int = 0) -> dict[str, Figure]:
    norms = norms_of(counted(values, running=running))
    own = volumes(values if of is None else of)
    module = np.zeros(len(own["volume-28"].values), np.int64)
    return cohort_figures(compare(norms, module, own), module, [norms.by_module()["HIST101"]])


@pytest.mark.requirement("R12")
def test_nothing_is_said_of_fewer_than_ten() -> None:
    """Neither a centile nor a z nor an index, and no median with which the others could be guessed."""
    figures = figures_of(list(range(FEWEST - 1)))
    assert {name: f.reason(0) for name, f in figures.items() if not f.said.any()} == dict.fromkeys(
        figures, "cohort-too-small"
    )


def test_no_z_where_most_are_alike() -> None:
    """The centile and the index can still be said."""
    figures = figures_of([7] * 9 + [1, 2, 3])
    z = figures["volume-28-robust-z"]
    assert not z.said.any()
    assert z.reason(0) == "no-spread"
    assert figures["volume-28-centile"].said.all()
    assert figures["engagement-index"].said.all()


def test_figures_tell_what_they_compare_with() -> None:
    values = list(range(0, 48, 2))
    figures = figures_of(values, [10], running=32)
    z, centile = figures["volume-28-robust-z"], figures["volume-28-centile"]
    median, mad = exact(values)
    assert z.values[0] == pytest.approx((math.log(11) - median) / (1.4826 * mad), abs=1e-4)
    assert centile.values[0] == pytest.approx(100 * 5.5 / 24, abs=1e-4)
    told = {name: float(value[0]) for name, value in z.inputs.items()}
    assert told == pytest.approx(
        {"students": 24, "places": 32, "coverage": 75, "volume": 10, "middle": 23, "median": median, "mad": mad}
    )


def test_whoever_is_not_counted_is_still_compared() -> None:
    """The norms need the consent of those in them; a student's own place among them needs another."""
    assert standing(list(range(20)), [1000])[0, 1] == 100


def test_a_place_that_compares_with_nothing_yet() -> None:
    norms = norms_of(counted(list(range(20))))
    stands = compare(norms, norms.number(["UNKNOWN"]), volumes([5]))
    figures = cohort_figures(stands, np.zeros(1, np.int64), [None])
    assert {figure.reason(0) for figure in figures.values()} == {"no-cohort-yet"}
    assert not any(figure.said.any() for figure in figures.values())


def test_norms_of_nothing_say_nothing() -> None:
    norms = merge(monday(TODAY), (), INDEX_PARTS)
    assert norms.by_module() == {}
    assert np.isnan(compare(norms, norms.number(["A1"]), volumes([5]))).all()


def test_a_module_that_nobody_lets_be_counted() -> None:
    (empty, _) = count(
        day=0, partition=0, modules=["A1"], running=[7], module=np.array([], np.int64), figures=volumes([])
    )
    assert isinstance(empty, CohortCounted)
    norms = norms_of(empty, counted(list(range(12)), "B2"))
    assert norms.by_module()["A1"].students == 0
    stands = compare(norms, norms.number(["A1", "B2"]), volumes([5, 5]))
    figures = cohort_figures(stands, np.arange(2), list(norms.by_module().values()))
    assert [figures["volume-28-centile"].said[n] for n in (0, 1)] == [False, True]


# The index.


def test_the_index_is_five_times_the_mean_share() -> None:
    values = list(range(20))
    index = figures_of(values)["engagement-index"]
    expected = engagement_index([at_or_below(np.array(values, float), np.array(values, float)), *[np.ones(20)] * 3])
    assert index.values == pytest.approx(expected, abs=1e-3)
    assert index.values.max() == pytest.approx(5)
    assert index.inputs["share-arrears"].tolist() == [100.0] * 20
    assert index.inputs["parts"].tolist() == [4] * 20


def test_the_index_leaves_out_what_cannot_be_seen_and_says_so() -> None:
    """Of whoever does not permit hand-ins to be read, nothing is said of what is owed."""
    values = list(range(20))
    norms = norms_of(counted(values))
    own = volumes(values)
    own["arrears"] = replace(own["arrears"], said=np.arange(20) > 0)
    module = np.zeros(20, np.int64)
    index = cohort_figures(compare(norms, module, own), module, list(norms.by_module().values()))["engagement-index"]
    assert np.isnan(index.inputs["share-arrears"][0])
    assert index.inputs["parts"].tolist() == [3] + [4] * 19
    assert index.said.all()
    assert index.values[0] == pytest.approx(5 * (1 / 20 + 1 + 1) / 3, abs=1e-3)


def test_fewer_days_of_silence_and_less_owed_are_better() -> None:
    among = {name: Figure(np.arange(20.0), np.ones(20, np.bool_)) for name in INDEX_PARTS}
    records = count(day=0, partition=0, modules=["A1"], running=[20], module=np.zeros(20, np.int64), figures=among)
    norms = merge(0, [r for r in records if isinstance(r, CohortCounted)], INDEX_PARTS)
    best, worst = compare(norms, np.zeros(20, np.int64), among)[[0, 19], 3:]
    assert best.tolist() == [0.05, 0.05, 1, 1]
    assert worst.tolist() == [1, 1, 0.05, 0.05]


@pytest.mark.requirement("R6")
def test_no_rule_is_about_the_index() -> None:
    """It says where a student stands among others, which is no reason by itself to look at anybody."""
    assert "engagement-index" not in {rule.indicator for rule in load_register().rules}


def test_what_is_remembered_outlives_a_restart() -> None:
    norm = norms_of(counted(list(range(20)))).by_module()["HIST101"]
    assert msgspec.msgpack.decode(msgspec.msgpack.encode(norm), type=ModuleNorm) == norm


# Who is counted.


def places(
    n: int, *, start_day: int = TODAY - 60, since_day: int | None = None, active: list[int] | None = None
) -> Places:
    """So many places, alike but that on the days back in `active` each did as much as its number plus one."""
    weights = np.zeros((n, HISTORY_DAYS), np.int64)
    for back in active or []:
        weights[:, back] = np.arange(n) + 1
    start = np.full(n, start_day)
    last = TODAY - min(active) if active else NEVER
    none = np.zeros(n, np.int64)
    return Places(
        today=TODAY, counting=np.arange(CALENDAR_DAYS), weights=weights, kinds=np.zeros_like(weights), start_day=start,
        since_day=start if since_day is None else np.full(n, since_day), first_day=np.full(n, last),
        last_day=np.full(n, last), part_time=none > 0, attended=np.zeros_like(weights), absent=np.zeros_like(weights),
        due=none, late=none, missing=none, arrears=np.arange(n), sessions=none, session_minutes=none.astype(float),
    )  # fmt: skip


def counted_of(n: int = 1, since: int = ALL_OF_IT, start_day: int | None = None, **changes: int) -> dict[str, Figure]:
    made = places(n, active=[40], **changes)
    start = made.start_day if start_day is None else np.full(n, start_day)
    return members(made, basis(made, np.ones(n, np.bool_)), start, np.full(n, since))


@pytest.mark.requirement("R13")
def test_nobody_is_counted_who_does_not_permit_it() -> None:
    assert not any(figure.said.any() for figure in counted_of(since=NOTHING).values())


def test_all_that_is_held_may_be_counted() -> None:
    figures = counted_of()
    assert all(figure.said.all() for figure in figures.values())
    assert figures["days-since-last-activity"].values.tolist() == [40]


@pytest.mark.requirement("R1")
def test_nothing_from_before_the_grant_is_counted() -> None:
    """A grant that came later counts once the window lies after it; silence from it on, and nothing of what is owed."""
    assert not any(figure.said.any() for figure in counted_of(since=TODAY - 26).values())
    figures = counted_of(since=TODAY - 27)
    assert {name for name, figure in figures.items() if figure.said.all()} == set(INDEX_PARTS) - {"arrears"}
    assert figures["days-since-last-activity"].values.tolist() == [27]


def test_a_grant_of_the_future_counts_nothing() -> None:
    assert not any(figure.said.any() for figure in counted_of(since=TODAY + 3).values())


def test_whoever_was_seen_for_less_than_the_window_is_counted_only_where_the_module_is_as_young() -> None:
    assert all(f.said.all() for f in counted_of(start_day=TODAY - 5).values())  # seen from before it on
    young = places(1, start_day=TODAY - 5)
    figures = basis(young, np.ones(1, np.bool_))
    never = np.full(1, ALL_OF_IT)
    assert all(f.said.all() for f in members(young, figures, np.full(1, TODAY - 5), never).values())
    assert not any(f.said.any() for f in members(young, figures, np.full(1, TODAY - 50), never).values())


def countable(individual: dict[str, int], cohort: dict[str, int], now_ms: int = 50) -> int | None:
    """From when on a student may be counted, by the starts of the grants; those of sources in capitals have ended."""
    grants = [
        Grant(purpose=purpose, source=s.lower(), from_ms=at, until_ms=40 if s.isupper() else 99, notice="2026-1")
        for purpose, given in ((INDIVIDUAL_INDICATORS, individual), (COHORT_IMPROVEMENT, cohort))
        for s, at in given.items()
    ]
    consent = ConsentStateChanged(student="a" * 64, version=1, changed_ms=0, grants=tuple(grants))
    return permission(consent, now_ms).cohort_ms


@pytest.mark.requirement("R13")
def test_a_student_is_counted_by_all_of_their_figures_or_not_at_all() -> None:
    both = {"vle": 10, "library": 20}
    assert countable(both, both) == 0
    assert countable(both, both | {"attendance": 30}) == 0
    assert countable(both, {"vle": 10}) is None
    assert countable(both, {"vle": 10, "LIBRARY": 20}) is None
    assert countable({}, both) is None
    assert countable(both, {"vle": 30, "library": 5}) == 30
