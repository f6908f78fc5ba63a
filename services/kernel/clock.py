"""Time as an input: where "now" comes from, and which local day a moment belongs to."""

from __future__ import annotations

import datetime as dt
import time
from collections.abc import Callable
from functools import lru_cache
from typing import Literal, Protocol
from zoneinfo import ZoneInfo

DAY_MS = 86_400_000
HOUR_MS = 3_600_000
MINUTE_MS = 60_000
LATEST_MS = 253_370_764_799_999  # the end of 9998: calendars know the days of 9999, and of no later year
_SLOT_MS = 900_000  # zones change their offset on a quarter of an hour, never within one
_EPOCH = dt.date(1970, 1, 1)


def moment_ms(text: str) -> int:
    """The moment of an ISO 8601 date and time with its offset, in milliseconds.

    Raises:
        ValueError: it "is no ISO 8601 date and time", "has no offset from UTC", "is before 1970", or "is after 9998".
    """
    try:
        at = dt.datetime.fromisoformat(text)
    except ValueError as error:
        raise ValueError("is no ISO 8601 date and time") from error
    if at.tzinfo is None:
        raise ValueError("has no offset from UTC")
    at_ms = (at - dt.datetime(1970, 1, 1, tzinfo=dt.UTC)) // dt.timedelta(milliseconds=1)
    if at_ms < 0:
        raise ValueError("is before 1970")
    if at_ms > LATEST_MS:
        raise ValueError("is after 9998")
    return at_ms


class Clock(Protocol):
    """Says what time it is, in milliseconds since 1970-01-01 UTC."""

    def now_ms(self) -> int:
        """The present moment."""
        ...


class SystemClock:
    """The machine's clock."""

    def now_ms(self) -> int:
        """The present moment."""
        return time.time_ns() // 1_000_000


class StreamClock:
    """A clock that stands where the stream has come to, and never runs backwards."""

    def __init__(self, at_ms: int = 0) -> None:
        self._at_ms = at_ms

    def now_ms(self) -> int:
        """The latest moment that the stream has reached; 0 before the first."""
        return self._at_ms

    def advance(self, at_ms: int) -> None:
        """Go forward to `at_ms`; an earlier moment changes nothing."""
        self._at_ms = max(self._at_ms, at_ms)


def service_clock(mode: Literal["live", "replay"], stream: StreamClock) -> Clock:
    """The clock by which a service judges whether a grant still holds."""
    return SystemClock() if mode == "live" else stream


def local_days(zone: ZoneInfo) -> Callable[[int], int]:
    """A fast function from milliseconds to the local day, as days since 1970-01-01."""

    @lru_cache(maxsize=1 << 16)
    def day_of_slot(slot: int) -> int:
        moment = dt.datetime.fromtimestamp(slot * _SLOT_MS / 1000, zone)
        return (moment.date() - _EPOCH).days

    return lambda at_ms: day_of_slot(at_ms // _SLOT_MS)


def iso_day(day: int) -> str:
    """The ISO date of a day number."""
    return (_EPOCH + dt.timedelta(days=day)).isoformat()


def day_number(iso: str) -> int:
    """The day number of an ISO date."""
    return (dt.date.fromisoformat(iso) - _EPOCH).days


def midnight_ms(date: dt.date, zone: ZoneInfo) -> int:
    """The first moment of a local day, in milliseconds."""
    return int(dt.datetime.combine(date, dt.time(), zone).timestamp() * 1000)
