"""The in-band clock of a partition, and what follows from it: the local day, what is late, which days count."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from zoneinfo import ZoneInfo

import numpy as np

from services.indicators.domain.activity.sessions import PAUSE_MS
from services.indicators.domain.calendar import Calendar
from services.indicators.domain.places import HISTORY_DAYS, Ints
from services.kernel.clock import iso_day, local_days, midnight_ms

WORK_DAYS = 28  # counting days in which work fell due
_SESSION_DAYS = 7


@dataclass(frozen=True, slots=True, kw_only=True)
class Moment:
    """A local day, as of which places are gathered.

    Attributes:
        today: the day.
        begins_ms: [HISTORY_DAYS + 1]; when the local days today - HISTORY_DAYS + 1 … today + 1 begin.
        counting: as of `Places`.
        vacation: whether today is one.
    """

    today: int
    begins_ms: Ints
    counting: Ints
    vacation: bool

    @property
    def window_day(self) -> int:
        """The first of the last `WORK_DAYS` counting days."""
        return self.today - int(self.counting[:WORK_DAYS][-1])

    @property
    def lasting(self) -> tuple[Ints, Ints]:
        """Begin and end of the last seven counting days, ascending."""
        back = self.counting[:_SESSION_DAYS][::-1]
        at = HISTORY_DAYS - 1 - back[back < HISTORY_DAYS]
        return self.begins_ms[at], self.begins_ms[at + 1]

    def began_ms(self, days: Ints) -> Ints:
        """When local days began; the first that is held for earlier ones, the end of today for later ones."""
        at = np.clip(days - self.today + HISTORY_DAYS - 1, 0, HISTORY_DAYS)
        began: Ints = self.begins_ms[at]
        return began


class StreamTime:
    """The clock of the last tick; it never runs backwards.

    Attributes:
        at_ms: the moment; 0 before the first tick.
        today: its local day.
        horizon_ms: what happened before it is too late to count.
        open_day: the first local day that is not wholly before the horizon.
    """

    def __init__(self, zone: ZoneInfo, lateness_ms: int, calendar: Calendar, at_ms: int) -> None:
        self._zone, self._lateness_ms, self._calendar = zone, lateness_ms, calendar
        self.day_of = local_days(zone)
        self._moments: dict[int, Moment] = {}
        self._sessions_from_ms: dict[int, int] = {}  # of few moments at a time: many students change at one tick
        self.advance(at_ms)

    def advance(self, at_ms: int) -> None:
        """A tick has come."""
        self.at_ms = at_ms
        self.today = self.day_of(at_ms)
        self.horizon_ms = max(at_ms - self._lateness_ms, 0)
        self.open_day = self.day_of(self.horizon_ms)

    @property
    def today_ms(self) -> tuple[int, int]:
        """When the local day began and ends; before the first tick there is none."""
        begins_ms = self.moment.begins_ms
        return (int(begins_ms[-2]), int(begins_ms[-1])) if self.at_ms else (0, 0)

    @property
    def moment(self) -> Moment:
        """The local day of now."""
        return self._of_day(self.today)

    def open_day_at(self, at_ms: int) -> int:
        """What `open_day` was at a moment."""
        return self.day_of(max(at_ms - self._lateness_ms, 0))

    def sessions_from_ms(self, at_ms: int) -> int:
        """Sessions that ended before this were of no more use at a moment, and could not be lengthened either."""
        from_ms = self._sessions_from_ms.get(at_ms)
        if from_ms is None:
            if len(self._sessions_from_ms) > _SESSION_DAYS * 24:
                self._sessions_from_ms.clear()
            lasting, _ = self._of_day(self.day_of(at_ms)).lasting
            from_ms = min(int(lasting.min(initial=at_ms)), max(at_ms - self._lateness_ms, 0) - PAUSE_MS)
            self._sessions_from_ms[at_ms] = from_ms
        return from_ms

    def _of_day(self, day: int) -> Moment:
        if day not in self._moments:
            if len(self._moments) > _SESSION_DAYS:
                self._moments.clear()
            self._moments[day] = self._made(day)
        return self._moments[day]

    def _made(self, today: int) -> Moment:
        days = range(today - HISTORY_DAYS + 1, today + 2)
        begins = [midnight_ms(dt.date.fromisoformat(iso_day(day)), self._zone) if day > 0 else 0 for day in days]
        return Moment(
            today=today,
            begins_ms=np.array(begins, np.int64),
            counting=self._calendar.counting(today),
            vacation=self._calendar.vacation(today),
        )
