"""What every figure must be, worked out slowly from a list of what happened, with dates and plain Python.

It shares no line with the code that it judges: it walks through days one by one, where that counts columns. What it
says is the register's formula in words, read as a person would.
"""

from __future__ import annotations

import datetime as dt
import math
import statistics
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

DAY = dt.timedelta(days=1)
HISTORY = 56  # days back that are remembered of activity
KNOWN = 366  # days back that vacations are known of
PAUSE = dt.timedelta(minutes=30)


@dataclass(frozen=True, slots=True)
class Happened:
    """A qualifying event in a permitted system."""

    at: dt.datetime
    kind: str = "page"
    weight: int = 1


@dataclass(frozen=True, slots=True)
class Piece:
    """Work that must be handed in by `due`, an extension included; None where it has not come."""

    due: dt.datetime
    handed_in: dt.datetime | None = None


@dataclass(frozen=True, slots=True)
class Mark:
    """Whether the student came to a timetabled event."""

    day: dt.date
    attended: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class History:
    """All that is known of a student on a module; moments know their offset from UTC.

    Attributes:
        start: first day on which activity could be seen at all.
        since: first day from which on it could be seen without a break.
        vacations: first and last days.
        zone: of the institution, whose local dates count.
    """

    start: dt.date
    since: dt.date
    happened: Sequence[Happened] = ()
    work: Sequence[Piece] = ()
    marks: Sequence[Mark] = ()
    vacations: Sequence[tuple[dt.date, dt.date]] = ()
    zone: dt.tzinfo = dt.UTC

    def day(self, at: dt.datetime) -> dt.date:
        """The local date of a moment."""
        return at.astimezone(self.zone).date()


def figures(history: History, now: dt.datetime) -> dict[str, float | str]:
    """Every figure that needs no cohort, by its name: the value, or why it cannot be said."""
    asked = _Asked(history, now)
    return {
        "days-since-last-activity": asked.days_since_last_activity(),
        "active-days-7": len(asked.active(7)),
        "active-days-14": len(asked.active(14)),
        "active-days-28": len(asked.active(28)),
        "volume-7": asked.volume(asked.window(7)),
        "volume-28": asked.volume(asked.window(28)),
        "own-trend": asked.own_trend(),
        "sessions-7": len(asked.sessions()),
        "session-minutes-7": asked.session_minutes(),
        "regularity": asked.regularity(),
        "longest-gap": asked.longest_gap(),
        "breadth": asked.breadth(),
        "time-to-first-activity": asked.time_to_first_activity(),
        "late-work": asked.late_work(),
        "missing-work": asked.missing_work(),
        "attendance": asked.attendance(),
    }


def made_from(history: History, now: dt.datetime) -> dict[str, dict[str, float]]:
    """What figures that can be said were made from, by name; those that are not here were made from nothing else."""
    asked, told = _Asked(history, now), figures(history, now)
    week, before = asked.window(7), asked.window(28)[7:]
    marks = asked.marks()
    inputs: dict[str, dict[str, float]] = {
        "own-trend": {"last-week": asked.volume(week), "weeks-before": asked.volume(before) / 3},
        "session-minutes-7": {"sessions": len(asked.sessions())},
        "regularity": {"active-days": len(asked.active(28))},
        "late-work": {"due": len(asked.fallen_due())},
        "missing-work": {"due": len(asked.fallen_due())},
        "attendance": {"attended": sum(marks), "expected": len(marks)},
    }
    return {name: values for name, values in inputs.items() if not isinstance(told[name], str)}


def weekly_active_days(history: History, now: dt.datetime) -> tuple[int, ...]:
    """Active days in each of eight times seven days, the last of which ends today."""
    active = {history.day(h.at) for h in history.happened}
    weeks = [[history.day(now) - (7 * back + day) * DAY for day in range(7)] for back in range(8)]
    return tuple(sum(day in active for day in week) for week in reversed(weeks))


def arrears(history: History, now: dt.datetime) -> int:
    """Of all work that has fallen due: two for what has not come, one for what came late."""
    fallen = [piece for piece in history.work if piece.due <= now]
    return sum(2 if p.handed_in is None else int(p.handed_in > p.due) for p in fallen)


class _Asked:
    """A history as it is asked about at a moment."""

    def __init__(self, history: History, now: dt.datetime) -> None:
        self.history, self.now, self.today = history, now, history.day(now)
        self.happened = [(history.day(h.at), h) for h in history.happened]
        days_back = (self.today - back * DAY for back in range(KNOWN))
        self.counting = [day for day in days_back if self.counts(day)]

    def counts(self, day: dt.date) -> bool:
        """Whether windows count the day; of long ago no vacations are known."""
        known = self.today - day < KNOWN * DAY
        return not (known and any(first <= day <= last for first, last in self.history.vacations))

    def window(self, days: int) -> list[dt.date]:
        """The last so many days that count, newest first, as far as is remembered."""
        return [day for day in self.counting[:days] if self.today - day < HISTORY * DAY]

    def days_after(self, day: dt.date) -> Iterator[dt.date]:
        """The days that count after a day, today included."""
        while day < self.today:
            day += DAY
            if self.counts(day):
                yield day

    def could_be_seen(self, days: int) -> bool:
        """Whether all of the last so many days that count lie in the time that could be seen."""
        return sum(1 for _ in self.days_after(self.history.since - DAY)) >= days

    def active(self, days: int) -> set[dt.date]:
        """Days of the window with any activity."""
        return {day for day, _ in self.happened} & set(self.window(days))

    def volume(self, days: Sequence[dt.date]) -> int:
        """Sum of the weights on these days."""
        wanted = set(days)
        return sum(h.weight for day, h in self.happened if day in wanted)

    def days_since_last_activity(self) -> float:
        last = max([self.history.since, *(day for day, _ in self.happened)])
        return sum(1 for _ in self.days_after(last))

    def own_trend(self) -> float | str:
        if not self.could_be_seen(28):
            return "window-not-full"
        week, month = self.window(7), self.window(28)
        usual = self.volume([day for day in month if day not in week]) / 3
        return math.log((self.volume(week) + 1) / (usual + 1))

    def sessions(self) -> list[tuple[dt.datetime, dt.datetime]]:
        """First and last moments of the sessions that began in the last seven days."""
        spells: list[list[dt.datetime]] = []
        for moment in sorted(h.at.astimezone(dt.UTC) for _, h in self.happened):
            if spells and moment - spells[-1][-1] <= PAUSE:
                spells[-1].append(moment)
            else:
                spells.append([moment])
        week = self.window(7)
        return [(spell[0], spell[-1]) for spell in spells if self.history.day(spell[0]) in week]

    def session_minutes(self) -> float | str:
        lengths = [(last - first) / dt.timedelta(minutes=1) for first, last in self.sessions()]
        return statistics.median(lengths) if lengths else "no-sessions"

    def regularity(self) -> float | str:
        weekdays = Counter(day.weekday() for day in self.active(28))
        days = weekdays.total()
        if days < 5:
            return "too-few-active-days"
        return 1 + sum(n / days * math.log(n / days) for n in weekdays.values()) / math.log(7)

    def longest_gap(self) -> float | str:
        if not self.could_be_seen(28):
            return "window-not-full"
        active = self.active(28)
        runs = "".join("." if day in active else "s" for day in self.window(28)).split(".")
        return max(map(len, runs))

    def breadth(self) -> int:
        fortnight = self.window(14)
        return len({h.kind for day, h in self.happened if day in fortnight})

    def time_to_first_activity(self) -> float:
        history = self.history
        first = min((day for day, _ in self.happened), default=None)
        begun = history.start if first is not None and first < history.since else history.since
        return sum(1 for day in self.days_after(begun) if first is None or day <= first)

    def fallen_due(self) -> list[Piece]:
        month = self.window(28)
        return [p for p in self.history.work if month and self.history.day(p.due) >= month[-1] and p.due <= self.now]

    def late_work(self) -> float | str:
        due = self.fallen_due()
        return sum(p.handed_in is not None and p.handed_in > p.due for p in due) if due else "no-due-work"

    def missing_work(self) -> float | str:
        due = self.fallen_due()
        return sum(p.handed_in is None for p in due) if due else "no-due-work"

    def marks(self) -> list[bool]:
        return [mark.attended for mark in self.history.marks if mark.day in self.window(14)]

    def attendance(self) -> float | str:
        marks = self.marks()
        return 100 * sum(marks) / len(marks) if marks else "no-marks"
