"""What one reading of a log took, and the medians of several."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec


class Measured(msgspec.Struct, frozen=True):
    """One reading; the processor's time hardly depends on what else the machine had to do."""

    events_per_s: float
    cpu_us_per_event: float
    peak_memory_bytes: int


def medians(rounds: Mapping[str, Sequence[Measured]]) -> dict[str, Any]:
    """By variant: the median speed and processor's time, the most memory, and each round's speed."""
    return {
        "events_per_s": {
            name: round(statistics.median(one.events_per_s for one in found)) for name, found in rounds.items()
        },
        "cpu_us_per_event": {
            name: round(statistics.median(one.cpu_us_per_event for one in found), 2) for name, found in rounds.items()
        },
        "peak_memory_bytes": {name: max(one.peak_memory_bytes for one in found) for name, found in rounds.items()},
        "rounds": {name: [round(one.events_per_s) for one in found] for name, found in rounds.items()},
    }
