"""A place's figures from its days, as every peer in Python computes them."""

from __future__ import annotations

from collections.abc import Mapping

DAY_MS = 86_400_000
WINDOWS = (7, 14, 28)
LONGEST = max(WINDOWS)
ABSENT_DAYS = 14


def figures(volumes: Mapping[int, int], today: int, last_day: int) -> dict[str, int]:
    """Active days and volume by window, and the days since the last activity; `volumes` are by day."""
    said = {"days_since_last_activity": today - last_day}
    for window in WINDOWS:
        found = [volume for day, volume in volumes.items() if today - window < day <= today and volume]
        said |= {f"active_days_{window}": len(found), f"volume_{window}": sum(found)}
    return said
