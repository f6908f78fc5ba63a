"""By when a request has to be answered. Pure; days are local dates of the institution.

- The rights of UK GDPR, Articles 15 to 22: one month from the day of receipt to the same day of the next month, or
  its last day where there is no such day; three months where extended (Articles 12(3) and 12A).
- A complaint: acknowledged within 30 days, the day of receipt not counted (Data Protection Act 2018, section 164A);
  answered "without undue delay", for which the institution sets itself a number of days.
- A change of consent: a number of days that the institution sets itself.

The days between a pause and its end, and between an answer and a reopening, do not count. A last day at a weekend or
on a holiday moves to the next working day. `docs/requests.md` gives the sources.
"""

from __future__ import annotations

import datetime as dt
from calendar import monthrange
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from typing import Literal
from zoneinfo import ZoneInfo

from services.consent.domain.requests.request import RIGHTS, Request

COMPLAINT_ACKNOWLEDGED_DAYS = 30
_MONTHS, _EXTENDED_MONTHS = 1, 3
_STOPS = frozenset({"paused", "answered", "refused", "withdrawn"})
_STARTS = frozenset({"resumed", "reopened"})
_SATURDAY = 5


@dataclass(frozen=True, slots=True)
class DeadlineRules:
    """What the institution sets: its zone, its holidays, and its own measure where the law gives no figure."""

    zone: ZoneInfo
    consent_change_days: int
    complaint_days: int
    holidays: AbstractSet[dt.date] = frozenset()

    def day_of(self, at_ms: int) -> dt.date:
        """The local date of a moment."""
        return dt.datetime.fromtimestamp(at_ms // 1000, self.zone).date()


@dataclass(frozen=True, slots=True)
class Deadline:
    """The next thing that has to be done, and its last day.

    Attributes:
        day: while the clock stands still, the last day if it went on today.
        days_left: from today to `day`; negative once it is missed.
        running: whether the clock runs; while it does not, nothing is overdue.
    """

    task: Literal["acknowledge", "answer"]
    day: dt.date
    days_left: int
    running: bool

    @property
    def overdue(self) -> bool:
        """Whether it is missed."""
        return self.running and self.days_left < 0


def deadline(request: Request, now_ms: int, rules: DeadlineRules) -> Deadline:
    """What has to be done next, and by when; of a closed request, what held when it was closed."""
    closed = request.last("answered", "refused", "withdrawn") if request.closed else None
    today = rules.day_of(closed.at_ms if closed else now_ms)
    task: Literal["acknowledge", "answer"] = "answer"
    if request.kind == "complaint" and not request.acknowledged and not closed:
        task = "acknowledge"
        last = _received(request) + dt.timedelta(days=COMPLAINT_ACKNOWLEDGED_DAYS)
    else:
        last = _last_day(request, today, rules, extended=request.last("extended") is not None)
    day = next_working_day(last, rules.holidays)
    return Deadline(task, day, (day - today).days, running=request.state == "open")


def may_extend(request: Request, now_ms: int, rules: DeadlineRules) -> bool:
    """Whether the time in which the student can be told of an extension is not over: the first month."""
    today = rules.day_of(now_ms)
    return request.kind in RIGHTS and today <= _last_day(request, today, rules, extended=False)


def stopped_days(request: Request, today: dt.date, rules: DeadlineRules) -> int:
    """Whole days on which the clock stood still, until today."""
    total, since = 0, None
    for event in request.events:
        if event.what in _STOPS and since is None:
            since = rules.day_of(event.at_ms)
        elif event.what in _STARTS and since is not None:
            total += (rules.day_of(event.at_ms) - since).days
            since = None
    return total + ((today - since).days if since is not None else 0)


def months_later(day: dt.date, months: int) -> dt.date:
    """The same day of a later month, or its last day where there is no such day."""
    year, month = divmod(day.year * 12 + day.month - 1 + months, 12)
    return dt.date(year, month + 1, min(day.day, monthrange(year, month + 1)[1]))


def next_working_day(day: dt.date, holidays: AbstractSet[dt.date]) -> dt.date:
    """The day itself, or the first after it that is no weekend day and no holiday."""
    while day.weekday() >= _SATURDAY or day in holidays:
        day += dt.timedelta(days=1)
    return day


def _last_day(request: Request, today: dt.date, rules: DeadlineRules, *, extended: bool) -> dt.date:
    """Before weekends and holidays are looked at."""
    received = _received(request)
    if request.kind in RIGHTS:
        nominal = months_later(received, _EXTENDED_MONTHS if extended else _MONTHS)
    else:
        own = rules.complaint_days if request.kind == "complaint" else rules.consent_change_days
        nominal = received + dt.timedelta(days=own)
    return nominal + dt.timedelta(days=stopped_days(request, today, rules))


def _received(request: Request) -> dt.date:
    return dt.date.fromisoformat(request.received_day)
