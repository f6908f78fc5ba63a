"""The life cycle of a yes: it ends by date, or with a text that changed materially, and the student is asked in time.

A student is reminded of what ends first, and whatever ends within the renewal period after it goes along: a *first*
reminder on a day of the renewal period that a hash of the student chooses, so that a whole year's students come evenly;
a *last* one some days before the end; one when it has *ended*. Who has been told or has decided since a reminder's
period began is not told again, and what ended longer ago than `LATE_DAYS` is let be: nobody is written to about a
term that is long over. Pure; time is an argument.
"""

from __future__ import annotations

import datetime as dt
import hashlib
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal
from zoneinfo import ZoneInfo

from services.consent.domain.decisions import Cell, ConsentEvent, Decision, State, Via, ruling
from services.kernel.clock import DAY_MS, HOUR_MS, midnight_ms
from services.kernel.ids import deterministic_id

Kind = Literal["first", "last", "ended", "notice-changed"]
LIFE_CYCLE = Via("life-cycle", actor="signpost")
LATE_DAYS = 7
_OPENS_MS, _OPEN_MS = 9 * HOUR_MS, 8 * HOUR_MS  # reminders come from nine to five


@dataclass(frozen=True, slots=True)
class Texts:
    """Which versions of the notice count now.

    Attributes:
        material: the newest in force that changed something material; `material_ms` is since when.
        outdated: those before it; a yes under them no longer holds.
    """

    in_force: str
    material: str
    material_ms: int
    outdated: frozenset[str]


@dataclass(frozen=True, slots=True)
class Sent:
    """A reminder that was sent."""

    kind: Kind
    until_ms: int
    at_ms: int


@dataclass(frozen=True, slots=True)
class Reminder:
    """A reminder that is due: about which cells, the first of which ends or ended at `until_ms`."""

    student: str
    kind: Kind
    until_ms: int
    language: str
    cells: tuple[Cell, ...]

    @property
    def id(self) -> str:
        """The same whenever it is found due."""
        return deterministic_id("renewal", self.student, self.kind, self.until_ms)

    @property
    def reason(self) -> Literal["ending", "ended", "notice-changed"]:
        """Why it is sent."""
        return "ending" if self.kind in {"first", "last"} else "ended" if self.kind == "ended" else "notice-changed"

    def requested(self, texts: Texts, now_ms: int) -> list[Decision]:
        """That the student was asked, cell by cell."""
        shown = texts.in_force, self.language
        asked = (Decision(*cell, "requested", now_ms, None, *shown, channel="life-cycle") for cell in self.cells)
        return [LIFE_CYCLE.of(decision) for decision in asked]


@dataclass(frozen=True, slots=True)
class Due:
    """What has to be done about a student now.

    Attributes:
        ends: grants that ended or no longer hold.
        next_ms: when there is something to do again if nothing is decided before; None for never.
    """

    ends: tuple[Decision, ...]
    reminder: Reminder | None
    next_ms: int | None


@dataclass(frozen=True, slots=True)
class Moments:
    """When a student's reminders of an end may be sent: each from its own moment on until the next one's."""

    first: int
    last: int
    ended: int
    over: int

    def kind(self, now_ms: int) -> Kind | None:
        """The one whose time it is."""
        kinds: tuple[Kind, ...] = ("first", "last", "ended")
        spans = zip(kinds, pairwise(self.all), strict=True)
        return next((kind for kind, (begin, end) in spans if begin <= now_ms < end), None)

    @property
    def all(self) -> tuple[int, int, int, int]:
        """All of them, in their order."""
        return self.first, self.last, self.ended, self.over


@dataclass(frozen=True, slots=True)
class Schedule:
    """When students are reminded.

    Attributes:
        zone: in which days and hours are counted.
        renewal_days, last_reminder_days: before an end; the first is the larger by two or more.
        per_minute: at most so many students are reminded in a minute, by all instances together.
    """

    zone: ZoneInfo
    renewal_days: int
    last_reminder_days: int
    per_minute: int

    def moments(self, student: str, until_ms: int) -> Moments:
        """A student's moments for an end; the first one's day is spread by a hash over the renewal period."""
        chance = int(hashlib.sha256(student.encode()).hexdigest()[:16], 16)
        end_day = dt.datetime.fromtimestamp(until_ms // 1000, self.zone).date()
        earliest = self.renewal_days - 1  # days before: on the day before that, it could not be renewed yet
        days = max(1, earliest - self.last_reminder_days)
        last = min(self._at(end_day, self.last_reminder_days, chance), until_ms)
        return Moments(
            first=min(self._at(end_day, earliest - chance % days, chance // days), last),
            last=last,
            ended=max(self._at(end_day, 0, chance), until_ms),
            over=until_ms + LATE_DAYS * DAY_MS,
        )

    def _at(self, end_day: dt.date, days_before: int, chance: int) -> int:
        return midnight_ms(end_day - dt.timedelta(days=days_before), self.zone) + _OPENS_MS + chance % _OPEN_MS


@dataclass(frozen=True, slots=True)
class Life:
    """A student's history, oldest first, and the reminders that they got."""

    student: str
    history: Sequence[ConsentEvent]
    sent: Sequence[Sent]

    def decided_since(self, at_ms: int) -> bool:
        """Whether the student, or somebody for them, has said something since."""
        own = (e for e in self.history if e.decision.channel != "life-cycle" and e.decision.state != "requested")
        return any(event.made_ms >= at_ms for event in own)

    def told_since(self, at_ms: int, *kinds: Kind) -> bool:
        """Whether a reminder of one of these kinds was sent since."""
        return any(reminder.at_ms >= at_ms and reminder.kind in kinds for reminder in self.sent)

    def due(self, now_ms: int, schedule: Schedule, texts: Texts) -> Due:
        """What has to be done about the student."""
        rules = ruling(self.history)
        ends = tuple(_ends(rules, now_ms, texts))
        gone = {decision.cell for decision in ends if decision.state == "invalidated"}
        held = {cell: event for cell, event in rules.items() if cell not in gone and _until(event) is not None}
        coming = [_until(event) for event in held.values() if event.decision.state == "given"]
        reminder = self._asked_again(rules, gone, now_ms, texts)
        if first_ms := _first_end(held.values(), now_ms):
            moments = schedule.moments(self.student, first_ms)
            coming += moments.all
            kind = moments.kind(now_ms)
            if reminder is None and kind and not self._needs_no(kind, first_ms, schedule):
                reminder = self._reminder(kind, held, first_ms, schedule)
        return Due(ends, reminder, min((at for at in coming if at is not None and at > now_ms), default=None))

    def _needs_no(self, kind: Kind, until_ms: int, schedule: Schedule) -> bool:
        if any((reminder.kind, reminder.until_ms) == (kind, until_ms) for reminder in self.sent):
            return True  # also where the settings, and so the periods, have changed since
        last_ms = until_ms - schedule.last_reminder_days * DAY_MS
        if kind == "ended":
            return self.told_since(last_ms, "ended") or self.decided_since(until_ms)
        moments = schedule.moments(self.student, until_ms)
        first = min(moments.first, until_ms - schedule.renewal_days * DAY_MS)
        began_ms = first if kind == "first" else min(moments.last, last_ms)
        return self.told_since(began_ms, "first", "last", "ended") or self.decided_since(began_ms)

    def _reminder(self, kind: Kind, held: Mapping[Cell, ConsentEvent], first_ms: int, schedule: Schedule) -> Reminder:
        within = range(first_ms, first_ms + schedule.renewal_days * DAY_MS)
        cells = tuple(sorted(cell for cell, event in held.items() if _until(event) in within))
        language = next(event.decision.language for event in held.values() if _until(event) == first_ms)
        return Reminder(self.student, kind, first_ms, language, cells)

    def _asked_again(
        self, rules: Mapping[Cell, ConsentEvent], gone: Collection[Cell], now_ms: int, texts: Texts
    ) -> Reminder | None:
        """The reminder that a new text asks again what the student had said yes to."""
        if any(reminder.kind == "notice-changed" and reminder.until_ms == texts.material_ms for reminder in self.sent):
            return None
        before = [
            event.decision
            for event in rules.values()
            if event.decision.state == "invalidated" and event.decision.notice in texts.outdated
        ]
        since_ms = min((decision.from_ms for decision in before), default=now_ms)
        cells = tuple(sorted({decision.cell for decision in before} | set(gone)))
        if not cells or (not gone and self.decided_since(since_ms)):
            return None
        return Reminder(self.student, "notice-changed", texts.material_ms, rules[cells[0]].decision.language, cells)


def _ends(rules: Mapping[Cell, ConsentEvent], now_ms: int, texts: Texts) -> Iterator[Decision]:
    """The ends to record; a grant that was over when it was registered says so itself."""
    for event in rules.values():
        decision = event.decision
        if decision.state != "given" or decision.until_ms is None or decision.until_ms <= event.recorded_ms:
            continue
        if decision.until_ms <= now_ms:
            yield _ended(decision, "expired", decision.until_ms)
        elif decision.notice in texts.outdated:
            yield _ended(decision, "invalidated", now_ms)


def _ended(grant: Decision, state: State, at_ms: int) -> Decision:
    shown = grant.notice, grant.language
    return LIFE_CYCLE.of(Decision(*grant.cell, state, at_ms, None, *shown, channel="life-cycle"))


def _first_end(held: Iterable[ConsentEvent], now_ms: int) -> int | None:
    """The first end that is not long over."""
    ends = (at for event in held if (at := _until(event)) is not None)
    return min((at for at in ends if at + LATE_DAYS * DAY_MS > now_ms), default=None)


def _until(event: ConsentEvent) -> int | None:
    """When the grant that rules the cell, or ruled it to its end, ends or ended."""
    return event.decision.from_ms if event.decision.state == "expired" else event.decision.until_ms
