"""Scores, gaps and lead times against slow definitions."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.indicators.domain.places import NEVER
from services.indicators.evaluation.fairness import NOT_KNOWN, SMALLEST_GROUP, gap
from services.indicators.evaluation.leads import lead
from services.indicators.evaluation.scores import auc, flagging, lowest

# Few different scores, so that there are ties.
students = st.lists(st.tuples(st.integers(0, 4), st.booleans()), min_size=1, max_size=30)


def slow_auc(score: Sequence[float], outcome: Sequence[bool]) -> float | None:
    """Each pair of a student with the outcome and one without: who has the lower score?"""
    pairs = [(a, b) for (a, yes), (b, no) in itertools.product(zip(score, outcome, strict=True), repeat=2) if yes > no]
    return sum((a < b) + (a == b) / 2 for a, b in pairs) / len(pairs) if pairs else None


def slow_lowest(score: Sequence[float], number: int) -> list[float]:
    """The mean over all orders that the scores allow: level students are exchangeable."""
    flags = []
    for mine in score:
        below, level = sum(s < mine for s in score), sum(s == mine for s in score)
        flags.append(min(max(number - below, 0), level) / level)
    return flags


@given(students)
def test_auc_is_the_share_of_pairs_in_the_right_order(given_: list[tuple[int, bool]]) -> None:
    score, outcome = zip(*given_, strict=True)
    found = auc(np.array(score, float), np.array(outcome))
    assert found == (None if (slow := slow_auc(score, outcome)) is None else pytest.approx(slow))


@given(students, st.data())
def test_the_lowest_are_as_many_as_asked_for_and_ties_share(
    given_: list[tuple[int, bool]], data: st.DataObject
) -> None:
    score = [s for s, _ in given_]
    number = data.draw(st.integers(0, len(score)))
    flags = lowest(np.array(score, float), number)
    assert flags.sum() == pytest.approx(number)
    assert flags.tolist() == pytest.approx(slow_lowest(score, number))


@given(students)
def test_flag_rate_precision_and_recall(given_: list[tuple[int, bool]]) -> None:
    flags, outcome = np.array([s > 1 for s, _ in given_]), np.array([yes for _, yes in given_])
    found = flagging(flags, outcome)
    hits = sum(s > 1 and yes for s, yes in given_)
    assert found.flagged_students == flags.sum()
    assert found.flagged == pytest.approx(flags.mean())
    assert found.precision == (pytest.approx(hits / flags.sum()) if flags.any() else None)
    assert found.recall == (pytest.approx(hits / outcome.sum()) if outcome.any() else None)


def test_of_nobody_nothing_is_said() -> None:
    nobody = np.zeros(0, np.bool_)
    found = flagging(nobody, nobody)
    assert (found.flagged, found.precision, found.recall, found.flagged_students) == (None, None, None, 0)
    assert auc(np.zeros(0), nobody) is None
    assert lowest(np.zeros(0), 0).tolist() == []
    assert gap(np.array([], object), nobody, nobody).flag_rate is None


def labelled(**sizes: int) -> np.ndarray[tuple[int], np.dtype[np.object_]]:
    return np.array([name for name, size in sizes.items() for _ in range(size)], object)


def test_a_gap_is_the_largest_less_the_smallest() -> None:
    labels = labelled(a=40, b=20, c=50)
    flags = np.array([True] * 20 + [False] * 20 + [True] * 10 + [False] * 10 + [True] * 40 + [False] * 10)
    outcome = np.array([True] * 15 + [False] * 25 + [True] * 10 + [False] * 10 + [True] * 10 + [False] * 40)
    found = gap(labels, flags, outcome)
    assert found.flag_rate == pytest.approx(0.8 - 0.5)
    assert found.precision == pytest.approx(10 / 10 - 10 / 40)
    assert found.groups["a"].base == pytest.approx(15 / 40)


def test_whose_group_is_not_known_is_shown_and_not_compared() -> None:
    labels = np.array([NOT_KNOWN] * 20 + ["a"] * 20 + ["b"] * 20, object)
    flags = np.array([True] * 20 + [True] * 10 + [False] * 10 + [True] * 5 + [False] * 15)
    found = gap(labels, flags, flags)
    assert found.groups[NOT_KNOWN].flagged == 1
    assert found.flag_rate == pytest.approx(0.25)


def test_small_groups_are_left_out() -> None:
    """Nothing of them is said, not even how many they are; a precision of few flagged is not said either."""
    labels = labelled(a=30, b=SMALLEST_GROUP, c=SMALLEST_GROUP - 1, d=1)
    everybody, nobody = np.ones(len(labels), np.bool_), np.zeros(len(labels), np.bool_)
    found = gap(labels, everybody, nobody)
    for name in "cd":
        group = found.groups[name]
        assert (group.students, group.base, group.flagged, group.precision) == (None,) * 4
    assert found.groups["b"].students == SMALLEST_GROUP
    few = nobody.copy()
    few[:9] = True
    assert gap(labels, few, everybody).groups["a"].precision is None
    assert gap(labels, few, everybody).groups["a"].flagged == pytest.approx(9 / 30)


def test_a_single_small_group_cannot_be_reckoned_from_the_rest() -> None:
    """With it its next larger neighbour is left out."""
    labels = labelled(a=30, b=12, c=3)
    flags = np.ones(len(labels), np.bool_)
    found = gap(labels, flags, flags)
    assert [name for name, group in found.groups.items() if group.students is None] == ["b", "c"]
    assert found.flag_rate is None


@given(st.lists(st.tuples(st.integers(NEVER, 60), st.integers(0, 60)), max_size=20))
def test_leads_count_from_the_first_flag_to_the_end(given_: list[tuple[int, int]]) -> None:
    first, end = (np.array(column, np.int64) for column in (zip(*given_, strict=True) if given_ else ((), ())))
    found = lead(first, end)
    days = sorted(e - f for f, e in given_ if f != NEVER and f < e)
    assert found.reached == (pytest.approx(len(days) / len(given_)) if given_ else None)
    assert found.early == (pytest.approx(sum(d >= 14 for d in days) / len(given_)) if given_ else None)
    middle = len(days) // 2
    assert found.days == (pytest.approx((days[middle] + days[~middle]) / 2) if days else None)
