"""Scores of flags and of an ordering against an outcome.

A *flag* is a number between 0 and 1 for each student: 1 for flagged, 0 for not, and a part where several are level and
not all of them can be among so many; sums of flags are numbers of students. No figure can be said of an empty group:
it is None then, never 0.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from services.indicators.domain.places import Bools, Floats


@dataclass(frozen=True, slots=True)
class Flagging:
    """How flags met the outcome.

    Attributes:
        flagged: share of the students who are flagged.
        precision: share of the flagged who have the outcome.
        recall: share of those with the outcome who are flagged.
        flagged_students: how many they are.
    """

    flagged: float | None
    precision: float | None
    recall: float | None
    flagged_students: float


def share(part: float, of: float) -> float | None:
    """A share; None of nothing."""
    return float(part / of) if of else None


def flagging(flags: Floats | Bools, outcome: Bools) -> Flagging:
    """Flag rate, precision and recall of n students' flags."""
    flagged, hits = float(flags.sum()), float(flags[outcome].sum())
    return Flagging(
        flagged=share(flagged, len(flags)),
        precision=share(hits, flagged),
        recall=share(hits, int(outcome.sum())),
        flagged_students=flagged,
    )


def auc(score: Floats, outcome: Bools) -> float | None:
    """The probability that a student with the outcome has a lower score than one without; a tie counts half.

    The area under the receiver operating characteristic, by ranks: Mann and Whitney (1947), On a test of whether one
    of two random variables is stochastically larger than the other. None where all have the outcome or nobody has.
    """
    with_it = int(outcome.sum())
    without = len(outcome) - with_it
    if not with_it or not without:
        return None
    ranks = _mid_ranks(score)
    lower_or_tied = ranks[~outcome].sum() - without * (without + 1) / 2
    return float(lower_or_tied / (with_it * without))


def lowest(score: Floats, number: float) -> Floats:
    """[n]; flags of the `number` students with the lowest scores.

    Those who are level at the cut share the places that are left equally, so that the order of a file decides nothing.
    """
    ordered = np.sort(score)
    below, up_to = np.searchsorted(ordered, score, "left"), np.searchsorted(ordered, score, "right")
    flags: Floats = np.clip((number - below) / np.maximum(up_to - below, 1), 0.0, 1.0)
    return flags


def _mid_ranks(score: Floats) -> Floats:
    """[n]; each score's rank from 1, the mean of theirs for those that are equal."""
    ordered = np.sort(score)
    ranks: Floats = (np.searchsorted(ordered, score, "left") + np.searchsorted(ordered, score, "right") + 1) / 2
    return ranks
