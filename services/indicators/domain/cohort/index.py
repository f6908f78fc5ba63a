"""Where a student stands among those of the module who let themselves be counted, and the index made of it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from services.indicators.domain.places import Floats

# What the engagement index is the mean of: centiles of these figures, and whether more of it is better.
INDEX_PARTS = {
    "volume-28": True,
    "active-days-28": True,
    "days-since-last-activity": False,
    "arrears": False,
}


def at_or_below(values: Floats, among: Floats) -> Floats:
    """[n]; for each value the share of `among` that is not above it, between 0 and 1.

    The index takes this and not the mid-rank: whom nobody exceeds has the full share, however many are level. Of work
    that nearly everybody has handed in, the mid-rank would give each of them little more than half of it, and whoever
    owes something hardly less.
    """
    ordered = np.sort(among)
    return np.searchsorted(ordered, values, "right") / max(len(ordered), 1)


def engagement_index(shares: Sequence[Floats]) -> Floats:
    """[n]; 5 × the equal-weight mean of the parts' shares; NaN where there are none.

    Untrained. A part that cannot be said is NaN, and left out of that place's mean.
    """
    parts = np.array(shares)
    said = ~np.isnan(parts)
    total, number = np.where(said, parts, 0).sum(axis=0), said.sum(axis=0)
    return np.where(number > 0, 5 * total / np.maximum(number, 1), np.nan)
