"""How long before the end a rule spoke: the time that a conversation would have had."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from services.indicators.domain.places import NEVER, Ints
from services.indicators.evaluation.scores import share


@dataclass(frozen=True, slots=True)
class Lead:
    """How early those were flagged who did not pass.

    Attributes:
        reached: share of them who were flagged at all.
        days: median of the days from the first flag to leaving, or to the module's end; None where nobody was.
        early: share of them who were flagged at least two weeks before.
    """

    reached: float | None
    days: float | None
    early: float | None


ENOUGH_DAYS = 14  # for a tutor to write, to meet, and for something to come of it


def days_left(first_day: Ints, end_day: Ints) -> Ints:
    """[k]; days from the first flag to the end, of those of the n students who had one before it."""
    flagged = (first_day != NEVER) & (first_day < end_day)
    days: Ints = end_day[flagged] - first_day[flagged]
    return days


def lead(first_day: Ints, end_day: Ints) -> Lead:
    """The lead of one rule over n students with the outcome.

    Args:
        first_day: [n]; on which the rule first held; NEVER where it never did.
        end_day: [n]; of leaving, or the module's last.
    """
    left = days_left(first_day, end_day)
    return Lead(
        reached=share(len(left), len(end_day)),
        days=float(np.median(left)) if len(left) else None,
        early=share(int((left >= ENOUGH_DAYS).sum()), len(end_day)),
    )
