"""The figures as pictures for docs/measured.md; their content depends on the figures only."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import NullFormatter

from services.indicators.evaluation.pictures import COLOURS, STYLE, save
from tests.bench.report.tables import VARIANTS

_WHOLE = 10  # from here on figures are written without a fraction


def draw_comparison(figures: dict[str, Any], file: Path) -> None:
    """Each variant's speed, the fastest at the top."""
    speed = figures["events_per_s"]
    names = sorted((name for name in VARIANTS if name in speed), key=speed.__getitem__)
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(7, 0.45 * len(names) + 0.9), layout="constrained")
        axes = figure.subplots()
        colours = [COLOURS[0] if name.startswith("signpost") else COLOURS[6] for name in names]
        bars = axes.barh([VARIANTS[name] for name in names], [speed[name] / 1000 for name in names], color=colours)
        axes.bar_label(bars, fmt="%.0f", padding=3)
        axes.margins(x=0.1)
        axes.set_axisbelow(True)
        axes.grid(visible=False, axis="y")
        axes.set_xlabel("thousand events a second")
    save(figure, file)


def draw_scaling(figures: dict[str, Any], file: Path) -> None:
    """What each size takes; where it should grow with the students, both axes are logarithmic."""
    sizes = figures["sizes"]
    panels = (
        ("Events a second", "events_per_s", "linear"),
        ("Memory a student, bytes", "memory_bytes_per_student", "linear"),
        ("Daily tick, seconds", "tick_s", "log"),
        ("Reading the state, seconds", "state_read_s", "log"),
    )
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(7.5, 5), layout="constrained")
        for axes, (title, name, scale) in zip(figure.subplots(2, 2).flat, panels, strict=True):
            _line(axes, [size["students"] for size in sizes], [size[name] for size in sizes], scale)
            axes.set_title(title)
    save(figure, file)


def draw_stages(figures: dict[str, Any], file: Path) -> None:
    """One bar, cut into stages."""
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(7, 1.9), layout="constrained")
        axes, left = figure.subplots(), 0.0
        for (name, taken), colour in zip(figures["us_per_event"].items(), COLOURS, strict=False):
            axes.barh([""], [taken], left=left, color=colour, label=name)
            left += taken
        axes.set_axisbelow(True)
        axes.grid(visible=False, axis="y")
        axes.set_xlabel("µs of processor time an event")
        figure.legend(loc="outside upper left", ncols=3)
    save(figure, file)


def _line(axes: Axes, students: list[int], values: list[float], scale: str) -> None:
    axes.plot(students, values, marker="o", color=COLOURS[0])
    axes.set_xscale("log")
    axes.set_xticks(students, [f"{number:,}" for number in students], minor=False)
    axes.set_yscale(scale)
    axes.yaxis.set_major_formatter(lambda value, _: f"{value:,.6g}")
    axes.yaxis.set_minor_formatter(NullFormatter())
    axes.margins(0.15, 0.25)
    if scale == "linear":
        axes.set_ylim(0, max(values) * 1.2)
    for at, value in zip(students, values, strict=True):
        text = f"{value:,.2g}" if value < _WHOLE else f"{value:,.0f}"
        axes.annotate(text, (at, value), (0, 6), textcoords="offset points", ha="center")
    axes.set_xlabel("students")
