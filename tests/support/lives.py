"""Random terms of one student: as the records that a partition takes, and as the history that the reference reads.

A life has everything that makes counting hard: several systems, some not permitted or only later; events that come
late, twice or in no order; weights; leave; work with extensions, handed in early, late or never; marks; a change of the
clocks.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from random import Random
from zoneinfo import ZoneInfo

from services.kernel.clock import DAY_MS, HOUR_MS, MINUTE_MS
from services.kernel.consents import INDIVIDUAL_INDICATORS, TUTOR_NOTIFY
from services.kernel.events import (
    ActivityRecorded,
    ConsentStateChanged,
    Due,
    Enrolment,
    EnrolmentsChanged,
    Grant,
    Leave,
)
from tests.support.reference import DAY, Happened, History, Mark, Piece
from tests.support.students import MODULE, START_DAY, START_MS, activity

ZONE = ZoneInfo("Europe/London")
START = dt.date.fromisoformat(START_DAY)
WEEKS = 16  # over the night in which the clocks go forward
ALL_OF_IT_MS = 365 * DAY_MS
_LATEST_MS = 46 * HOUR_MS  # after it happened an event still counts, and whenever the next tick comes
_WORK_DAYS = 28
_SOURCES = {
    "vle": ("page", "forum", "quiz", "login"),
    "library": ("resource",),
    "lecture-capture": ("recording",),
    "attendance": ("attended", "absent"),
}


def moment(at_ms: int) -> dt.datetime:
    """A moment of the contracts."""
    return dt.datetime.fromtimestamp(at_ms / 1000, dt.UTC)


@dataclass(frozen=True, slots=True)
class Life:
    """A student's term.

    Attributes:
        granted_ms: by source, from when on it is permitted; what is not permitted is not there.
        arrived: events with when they come, in that order, some of them twice.
        handed_in: by name of the work.
    """

    student: str
    place: Enrolment
    granted_ms: dict[str, int]
    arrived: Sequence[tuple[int, ActivityRecorded]]
    vacations: Sequence[tuple[dt.date, dt.date]]

    @property
    def consent(self) -> ConsentStateChanged:
        """What the student permits, all the time."""
        grants = tuple(
            Grant(purpose=purpose, source=source, from_ms=from_ms, until_ms=START_MS + ALL_OF_IT_MS, notice="2026-1")
            for source, from_ms in self.granted_ms.items()
            for purpose in (INDIVIDUAL_INDICATORS, TUTOR_NOTIFY)
        )
        return ConsentStateChanged(student=self.student, version=1, changed_ms=START_MS, grants=grants)

    @property
    def enrolments(self) -> EnrolmentsChanged:
        """The module."""
        return EnrolmentsChanged(student=self.student, version=1, enrolments=(self.place,))

    def history(self, now_ms: int) -> History:
        """All of it that has arrived by a moment and may be counted."""
        today = moment(now_ms).astimezone(ZONE).date()
        counted = {event.id: event for at_ms, event in self.arrived if at_ms <= now_ms and self._permits(event)}
        first_grant = min(self.granted_ms.values())
        start = max(dt.date.fromisoformat(self.place.start_day), moment(first_grant).astimezone(ZONE).date())
        returns = [dt.date.fromisoformat(leave.last_day) + DAY for leave in self.place.leave]
        return History(
            start=start,
            since=max([start, *(day for day in returns if day <= today)]),
            happened=[Happened(moment(e.occurred_ms), e.activity, e.weight) for e in counted.values() if e.qualifying],
            work=list(self._work(counted.values())),
            marks=[
                Mark(moment(e.occurred_ms).astimezone(ZONE).date(), attended=e.activity == "attended")
                for e in counted.values()
                if e.source == "attendance"
            ],
            vacations=self.vacations,
            zone=ZONE,
        )

    def _permits(self, event: ActivityRecorded) -> bool:
        return event.source in self.granted_ms and event.occurred_ms >= self.granted_ms[event.source]

    def _work(self, counted: Iterable[ActivityRecorded]) -> Iterator[Piece]:
        """Work that can be judged: hand-ins could be seen long enough before it fell due."""
        if "assessment" not in self.granted_ms:
            return
        granted = moment(self.granted_ms["assessment"]).astimezone(ZONE).date()
        start = dt.date.fromisoformat(self.place.start_day)
        first = granted + _WORK_DAYS * DAY if granted > start else start
        handed_in: dict[str, int] = {}
        for event in counted:
            if event.assessment is not None and event.source == "assessment":
                before = handed_in.get(event.assessment, event.occurred_ms)
                handed_in[event.assessment] = min(before, event.occurred_ms)
        for due in self.place.due:
            by = moment(max(due.due_ms, due.extended_ms or 0))
            if by.astimezone(ZONE).date() >= first:
                came = handed_in.get(due.assessment)
                yield Piece(by, None if came is None else moment(came))


def life(random: Random, student: str, vacations: Sequence[tuple[dt.date, dt.date]]) -> Life:
    """A term of that student."""
    due = tuple(_due(random, number) for number in range(random.randrange(2, 12)))
    place = Enrolment(
        module=MODULE,
        start_day=START_DAY,
        end_day=(START + 7 * WEEKS * DAY).isoformat(),
        part_time=random.random() < 0.3,
        leave=tuple(_leave(random) for _ in range(random.choice((0, 0, 1, 2)))),
        due=due,
    )
    sources = [source for source in (*_SOURCES, "assessment") if random.random() < 0.7] or ["vle"]
    granted_ms = {s: START_MS + random.choice((-1, -1, 3, 30)) * DAY_MS + 10 * HOUR_MS for s in sources}
    happened = [*_activity(random, student), *_hand_ins(random, student, due)]
    arrived = [(e.occurred_ms + random.choice((0, random.randrange(_LATEST_MS))), e) for e in happened]
    again = [(at_ms + random.randrange(10 * MINUTE_MS), e) for at_ms, e in arrived if random.random() < 0.1]
    return Life(student, place, granted_ms, sorted(arrived + again, key=lambda a: (a[0], a[1].id)), vacations)


def _leave(random: Random) -> Leave:
    first = START + random.randrange(-3, 7 * WEEKS) * DAY
    return Leave(first_day=first.isoformat(), last_day=(first + random.randrange(21) * DAY).isoformat())


def _due(random: Random, number: int) -> Due:
    due_ms = START_MS + random.randrange(7 * WEEKS * 24) * HOUR_MS
    extended_ms = random.choice((None, None, due_ms + 3 * DAY_MS, due_ms - DAY_MS))
    return Due(assessment=f"work-{number}", due_ms=due_ms, extended_ms=extended_ms)


def _activity(random: Random, student: str) -> Iterator[ActivityRecorded]:
    """Spells of activity on some days: more on some weekdays, none in some weeks."""
    eager, serial = [random.random() for _ in range(7)], 0
    silent = random.randrange(WEEKS)
    for day in range(7 * WEEKS):
        if silent <= day // 7 < silent + 3 or random.random() > eager[day % 7] * 0.6:
            continue
        at_ms = START_MS + day * DAY_MS + random.randrange(24 * 60) * MINUTE_MS
        for _ in range(random.randrange(1, 8)):
            source = random.choice(list(_SOURCES))
            kind = random.choice(_SOURCES[source])
            said = {"source": source, "activity": kind, "weight": random.choice((1, 1, 7, 250))}
            yield activity(student, at_ms, serial, qualifying=kind not in {"login", "absent"}, **said)
            at_ms += random.choice((0, 5, 20, 29, 30, 31, 90)) * MINUTE_MS + random.choice((0, 1))
            serial += 1


def _hand_ins(random: Random, student: str, due: Sequence[Due]) -> Iterator[ActivityRecorded]:
    for number, piece in enumerate(due):
        for again in range(random.choice((0, 1, 1, 2))):
            at_ms = max(piece.due_ms + random.choice((-5, -1, 0, 1, 2, 9)) * DAY_MS, START_MS)
            said: dict[str, object] = {"source": "assessment", "activity": "assignment", "assessment": piece.assessment}
            said["qualifying"] = random.random() < 0.8  # what a register calls no activity is handed in all the same
            yield activity(student, at_ms + again * HOUR_MS, 9_000 + 10 * number + again, **said)
