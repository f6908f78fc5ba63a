"""Whether flags fall on groups of students alike, and are as often right for each.

Nothing here ever feeds back: no formula, rule or threshold reads what group a student is in. Groups that are too small
say nothing, and could tell of one person, so they are left out, and with a single one its next larger neighbour, from
which and the whole it could be reckoned.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from services.indicators.domain.places import Bools, Floats
from services.indicators.evaluation.scores import share

SMALLEST_GROUP = 10
NOT_KNOWN = "not known"  # of a student's attribute: shown, but no group to compare with

Labels = NDArray[np.object_]  # [n]; the group of each student, a str


@dataclass(frozen=True, slots=True)
class Group:
    """One group of students; None where too few of them for a figure.

    Attributes:
        base: share with the outcome.
        flagged: share flagged.
        precision: share of the flagged with the outcome.
    """

    students: int | None
    base: float | None = None
    flagged: float | None = None
    precision: float | None = None


@dataclass(frozen=True, slots=True)
class Gap:
    """How far the groups of one attribute lie apart: the largest less the smallest; None with fewer than two.

    Those whose group is not known are no group to compare with.
    """

    flag_rate: float | None
    precision: float | None
    groups: Mapping[str, Group] = field(default_factory=dict)


def gap(labels: Labels, flags: Floats | Bools, outcome: Bools) -> Gap:
    """Compare the groups of n students by one attribute."""
    names, sizes = np.unique(labels, return_counts=True)
    hidden = _hidden(dict(zip(names.tolist(), sizes.tolist(), strict=True)))
    groups = {
        str(name): Group(None) if name in hidden else _group(flags[labels == name], outcome[labels == name])
        for name in names
    }
    known = [group for name, group in groups.items() if name != NOT_KNOWN]
    return Gap(
        flag_rate=_spread(group.flagged for group in known),
        precision=_spread(group.precision for group in known),
        groups=groups,
    )


def _group(flags: Floats | Bools, outcome: Bools) -> Group:
    flagged = float(flags.sum())
    return Group(
        students=len(flags),
        base=share(int(outcome.sum()), len(flags)),
        flagged=share(flagged, len(flags)),
        precision=share(float(flags[outcome].sum()), flagged) if flagged >= SMALLEST_GROUP else None,
    )


def _hidden(sizes: Mapping[str, int]) -> set[str]:
    by_size = sorted(sizes, key=lambda name: (sizes[name], name))
    hidden = [name for name in by_size if sizes[name] < SMALLEST_GROUP]
    if len(hidden) == 1:
        hidden = by_size[:2]
    return set(hidden)


def _spread(figures: Iterable[float | None]) -> float | None:
    said = [figure for figure in figures if figure is not None]
    return max(said) - min(said) if len(said) > 1 else None
