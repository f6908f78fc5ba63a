"""Several partitions in memory that exchange their counts as through the topic, in whatever order a test wants."""

from __future__ import annotations

import itertools
import random
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

from services.indicators.adapters.weeks import Weeks
from services.indicators.handlers import Partition
from services.indicators.ports import Position
from services.kernel.clock import DAY_MS, HOUR_MS
from services.kernel.codec import encode
from services.kernel.consents import COHORT_IMPROVEMENT, INDIVIDUAL_INDICATORS, TUTOR_NOTIFY
from services.kernel.events import (
    ActivityRecorded,
    ClockTicked,
    CohortClosed,
    CohortCounted,
    ConsentStateChanged,
    SupportTriggered,
)
from services.kernel.kafka import partition_of
from tests.support.partitions import REGISTER, SETTINGS, Record
from tests.support.partitions import record as as_record
from tests.support.students import START_MS, activity, consent, enrolled, student_of

K = TypeVar("K")
EVERYTHING = (INDIVIDUAL_INDICATORS, TUTOR_NOTIFY, COHORT_IMPROVEMENT)
_offsets = itertools.count()


@dataclass
class Running:
    """A partition that goes on from record to record, with all that it has written so far."""

    number: int
    partition: Partition
    log: list[Record]
    done: int = 0
    position: Position = field(default_factory=Position)
    states: dict[str, bytes] = field(default_factory=dict)
    kept: dict[bytes, bytes] = field(default_factory=dict)
    indicators: dict[str, bytes] = field(default_factory=dict)
    triggers: list[SupportTriggered] = field(default_factory=list)
    counted: list[CohortCounted | CohortClosed] = field(default_factory=list)


class Exchange:
    """Partitions with a log each; students are in the partition that Kafka would put them in."""

    def __init__(
        self, consents: Iterable[ConsentStateChanged], events: Iterable[ActivityRecorded | ClockTicked], partitions: int
    ) -> None:
        self._partitions = partitions
        self.norms = Weeks(partitions)
        self.norms.want(0, 0)
        logs: list[list[Record]] = [[] for _ in range(partitions)]
        for event in events:
            mine = range(partitions) if isinstance(event, ClockTicked) else (self.place_of(event.student),)
            for number in mine:
                logs[number].append(as_record(event))
        self._consents = list(consents)
        self.running = [Running(number, self._new(number), log) for number, log in enumerate(logs)]

    def consent(self, changed: ConsentStateChanged) -> None:
        """A student decides anew; at once, wherever the partition is."""
        self._consents.append(changed)
        self.running[self.place_of(changed.student)].partition.consent(as_record(changed))

    def step(self, number: int, records: int, *, flush: bool = True) -> bool:
        """Let a partition go on by at most so many records; gives whether it could."""
        one = self.running[number]
        if (day := one.partition.waiting) is not None:
            norms = self.norms.norms(day)
            if norms is None:
                return False
            one.partition.compare(norms)
        applied = one.partition.apply(one.log[one.done : one.done + records])
        one.done += applied
        if flush or one.partition.waiting is not None:
            self.flush(number)
        return True

    def until(self, at_ms: int) -> None:
        """Let all come to a moment."""
        while behind := [one.number for one in self.running if one.partition.clock_ms < at_ms]:
            went_on = [self.step(number, 1) for number in behind]
            assert any(went_on), "all wait for each other"

    def alone_to_end(self, number: int) -> None:
        """Let one partition come to its end, with what the others have said already."""
        one = self.running[number]
        while one.done < len(one.log) or one.partition.waiting is not None:
            assert self.step(number, 10_000), f"waits for {self.norms.missing(one.partition.waiting or 0)}"

    def told(self, number: int, said: CohortCounted | CohortClosed) -> None:
        """A record that stands in the topic."""
        self.norms.take(Record(next(_offsets), None, encode(said), number))

    def place_of(self, student: str) -> int:
        """The student's partition."""
        return partition_of(student, self._partitions)

    def crash(self, number: int) -> None:
        """Lose all that was not flushed, and go on from there."""
        one = self.running[number]
        one.partition, one.done = self._new(number, one), one.position.offset

    def flush(self, number: int) -> None:
        """Write all that has changed."""
        while self.running[number].partition.changed:
            self._flush(self.running[number])

    def _flush(self, one: Running) -> None:
        changes = one.partition.changes()
        one.position = one.partition.position(one.done)
        _write(one.states, changes.states)
        _write(one.indicators, changes.indicators)
        _write(one.kept, changes.cohorts)
        one.triggers += changes.triggers
        one.counted += changes.norms
        for said in changes.norms:
            self.told(one.number, said)
        one.partition.flushed()

    def to_end(self, random_: random.Random | None = None) -> None:
        """Let all come to the ends of their logs: in turn, or in random steps, with random restarts."""
        while behind := [
            one.number for one in self.running if one.done < len(one.log) or one.partition.waiting is not None
        ]:
            if random_ is None:
                went_on = [self.step(number, 10_000) for number in behind]
                assert any(went_on), "all wait for each other"
            else:
                number = random_.choice(behind)
                self.step(number, random_.randint(1, 300), flush=random_.random() < 0.5)
                if random_.random() < 0.1:
                    self.crash(number)
        for one in self.running:
            self.flush(one.number)

    @property
    def outcome(self) -> dict[str, object]:
        """All that is left behind, in a form that compares."""
        triggers = [trigger for one in self.running for trigger in one.triggers]
        return {
            "states": {key: value for one in self.running for key, value in one.states.items()},
            "norms": [one.kept for one in self.running],
            "indicators": {key: value for one in self.running for key, value in one.indicators.items()},
            "triggers": sorted(triggers, key=lambda t: (t.student, t.raised_ms, t.id, t.state)),
            "counted": [one.counted for one in self.running],
        }

    def _new(self, number: int, before: Running | None = None) -> Partition:
        made = Partition(REGISTER, SETTINGS, before.position if before else None, number=number)
        kept = {key.encode(): value for key, value in before.states.items()} | before.kept if before else {}
        made.restore(kept)
        for changed in self._consents:
            if self.place_of(changed.student) == number:
                made.consent(as_record(changed))
                made.enrolments(as_record(enrolled(changed.student)))
        made.reconcile()
        return made


def students(number: int) -> list[str]:
    """So many pseudonyms."""
    return [student_of(f"cohort-{n}") for n in range(number)]


def consenting(names: Sequence[str]) -> list[ConsentStateChanged]:
    """Consents to everything."""
    return [consent(name, purposes=EVERYTHING) for name in names]


def weeks(names: Sequence[str], number: int, seed: int = 1) -> list[ActivityRecorded | ClockTicked]:
    """Weeks with two ticks each, in which later students tend to do more, and the first three fade after a week."""
    random_ = random.Random(seed)
    events: list[ActivityRecorded | ClockTicked] = [ClockTicked(at_ms=START_MS + HOUR_MS)]
    for day in range(7 * number):
        at_ms = START_MS + day * DAY_MS
        for place, name in enumerate(names):
            fades = place < 3 and day > 7
            if not fades and random_.random() < 0.5:
                events.append(activity(name, at_ms + random_.randrange(2, 23) * HOUR_MS, day, weight=40 + 2 * place))
        if (day + 1) % 7 in {0, 3}:
            events.append(ClockTicked(at_ms=at_ms + DAY_MS + HOUR_MS))
    return events


def _write(into: dict[K, bytes], changes: Mapping[K, bytes | None]) -> None:
    for key, value in changes.items():
        if value is None:
            into.pop(key, None)
        else:
            into[key] = value
