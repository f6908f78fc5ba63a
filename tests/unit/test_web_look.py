"""The look's tokens keep text readable, in the light and in the dark."""

from __future__ import annotations

import math
import re

import pytest

from services.kernel.web.pages import STATIC

CSS = (STATIC / "signpost.css").read_text("utf-8")
LIGHT, DARK = (
    dict(re.findall(r"--([\w-]+): oklch\(([\d. ]+)\)", part))
    for part in CSS.partition("}\n\n*, *::before")[0].split("@media (prefers-color-scheme: dark)")
)
TEXT = [
    ("ink", "paper"), ("ink", "surface"), ("ink", "accent-soft"), ("ink", "warm-soft"),
    ("ink-soft", "paper"), ("ink-soft", "surface"),
    ("accent", "paper"), ("accent", "surface"), ("accent", "accent-soft"),
    ("accent-strong", "paper"), ("accent-strong", "accent-soft"),
    ("on-accent", "accent"), ("on-accent", "accent-strong"),
    ("warm", "paper"), ("warm", "surface"), ("warm", "warm-soft"),
]  # fmt: skip
SHAPES = [(shape, ground) for shape in ("control", "warm-mark", "focus", "accent") for ground in ("paper", "surface")]


def luminance(token: str) -> float:
    """The relative luminance of an OKLCH colour (Ottosson 2020; WCAG 2.2)."""
    lightness, chroma, hue = (float(number) for number in token.split())
    a, b = chroma * math.cos(math.radians(hue)), chroma * math.sin(math.radians(hue))
    long = (lightness + 0.3963377774 * a + 0.2158037573 * b) ** 3
    middle = (lightness - 0.1055613458 * a - 0.0638541728 * b) ** 3
    short = (lightness - 0.0894841775 * a - 1.2914855480 * b) ** 3
    red = 4.0767416621 * long - 3.3077115913 * middle + 0.2309699292 * short
    green = -1.2684380046 * long + 2.6097574011 * middle - 0.3413193965 * short
    blue = -0.0041960863 * long - 0.7034186147 * middle + 1.7076147010 * short
    red, green, blue = (min(1, max(0, part)) for part in (red, green, blue))
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(tokens: dict[str, str], front: str, ground: str) -> float:
    high, low = sorted((luminance(tokens[front]), luminance(tokens[ground])), reverse=True)
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("tokens", [LIGHT, DARK], ids=["light", "dark"])
@pytest.mark.parametrize(("front", "ground"), TEXT)
def test_text_can_be_read(tokens: dict[str, str], front: str, ground: str) -> None:
    """WCAG 2.2 AA: 4.5 to 1."""
    assert contrast(tokens, front, ground) >= 4.5


@pytest.mark.parametrize("tokens", [LIGHT, DARK], ids=["light", "dark"])
@pytest.mark.parametrize(("front", "ground"), SHAPES)
def test_borders_marks_and_focus_can_be_seen(tokens: dict[str, str], front: str, ground: str) -> None:
    """WCAG 2.2 AA: 3 to 1."""
    assert contrast(tokens, front, ground) >= 3


def test_light_and_dark_have_the_same_tokens() -> None:
    assert LIGHT.keys() == DARK.keys()
