"""Which days count, and why a place is held: vacations, leave, the module's span, and feeds that are silent.

A day is a number, local days since 1970-01-01. Nothing here asks what day it is: it comes from the tick.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from zoneinfo import ZoneInfo

import numpy as np
from msgspec import Struct, field

from services.indicators.domain.places import CALENDAR_DAYS, NEVER, Bools, Ints
from services.kernel.clock import HOUR_MS, day_number, midnight_ms
from services.kernel.events import ClockTicked, Enrolment
from services.kernel.register import Register, Source

# Why no rule may begin to hold at a place; 0 where it may. The last three end what is open.
HELD = ("", "vacation", "before-start", "leave", "left", "module-over")
VACATION, BEFORE_START, LEAVE, LEFT, MODULE_OVER = range(1, len(HELD))
EXEMPT, FEED_STALE = "exempt", "feed-stale"  # these hold single rules, not the place
_ENDLESS = 1 << 40


class Calendar:
    """The vacations of the register, in the institution's local days."""

    def __init__(self, register: Register, zone: ZoneInfo) -> None:
        self._spans = tuple(
            (day_number(v.first_day.isoformat()), day_number(v.last_day.isoformat())) for v in register.vacations
        )
        self._spans_ms = tuple(
            (midnight_ms(v.first_day, zone), midnight_ms(v.last_day + dt.timedelta(days=1), zone))
            for v in register.vacations
        )

    def vacation(self, day: int) -> bool:
        """Whether nothing is expected of anybody on that day."""
        return any(first <= day <= last for first, last in self._spans)

    def counting(self, today: int) -> Ints:
        """[at most CALENDAR_DAYS]; how many days back the days outside vacations are, ascending; for `Places`."""
        back = np.arange(CALENDAR_DAYS, dtype=np.int64)
        for first, last in self._spans:
            back = back[(today - back < first) | (today - back > last)]
        return back

    def counted_ms(self, from_ms: int, until_ms: int) -> int:
        """How much of a span of time lies outside vacations."""
        free = sum(max(0, min(until_ms, last) - max(from_ms, first)) for first, last in self._spans_ms)
        return until_ms - from_ms - free


@dataclass(frozen=True, slots=True, kw_only=True)
class Spans:
    """When n places run.

    Attributes:
        start_day, end_day: [n]; the first and the last day of the module for the student.
        left_day: [n]; the first day after leaving; NEVER where the student has not left.
        leave_first, leave_last: [n, k]; spans of leave, filled up with NEVER.
    """

    start_day: Ints
    end_day: Ints
    left_day: Ints
    leave_first: Ints
    leave_last: Ints

    @classmethod
    def of(cls, enrolments: Sequence[Enrolment | None]) -> Spans:
        """The spans of the places of these enrolments; None is one that there is no longer: it was left."""
        width = max((len(e.leave) for e in enrolments if e), default=0)
        leave = np.full((2, len(enrolments), width), NEVER, np.int64)
        days = np.tile(np.array([[0], [_ENDLESS], [0]], np.int64), len(enrolments))
        for row, enrolment in enumerate(enrolments):
            if enrolment is None:
                continue
            left = NEVER if enrolment.left_day is None else day_number(enrolment.left_day)
            days[:, row] = day_number(enrolment.start_day), day_number(enrolment.end_day), left
            for column, span in enumerate(enrolment.leave):
                leave[:, row, column] = day_number(span.first_day), day_number(span.last_day)
        return cls(start_day=days[0], end_day=days[1], left_day=days[2], leave_first=leave[0], leave_last=leave[1])

    def held(self, today: int, *, vacation: bool) -> Ints:
        """[n]; why each place is held as an index of `HELD`; 0 where it runs.

        What ends an episode goes before what only holds it.
        """
        on_leave = ((self.leave_first <= today) & (today <= self.leave_last)).any(axis=1)
        left = (self.left_day != NEVER) & (self.left_day <= today)
        reasons = [left, self.end_day < today, on_leave, self.start_day > today]
        codes = [LEFT, MODULE_OVER, LEAVE, BEFORE_START]
        return np.select(reasons, codes, default=VACATION if vacation else 0)

    def since_day(self, today: int, granted_day: Ints, back_day: Ints) -> tuple[Ints, Ints]:
        """[n] each; `start_day` and `since_day` of `Places`: seen at all, and seen without a break.

        Args:
            today: the local day.
            granted_day: [n]; of the first grant.
            back_day: [n]; on which the last of the place's feeds was back; NEVER where none was away.
        """
        start = np.maximum(self.start_day, granted_day)
        returned = np.where(self.leave_last < today, self.leave_last + 1, 0).max(axis=1, initial=0)
        return start, np.maximum(np.maximum(start, returned), back_day)


class Feed(Struct, array_like=True):
    """What is known of one source's systems.

    Attributes:
        heard_ms: when they last sent anything; 0 for never.
        stale: whether they were silent for too long at the last tick.
        back_day: the local day of the tick at which they were heard again; NEVER where they never fell silent.
    """

    heard_ms: int = 0
    stale: bool = False
    back_day: int = NEVER


class Feeds(Struct, array_like=True):
    """Which sources are silent for too long, by what ticks say was heard of them.

    It is kept with the shard's position. Silence in a vacation is no sign of anything. Several doors may write a tick
    for the same moment, each with what it heard itself; the later ones are repeated ticks, and count at the next.

    Attributes:
        sources: by name, all that were ever watched.
        named: by the ticks of the last moment; what they do not name and the next tick neither is watched no more.
    """

    sources: dict[str, Feed] = field(default_factory=dict)
    named: list[str] = field(default_factory=list)

    def hear(self, heard: Mapping[str, int]) -> None:
        """Take in what a tick says was heard, also a repeated one."""
        for source, at_ms in heard.items():
            feed = self.sources.setdefault(source, Feed())
            feed.heard_ms = max(feed.heard_ms, at_ms)
        self.named = sorted({*self.named, *heard})

    def tick(self, tick: ClockTicked, today: int, sources: Mapping[str, Source], calendar: Calendar) -> None:
        """Judge at a new tick which sources are stale, and from which day on one is back.

        Args:
            tick: later than all before.
            today: its local day.
            sources: the register's, by name.
            calendar: of the same register.
        """
        self.hear(tick.heard)
        watched, self.named = set(self.named), sorted(tick.heard)
        for source, feed in self.sources.items():
            entry = sources.get(source)
            hours = entry.stale_after_hours if entry and source in watched else None
            stale = hours is not None and calendar.counted_ms(feed.heard_ms, tick.at_ms) >= hours * HOUR_MS
            if feed.stale and not stale:
                feed.back_day = today
            feed.stale = stale

    def stale(self, sources: Iterable[str]) -> Bools:
        """[s]; which of the sources are stale."""
        return np.array([self.sources.get(source, Feed()).stale for source in sources], np.bool_)

    def back_day(self, sources: Sequence[str], permitted: Bools) -> Ints:
        """[n]; the last day on which a permitted source of the place was back; NEVER where none was away.

        Args:
            sources: s names.
            permitted: [n, s].
        """
        back = np.array([self.sources.get(source, Feed()).back_day for source in sources], np.int64)
        last: Ints = np.where(permitted, back, NEVER).max(axis=1, initial=NEVER)
        return last
