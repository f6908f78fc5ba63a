"""What a replay is made of: days in order, each with its events in the door's native form."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from zoneinfo import ZoneInfo

from msgspec import Struct

VLE, ASSESSMENT, ATTENDANCE = "vle", "assessment", "attendance"
SOURCES = (VLE, ASSESSMENT, ATTENDANCE)  # what the demo's systems report


class Event(Struct, frozen=True, omit_defaults=True):
    """A native event, one line of `POST /v1/events`.

    Attributes:
        id: the same whenever the same term is made again.
        student: the institution's person id.
        at: ISO 8601 local time with its offset.
        weight: how many single actions it stands for.
        assessment: the piece of work that was handed in.
    """

    id: str
    student: str
    module: str
    activity: str
    at: str
    weight: int = 1
    assessment: str | None = None


@dataclass(frozen=True, slots=True)
class Day:
    """A local day and what arrives on it, in order of time; a quiet day has no events.

    Attributes:
        by_source: the events that systems of each kind send.
    """

    date: dt.date
    by_source: Mapping[str, Sequence[Event]]

    @property
    def events(self) -> Sequence[Event]:
        """All of them, in order of time."""
        return sorted(chain.from_iterable(self.by_source.values()), key=in_order)

    @property
    def heard_ms(self) -> dict[str, int]:
        """The time of the last event of each source that has any."""
        last = {source: events[-1].at for source, events in self.by_source.items() if events}
        return {source: int(dt.datetime.fromisoformat(at).timestamp() * 1000) for source, at in last.items()}


def in_order(event: Event) -> tuple[str, str]:
    """What a day's events are sorted by."""
    return event.at, event.id


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
