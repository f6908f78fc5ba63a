"""Several partitions in memory, with topics between them: what is flushed is there for the others and for a restart."""

from __future__ import annotations

import random
from collections.abc import Iterable

from services.indicators.adapters.weeks import Weeks
from services.indicators.handlers import Partition
from services.kernel.codec import decoder
from services.kernel.events import (
    ActivityRecorded,
    ClockTicked,
    ConsentStateChanged,
    EnrolmentsChanged,
    SupportTriggered,
)
from services.kernel.kafka import partition_of
from services.kernel.register import Register
from services.kernel.topics import ACTIVITY_EVENTS
from tests.support.logs import Log
from tests.support.model_checks import Durable
from tests.support.partitions import REGISTER, SETTINGS, Record, record

PARTITIONS = 3
decode = decoder(ACTIVITY_EVENTS)
_SLICE = 60  # records at most, between two choices


class Member:
    """One partition with its part of the topics; `offset` is the next event to read."""

    def __init__(self, number: int, register: Register = REGISTER) -> None:
        self.number, self._register = number, register
        self.consents: list[Record] = []
        self.enrolments: list[Record] = []
        self.events: list[Record] = []
        self.spans: list[tuple[int, int]] = []  # of each consent, from and up to which event it may be read
        self.told = 0  # consents that were read
        self.durable = Durable()
        self.triggers: list[SupportTriggered] = []
        self.offset = 0

    def start(self) -> None:
        """Begin, or begin again from the last flush, with all consents that were written by now."""
        self.partition = Partition(self._register, SETTINGS, self.durable.position, number=self.number)
        self.partition.restore(self.durable.kept)
        for taken in self.consents[: self.told]:
            self.partition.consent(taken)
        for taken in self.enrolments:
            self.partition.enrolments(taken)
        self.partition.reconcile()
        self.offset = self.durable.position.offset

    def apply(self, number: int) -> None:
        """Apply some events, with the consents that they wait for, and those that are due by then."""
        while (last := self._last_before_next_consent) <= self.offset and self.told < len(self.spans):
            self.tell()
        records = self.events[self.offset : min(self.offset + number, last)]
        done = self.partition.apply(records)
        while done < len(records) and self.partition.waiting is None:
            self.tell()
            done += self.partition.apply(records[done:])
        self.offset += done

    @property
    def may_tell(self) -> bool:
        """Whether the next consent is written by now."""
        return self.told < len(self.spans) and self.spans[self.told][0] <= self.offset

    @property
    def _last_before_next_consent(self) -> int:
        return self.spans[self.told][1] if self.told < len(self.spans) else len(self.events)

    def tell(self) -> None:
        """Read the next consent."""
        self.partition.consent(self.consents[self.told])
        self.told += 1

    def flush(self) -> None:
        """One transaction."""
        self.durable.flush(self.partition, self.offset)
        self.triggers += self.durable.triggers

    @property
    def done(self) -> bool:
        """Whether it has come to the end of its events, and waits for nothing."""
        return self.offset == len(self.events) and self.partition.waiting is None


class Cluster:
    """All partitions of a log.

    A consent is read at some time between the two ticks around it, or before all else where it is older than those.
    """

    def __init__(self, log: Log) -> None:
        self.members = [Member(number) for number in range(PARTITIONS)]
        for state in log.consents:
            self._of(state).consents.append(record(state))
        for enrolled in log.enrolments:
            self._of(enrolled).enrolments.append(record(enrolled))
        for part in log.slices:
            for event in part.events:
                self._of(event).events.append(record(event))
            for member in self.members:
                member.events.append(record(part.tick))
        for state in log.consents:
            self._of(state).spans.append(_span(self._of(state).events, state.changed_ms))
        for member in self.members:
            member.start()

    def run(self, random_: random.Random, restarts: float = 0.0, eager: float = 0.0) -> None:
        """Go to the end: who goes on, by how much, when it flushes and is started anew is drawn."""
        while not all(member.done for member in self.members):
            member = random_.choice([member for member in self.members if not member.done])
            if member.partition.waiting is None:
                member.apply(random_.randint(1, _SLICE))
            else:
                self._compare(member)
            if member.may_tell and random_.random() < eager:
                member.tell()
            if random_.random() < 0.3:
                member.flush()
            if random_.random() < restarts:
                member.start()
        for member in self.members:
            while member.told < len(member.consents):
                member.tell()
            member.flush()

    def _compare(self, member: Member) -> None:
        """Go on where all have counted; what is counted is there for others once it is flushed."""
        day = member.partition.waiting
        assert day is not None
        member.flush()
        weeks = Weeks(PARTITIONS)
        weeks.want(member.number, day)
        for one in self.members:
            for counted in one.durable.norms:
                weeks.take(Record(0, None, record(counted).value, one.number))
        norms = weeks.norms(day)
        if norms is not None:
            member.partition.compare(norms)

    def _of(self, said: ActivityRecorded | ConsentStateChanged | EnrolmentsChanged) -> Member:
        return self.members[partition_of(said.student, PARTITIONS)]

    @property
    def states(self) -> dict[bytes, bytes]:
        """The state topic's last values."""
        return {key: value for member in self.members for key, value in _numbered(member)}

    @property
    def indicators(self) -> dict[str, bytes]:
        """The last published record of each student."""
        return {student: value for member in self.members for student, value in member.durable.indicators.items()}

    @property
    def triggers(self) -> list[SupportTriggered]:
        """All, in a fixed order."""
        said = (trigger for member in self.members for trigger in member.triggers)
        return sorted(said, key=lambda t: (t.student, t.raised_ms, t.id, t.state))


def _span(events: list[Record], at_ms: int) -> tuple[int, int]:
    """Between which events a moment lies: after the tick before it, and up to the tick that follows."""
    first = 0
    for index, taken in enumerate(events):
        event = decode(taken.value or b"")
        if isinstance(event, ClockTicked):
            if event.at_ms > at_ms:
                return (first, index) if first else (0, 0)
            first = index + 1
    return first, len(events)


def _numbered(member: Member) -> Iterable[tuple[bytes, bytes]]:
    return ((key if key[:1] != b"\0" else b"%d" % member.number + key, v) for key, v in member.durable.kept.items())
