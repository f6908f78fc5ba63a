"""Chance that comes out the same whenever it is asked for the same."""

from __future__ import annotations

import random


def chance(*parts: str | int) -> random.Random:
    """A stream of pseudo-random numbers that depends on nothing but `parts`."""
    return random.Random("/".join(map(str, parts)))  # noqa: S311 - it has to be repeatable, not secret
