"""From a day's norms to where each place stands in its module, and to the figures that say so.

The comparison is made once a week, of all places as of one tick; what came of it is kept with the place, since a later
volume would not compare with that day's norms.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from services.indicators.domain.cohort.histograms import MAD_TO_SIGMA
from services.indicators.domain.cohort.index import INDEX_PARTS, engagement_index
from services.indicators.domain.cohort.norms import FEWEST, VOLUME, ModuleNorm, Norms
from services.indicators.domain.formulas import COMPARED, FORMULAS
from services.indicators.domain.places import Bools, Figure, Floats, Ints, Places

CENTILE, ROBUST_Z, INDEX = COMPARED
# The columns of what is kept: the volume, its mid-rank centile and z, then the shares that the index is the mean of.
COLUMNS = ("volume", "centile", "z", *INDEX_PARTS)
_DIGITS = 4  # kept; further ones are less than the buckets' error
NO_COHORT, TOO_SMALL, NO_SPREAD = "no-cohort-yet", "cohort-too-small", "no-spread"


def basis(places: Places, work_is_seen: Bools) -> dict[str, Figure]:
    """The figures by which places are compared, as of `places.today`.

    Args:
        places: n of them.
        work_is_seen: [n]; whether hand-ins of the place may be seen; where not, what is owed cannot be said.
    """
    owed = Figure(places.arrears.astype(float), work_is_seen, "no-source")
    return {name: FORMULAS[name](places) if name in FORMULAS else owed for name in INDEX_PARTS}


def compare(norms: Norms, module: Ints, figures: Mapping[str, Figure]) -> Floats:
    """[n, len(COLUMNS)]; where each place stands; NaN where it cannot be said, also for fewer than ten students.

    The centile is the mid-rank: the share of the counted below, and half of those who are level, in percent. The z is
    (ln(1+x) - median) / (1.4826 · MAD): Iglewicz and Hoaglin (1993), How to detect and handle outliers, write it as
    0.6745 (x - median) / MAD; 1.4826 = 1 / 0.6745. The logarithm tames the long tail of volumes. The shares are those
    of the counted who are at or below the place, or at or above where less is better.

    Args:
        norms: of the day.
        module: [n]; the number of each place's module in `norms`, as of `Norms.number`.
        figures: [n]; the basis.
    """
    stands = np.full((len(module), len(COLUMNS)), np.nan)
    rows = np.flatnonzero(module < len(norms.modules))
    at = module[rows]
    for column, (name, more_is_better) in enumerate(INDEX_PARTS.items(), start=len(COLUMNS) - len(INDEX_PARTS)):
        histograms, values = norms.histograms[name], figures[name].values[rows]
        n, (below, level) = histograms.n[at], histograms.ranked(at, values)
        said = figures[name].said[rows] & (n >= FEWEST)
        of = np.maximum(n, 1)
        stands[rows, column] = np.where(said, (below + level if more_is_better else n - below) / of, np.nan)
        if name == VOLUME:
            stands[rows, 0] = np.where(said, values, np.nan)
            stands[rows, 1] = np.where(said, 100 * (below + level / 2) / of, np.nan)
            stands[rows, 2] = np.where(
                said, _robust_z(values, *(c[at] for c in histograms.log_median_and_mad())), np.nan
            )
    return np.round(stands, _DIGITS)


def cohort_figures(stands: Floats, module: Ints, norms: Sequence[ModuleNorm | None]) -> dict[str, Figure]:
    """The figures of n places by what is kept of their last comparison.

    Args:
        stands: [n, len(COLUMNS)]; as `compare` gave it.
        module: [n]; which of the `norms` each place compares with.
        norms: of each module; None where there are none.
    """
    columns = np.array([_columns(norm) for norm in norms]).reshape(-1, 5)[module].T
    students, places, coverage, median, mad = columns
    volume, centile, z, shares = stands[:, 0], stands[:, 1], stands[:, 2], stands[:, 3:]
    common = {"students": students, "places": places, "coverage": coverage}
    compared = common | {"volume": volume, "middle": np.round(np.expm1(median))}
    small = np.where(students < FEWEST, TOO_SMALL, NO_COHORT)
    parts = {f"share-{name}": 100 * share for name, share in zip(INDEX_PARTS, shares.T, strict=True)}
    parts["parts"] = (~np.isnan(shares)).sum(axis=1)
    return {
        CENTILE: _said(centile, small, compared),
        ROBUST_Z: _said(z, np.where(mad == 0, NO_SPREAD, small), compared | {"median": median, "mad": mad}),
        INDEX: _said(engagement_index(list(shares.T)), small, common | parts),
    }


def _robust_z(volume: Floats, median: Floats, mad: Floats) -> Floats:
    spread = np.where(mad > 0, MAD_TO_SIGMA * mad, np.nan)
    return (np.log1p(volume) - median) / spread


def _columns(norm: ModuleNorm | None) -> tuple[float, ...]:
    if norm is None:
        return (np.nan,) * 5
    return norm.students, norm.places, 100 * norm.students / max(norm.places, 1), norm.median, norm.mad


def _said(values: Floats, why: np.ndarray[tuple[int], np.dtype[np.str_]], inputs: dict[str, Floats | Ints]) -> Figure:
    return Figure(values, ~np.isnan(values), why, inputs=inputs)
