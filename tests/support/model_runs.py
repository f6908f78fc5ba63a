"""Random lives of a few students, through a partition and past the oracle, compared at every flush.

A run is made of steps: an event that comes in time, late, early or again; a tick; a consent that is told, changed,
withdrawn or told again, at once or later than the events of its time; a batch; a flush; a restart, with or without
what was flushed last. The door here lets everything through, so that the partition is what refuses.
"""

from __future__ import annotations

import random
from collections import Counter, deque
from collections.abc import Callable, Iterable
from typing import Any

from msgspec import structs

from services.indicators.adapters.weeks import Weeks
from services.indicators.handlers import Partition
from services.indicators.ports import Position
from services.kernel.clock import DAY_MS, HOUR_MS, MINUTE_MS, local_days
from services.kernel.codec import decoder
from services.kernel.events import (
    ActivityRecorded,
    ClockTicked,
    ConsentStateChanged,
    Enrolment,
    EnrolmentsChanged,
    Grant,
)
from services.kernel.register import Register
from services.kernel.settings import Settings
from services.kernel.topics import ACTIVITY_EVENTS
from tests.support.model_checks import Durable
from tests.support.model_oracle import INDIVIDUAL, TUTOR, Oracle
from tests.support.partitions import REGISTER, Record, record
from tests.support.students import START_DAY, START_MS, activity, student_of

SOURCES = ("vle", "assessment", "attendance")
PURPOSES = (INDIVIDUAL, TUTOR, "cohort-improvement")
KINDS: tuple[dict[str, Any], ...] = (
    *({"source": "vle", "activity": kind} for kind in ("page", "forum", "quiz")),
    {"source": "vle", "activity": "login", "qualifying": False},
    *({"source": "assessment", "activity": "assignment", "assessment": name} for name in ("essay-1", "essay-2", None)),
    {"source": "attendance", "activity": "attended"},
    {"source": "attendance", "activity": "absent", "qualifying": False},
)
MODULES = ("HIST101", "HIST102")
STUDENTS = tuple(student_of(f"model-{n}") for n in range(4))
END_DAY = "2026-12-18"
STEPS_A_RUN = 400
ABSENT_DAYS = 3.0  # so that episodes are frequent
SETTINGS = Settings()
MakePartition = Callable[[Register, Settings, Position], Partition]


def impatient_register() -> Register:
    """The register with one rule alone, on absence, that is soon fulfilled and has no hysteresis."""
    indicators = tuple(
        structs.replace(entry, watch=None, alert=ABSENT_DAYS, recovery=None)
        if entry.name == "days-since-last-activity"
        else structs.replace(entry, watch=None, alert=None, recovery=None)
        for entry in REGISTER.indicators
    )
    rule = structs.replace(REGISTER.rule["days-since-last-activity"], cool_down_days=0)
    sources = tuple(structs.replace(source, stale_after_hours=None) for source in REGISTER.sources)
    return structs.replace(REGISTER, indicators=indicators, rules=(rule,), thresholds=(), vacations=(), sources=sources)


IMPATIENT = impatient_register()
decode = decoder(ACTIVITY_EVENTS)


class Run:
    """One life of a few students: call `steps`; a breach is an `AssertionError`."""

    def __init__(self, seed: int, make: MakePartition = Partition) -> None:
        self._random = random.Random(seed)
        self._make = make
        self._oracle = Oracle(local_days(SETTINGS.institution.zone), ABSENT_DAYS)
        self._now_ms = START_MS - DAY_MS
        self._log: deque[Record] = deque()  # what the partition has not read yet
        self._unflushed: list[Record] = []  # what it would read again after a crash
        self._consents: dict[str, ConsentStateChanged | None] = {}  # as the topic has them
        self._undelivered: deque[tuple[str, ConsentStateChanged | None]] = deque()
        self._sent: list[tuple[int, ActivityRecorded]] = []
        self._durable = Durable()
        for student in STUDENTS:
            places = tuple(
                Enrolment(module=module, start_day=START_DAY, end_day=END_DAY)
                for module in self._random.sample(MODULES, self._random.randint(1, 2))
            )
            self._oracle.students[student].enrolments = places
        self._partition = self._new_partition()
        self.counts: Counter[str] = Counter()

    def steps(self, number: int = STEPS_A_RUN) -> None:
        """Take so many steps, and look once more at the end."""
        actions = self._random.choices(
            (self._event, self._again, self._tick, self._leap, self._decide, self._tell, self._batch, self._flush,
             self._restart, self._crash),
            (600, 50, 85, 12, 80, 45, 60, 40, 4, 4), k=number,
        )  # fmt: skip
        for action in actions:
            self.counts[action.__name__] += 1
            action()
        self._flush()

    def _event(self) -> None:
        random_, student = self._random, self._random.choice(STUDENTS)
        kind = random_.random()
        at_ms = self._now_ms - random_.randrange(30 * MINUTE_MS)
        if kind < 0.2:
            at_ms -= random_.randrange(80 * HOUR_MS)
        elif kind < 0.3:
            at_ms += random_.randrange(30 * HOUR_MS)
        known = self._consents.get(student)
        version = known.version if known else 1
        event = activity(
            student,
            at_ms,
            len(self._sent),
            module=random_.choice((*MODULES, "UNENROLLED") if kind > 0.95 else MODULES),
            weight=random_.randint(1, 99),
            consent_version=version if random_.random() < 0.8 else random_.randint(1, version),
            **random_.choice(KINDS),
        )
        self._sent.append((self._now_ms, event))
        self._log.append(record(event))

    def _again(self) -> None:
        """An event comes again; none that was ahead of its clock, which a grant made meanwhile could cover as well."""
        sent_ms, event = self._random.choice(self._sent[-60:]) if self._sent else (0, None)
        if event and event.occurred_ms <= sent_ms:
            self._log.append(record(event))

    def _tick(self) -> None:
        self._pass(self._random.randrange(1, 9 * HOUR_MS))

    def _leap(self) -> None:
        self._pass(self._random.randrange(DAY_MS, self._random.choice((9, 9, 9, 80)) * DAY_MS))

    def _pass(self, duration_ms: int) -> None:
        self._now_ms += duration_ms
        self._log.append(record(ClockTicked(at_ms=self._now_ms)))

    def _decide(self) -> None:
        """A student decides anew; what came of it stands in the topic, and is told now or later."""
        student = self._random.choice(STUDENTS)
        before = self._consents.get(student)
        state: ConsentStateChanged | None = ConsentStateChanged(
            student=student,
            version=before.version + 1 if before else self._random.randint(1, 3),
            changed_ms=self._now_ms,
            grants=tuple(self._decided(before.grants if before else ())),
        )
        if before and self._random.random() < 0.03:
            state = None
        self._consents[student] = state
        self._undelivered.append((student, state))
        if self._random.random() < 0.6:
            self._tell()

    def _decided(self, grants: Iterable[Grant]) -> list[Grant]:
        random_ = self._random
        choice, source, purpose = random_.random(), random_.choice(SOURCES), random_.choice(PURPOSES)
        standing = [g for g in grants if g.until_ms > self._now_ms]
        until_ms = self._now_ms + random_.choice((random_.randrange(6 * HOUR_MS, 12 * DAY_MS), 300 * DAY_MS))
        if choice < 0.1:
            return []
        if choice < 0.25:
            return [g for g in standing if g.source != source]
        if choice < 0.35:
            return [g for g in standing if (g.purpose, g.source) != (purpose, source)]
        if choice < 0.45:  # a renewal goes on where the grant stood
            return [structs.replace(g, until_ms=max(g.until_ms, until_ms)) for g in standing]
        chosen = random_.sample(SOURCES, random_.randint(1, 3))
        asked = PURPOSES if choice < 0.85 else (purpose,)
        given = [
            Grant(purpose=p, source=s, from_ms=self._now_ms, until_ms=until_ms, notice="2026-1")
            for p in asked
            for s in chosen
        ]
        kept = [g for g in standing if not any((g.purpose, g.source) == (n.purpose, n.source) for n in given)]
        return [*kept, *given]

    def _tell(self) -> None:
        """The partition reads the oldest consent that it has not read yet, or an old one once more."""
        if self._undelivered:
            self._take(*self._undelivered.popleft())
        elif self._consents:
            student = self._random.choice(list(self._consents))
            if self._consents[student] is not None:
                self._take(student, self._consents[student])

    def _take(self, student: str, state: ConsentStateChanged | None) -> None:
        self._partition.consent(consent_record(student, state))
        self._oracle.consent(student, state)

    def _batch(self) -> None:
        if self._partition.waiting is not None and self._random.random() < 0.7:
            self._compare()
        self._apply([self._log.popleft() for _ in range(min(len(self._log), self._random.randint(1, 40)))])

    def _apply(self, records: list[Record]) -> None:
        done = self._partition.apply(records)
        self._judge(records[:done])
        if done < len(records) and self._partition.waiting is None:
            assert self._is_ahead(decode(records[done].value or b"")), "it waited for a consent that it has"
            while self._undelivered:
                self._tell()
            self._judge(records[done : done + 1], complete=True)
            done += self._partition.apply(records[done : done + 1], consent_is_complete=True)
        self._unflushed += records[:done]
        self._log.extendleft(reversed(records[done:]))

    def _compare(self) -> None:
        """All partitions, which is this one alone, have counted."""
        self._flush()
        day = self._partition.waiting
        assert day is not None
        weeks = Weeks(1)
        weeks.want(0, day)
        for said in self._durable.norms:
            weeks.take(record(said))
        norms = weeks.norms(day)
        assert norms is not None, "it waits for what it did not count"
        self._partition.compare(norms)
        self._oracle.compared()

    def _judge(self, records: list[Record], *, complete: bool = False) -> None:
        for taken in records:
            event = decode(taken.value or b"")
            if isinstance(event, ClockTicked):
                self._oracle.tick(event.at_ms)
            else:
                assert complete or not self._is_ahead(event), "it did not wait for the consent that the door saw"
                self._oracle.event(event)

    def _is_ahead(self, event: ActivityRecorded | ClockTicked) -> bool:
        if isinstance(event, ClockTicked):
            return False
        known = self._oracle.latest(event.student)
        return known is None or known.version < event.consent_version

    def _flush(self) -> None:
        self._durable.flush(self._partition)
        assert self._oracle.memory.waiting == (self._partition.waiting is not None), "it waits, or does not"
        self._durable.check(self._oracle)
        self._oracle.flushed()
        self._unflushed = []

    def _restart(self) -> None:
        self._flush()
        self._crash()

    def _crash(self) -> None:
        self._log.extendleft(reversed(self._unflushed))
        self._unflushed = []
        self._oracle.crash()
        self._partition = self._new_partition()

    def _new_partition(self) -> Partition:
        made = self._make(IMPATIENT, SETTINGS, self._durable.position)
        made.restore(self._durable.kept)
        for student, state in self._consents.items():
            made.consent(consent_record(student, state))
        self._oracle.read_anew(self._consents)
        self._undelivered.clear()
        for student, known in self._oracle.students.items():
            made.enrolments(record(EnrolmentsChanged(student=student, version=1, enrolments=known.enrolments)))
        made.reconcile()
        return made


def consent_record(student: str, state: ConsentStateChanged | None) -> Record:
    """The consent as a record; of a deletion a tombstone."""
    return record(state) if state else Record(0, student.encode(), None)
