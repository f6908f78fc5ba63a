"""Charts drawn on the server as SVG: y from zero, labelled, with a text for those who do not see them."""

from __future__ import annotations

from collections.abc import Sequence

from markupsafe import Markup

DAYS = 7
_START = Markup(
    '<svg class="{kind}" viewBox="0 0 {width} {height}" width="{width}" height="{height}" role="img" '
    'aria-labelledby="{id}-title {id}-desc"><title id="{id}-title">{title}</title><desc id="{id}-desc">{desc}</desc>'
)


def spark(weeks: Sequence[int], name: str) -> Markup:
    """Eight weeks of active days as small bars; a week without any keeps a mark on the base line."""
    height, step = 32, 12
    bars = [
        Markup('<rect class="{}" x="{}" y="{}" width="8" height="{}"/>').format(
            "bar" if days else "none", number * step + 2, height - max(days * 4, 2), max(days * 4, 2)
        )
        for number, days in enumerate(weeks)
    ]
    return _open("spark", len(weeks) * step, height, name, weeks) + Markup("").join(bars) + Markup("</svg>")


def weekly(weeks: Sequence[int], name: str) -> Markup:
    """Eight weeks of active days as bars with their figures, oldest first, from 0 to 7."""
    step, top, unit = 56, 24, 16
    base = top + DAYS * unit
    parts = [Markup('<line class="grid" x1="0" x2="{0}" y1="{1}" y2="{1}"/>').format(len(weeks) * step, base)]
    for number, days in enumerate(weeks):
        x, high = number * step, max(days * unit, 3)
        parts.append(
            Markup(
                '<rect class="{}" x="{}" y="{}" width="32" height="{}"/>'
                '<text x="{}" y="{}" text-anchor="middle">{}</text>'
                '<text class="axis" x="{}" y="{}" text-anchor="middle">{}</text>'
            ).format(
                "bar" if days else "none", x + 12, base - high, high,
                x + 28, base - high - 6, days,
                x + 28, base + 20, week_name(len(weeks) - number),
            )
        )  # fmt: skip
    return _open("weekly", len(weeks) * step, base + 28, name, weeks) + Markup("").join(parts) + Markup("</svg>")


def week_name(back: int) -> str:
    """The name of the seven days that are the `back`-th counted from today, 1 being the last."""
    return "now" if back == 1 else f"−{back - 1} w"


def _open(kind: str, width: int, height: int, name: str, weeks: Sequence[int]) -> Markup:
    title = f"Active days in each of the last {len(weeks)} weeks"
    desc = "Oldest first: " + ", ".join(map(str, weeks)) + f" of {DAYS} days."
    return _START.format(kind=kind, width=width, height=height, id=name, title=title, desc=desc)
