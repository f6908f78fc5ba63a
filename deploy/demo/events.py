"""What a replay is made of: days in order, each with its events in the door's native form."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from zoneinfo import ZoneInfo

from msgspec import Struct


class Event(Struct, frozen=True, omit_defaults=True):
    """A native event, one line of `POST /v1/events`.

    Attributes:
        id: the same whenever the same term is made again.
        student: the institution's person id.
        at: ISO 8601 local time with its offset.
        weight: how many single actions it stands for.
    """

    id: str
    student: str
    module: str
    activity: str
    at: str
    weight: int = 1


@dataclass(frozen=True, slots=True)
class Day:
    """A local day and what happened on it, in order of time; a quiet day has no events."""

    date: dt.date
    events: Sequence[Event]


@dataclass(frozen=True, slots=True)
class Span:
    """Local days of the institution, counted from 0."""

    first_day: dt.date
    days: int
    zone: ZoneInfo

    def date(self, day: int) -> dt.date:
        """The date of a day, which may lie outside."""
        return self.first_day + dt.timedelta(days=day)

    def moment(self, day: int, second: int = 0) -> dt.datetime:
        """A second of the clock on a day."""
        time = dt.time(second // 3600, second // 60 % 60, second % 60)
        return dt.datetime.combine(self.date(day), time, self.zone)


@dataclass(frozen=True, slots=True)
class Term:
    """A stretch of days to replay.

    Attributes:
        name: stable; under it a replay's start is remembered.
        span: when it is.
        days: every day of the span, in order.
    """

    name: str
    span: Span
    days: Iterable[Day]
