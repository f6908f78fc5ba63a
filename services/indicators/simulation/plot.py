"""The tutors' loads as small multiples: each tutor's alerts by week, now and as proposed, on one scale."""

from __future__ import annotations

import math
from collections.abc import Sequence

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from services.indicators.evaluation.pictures import COLOURS, STYLE
from services.indicators.simulation.loads import Loads, Pair
from services.kernel.clock import iso_day

_ACROSS, _MOST = 4, 19  # panels in a row, tutors at most


def draw(loads: Loads) -> Figure:
    """A panel for all tutors together, then one for each of the busiest."""
    busiest = sorted(loads.tutors, key=lambda tutor: (-sum(p.present + p.proposed for p in loads.tutors[tutor]), tutor))
    tutors = busiest[:_MOST]
    rows = math.ceil((len(tutors) + 1) / _ACROSS)
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(12, 1 + 2.1 * rows), layout="constrained")
        axes = figure.subplots(rows, _ACROSS, squeeze=False, sharex=True).flatten()
        _panel(axes[0], loads, "All alerts by week", loads.total)
        axes[0].legend(loc="upper left")
        most = max(1, loads.largest.present, loads.largest.proposed)
        for each, tutor in zip(axes[1:], tutors, strict=False):
            _panel(each, loads, tutor, loads.tutors[tutor])
            each.set_ylim(0, most * 1.1)
        for each in axes[len(tutors) + 1 :]:
            each.set_visible(False)
    return figure


def _panel(axes: Axes, loads: Loads, title: str, pairs: Sequence[Pair]) -> None:
    weeks = range(len(loads.weeks))
    axes.set_title(title, fontsize=8)
    axes.step(weeks, [pair.present for pair in pairs], where="mid", color=COLOURS[6], label="now")
    axes.step(weeks, [pair.proposed for pair in pairs], where="mid", color=COLOURS[1], label="proposed")
    ticks = weeks[:: max(1, len(weeks) // 4)]
    axes.set_xticks(list(ticks), [iso_day(loads.weeks[n])[5:] for n in ticks])
    axes.set_ylim(bottom=0)
