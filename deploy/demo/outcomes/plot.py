"""An evaluation as a picture: how index and rules stood week by week."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from services.indicators.evaluation.days import DayScores
from services.indicators.evaluation.pictures import COLOURS, STYLE

Said = Callable[[DayScores], float | None]


def draw(weeks: Sequence[DayScores], rule: str) -> Figure:
    """Four panels by week: the index, the rules' flags, how early they spoke, and the gaps between groups."""
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(11, 8), layout="constrained")
        axes = figure.subplots(2, 2, sharex=True)
        _index(axes[0, 0], weeks, rule)
        _rules(axes[0, 1], weeks)
        _leads(axes[1, 0], weeks)
        _gaps(axes[1, 1], weeks, rule)
        for each in axes.flat:
            each.set_ylim(0, 1)
            each.set_xlim(0, weeks[-1].day / 7)
        for each in axes[1]:
            each.set_xlabel("week of the presentation")
    return figure


def _index(axes: Axes, weeks: Sequence[DayScores], rule: str) -> None:
    axes.set_title(f"The index against not passing, beside the rule {rule}")
    lines: dict[str, tuple[Said, str, str]] = {
        "AUC of the index": (lambda d: d.scores.index.auc, COLOURS[0], "-"),
        "precision of the index, flagging as many": (lambda d: d.scores.index.precision_at_rule_rate, COLOURS[0], "--"),
        "precision of the rule": (lambda d: d.scores.rule.precision, COLOURS[1], "--"),
        "recall of the rule": (lambda d: d.scores.rule.recall, COLOURS[1], ":"),
        "not passing (base)": (lambda d: d.scores.base, COLOURS[6], "-"),
    }
    for name, (said, colour, style) in lines.items():
        _line(axes, weeks, said, name, colour, style)
    axes.legend(loc="lower right")


def _rules(axes: Axes, weeks: Sequence[DayScores]) -> None:
    axes.set_title("Share of the students that each rule flags")
    for number, name in enumerate(weeks[-1].rules):
        _line(axes, weeks, lambda d, n=name: d.rules[n].flagging.flagged, name, COLOURS[number % len(COLOURS)])  # type: ignore[misc]  # the loop's name, bound now
    axes.legend(loc="upper right")


def _leads(axes: Axes, weeks: Sequence[DayScores]) -> None:
    axes.set_title("Of those who left: flagged two weeks before or earlier")
    for number, name in enumerate(weeks[-1].rules):
        _line(axes, weeks, lambda d, n=name: d.rules[n].leaving.early, name, COLOURS[number % len(COLOURS)])  # type: ignore[misc]  # the loop's name, bound now


def _gaps(axes: Axes, weeks: Sequence[DayScores], rule: str) -> None:
    axes.set_title(f"Gap in flag rate between groups: {rule} (-), index (--)")
    for number, name in enumerate(weeks[-1].gaps):
        for which, style in enumerate(("-", "--")):
            label = "" if which else name
            _line(axes, weeks, lambda d, n=name, w=which: d.gaps[n][w].flag_rate, label, COLOURS[number], style)  # type: ignore[misc]  # the loop's names, bound now
    axes.legend(loc="upper right")


def _line(axes: Axes, weeks: Sequence[DayScores], said: Said, label: str, colour: str, style: str = "-") -> None:  # noqa: PLR0913, PLR0917 - a line's own
    points = [(day.day / 7, value) for day in weeks if (value := said(day)) is not None]
    axes.plot([x for x, _ in points], [y for _, y in points], style, color=colour, label=label or None, linewidth=1.6)
