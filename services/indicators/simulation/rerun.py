"""A stack's whole history once more, through the very code that the shards run, in memory."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from services.indicators.domain.cohort import INDEX_PARTS, merge
from services.indicators.handlers import Partition
from services.indicators.handlers.students import Student
from services.indicators.simulation.loads import Alert
from services.kernel.clock import day_number
from services.kernel.dead_letters import RawRecord
from services.kernel.errors import ConfigurationError, InvalidMessage
from services.kernel.events import CohortCounted, SupportTriggered
from services.kernel.register import Register
from services.kernel.settings import Settings

Told = Callable[[int], None]  # how many records more


class Log(Protocol):
    """What there is to replay, by partition; `history.History` reads it from a stack."""

    @property
    def partitions(self) -> Sequence[int]:
        """Their numbers."""
        ...

    def consents(self, partition: int) -> Iterator[RawRecord]:
        """All consents, in order."""
        ...

    def enrolments(self, partition: int) -> Iterator[RawRecord]:
        """All enrolments, in order."""
        ...

    def events(self, partition: int) -> Iterator[Sequence[RawRecord]]:
        """Batches of events and ticks, in order."""
        ...


@dataclass(frozen=True, slots=True)
class Run:
    """What a register would have raised, and the last tick that it judged."""

    alerts: Sequence[Alert]
    end_ms: int


def rerun(log: Log, register: Register, settings: Settings, told: Told) -> Run:
    """Replay all partitions by a register, as of the students' present consents: what has expired since is left out.

    Raises:
        ConfigurationError: the register declares what there is no code for, or a consent cannot be read.
        TransientError: the broker does not answer.
    """
    replayed = [_Replayed.begun(log, number, Partition(register, settings, number=number)) for number in log.partitions]
    all_wait = True
    while all_wait:
        waits = [one.go_on(told) for one in replayed]
        all_wait = all(waits)
        if all_wait:
            _compare(replayed)
        for one in replayed:
            one.take()
    alerts = [alert for one in replayed for alert in one.alerts()]
    return Run(alerts, max(one.partition.clock_ms for one in replayed))


def _compare(replayed: Sequence[_Replayed]) -> None:
    """Let those go on that wait for the earliest week; all have counted it that have come to it."""
    day = min(one.partition.waiting for one in replayed if one.partition.waiting is not None)
    waiting = [one.partition for one in replayed if one.partition.waiting == day]
    counted = [record for partition in waiting for record in partition.counted if isinstance(record, CohortCounted)]
    norms = merge(day, counted, INDEX_PARTS)
    for partition in waiting:
        partition.compare(norms)


@dataclass(slots=True)
class _Replayed:
    """A partition, its students with a consent, what of its log is not applied yet, and the episodes that began."""

    partition: Partition
    students: Mapping[str, Student]
    batches: Iterator[Sequence[RawRecord]]
    rest: Sequence[RawRecord] = field(default_factory=list)
    opened: list[SupportTriggered] = field(default_factory=list)

    @classmethod
    def begun(cls, log: Log, number: int, partition: Partition) -> _Replayed:
        students: dict[str, Student] = {}
        for record in log.consents(number):
            try:
                student = partition.consent(record)
            except InvalidMessage as error:
                raise ConfigurationError(
                    f"consent-state[{number}]@{record.offset} cannot be read ({error.reason}), and every worker halts"
                    " there too: `signpost consent republish` writes the state anew, then try again"
                ) from error
            students[student.name] = student
        for record in log.enrolments(number):
            partition.enrolments(record)
        partition.reconcile()
        return cls(partition, students, log.events(number))

    def go_on(self, told: Told) -> bool:
        """Apply what can be; gives whether it waits for the others, and has not come to the end of its log."""
        while self.partition.waiting is None:
            if not self.rest:
                batch = next(self.batches, None)
                if batch is None:
                    return False
                self.rest = batch
            done = self.partition.apply(self.rest, consent_is_complete=True)
            told(done)
            self.rest = self.rest[done:]
        return True

    def take(self) -> None:
        """Keep which episodes have begun since the last time."""
        self.opened += (t for t in self.partition.changes(publish=False).triggers if t.state == "opened")
        self.partition.flushed()

    def alerts(self) -> Iterator[Alert]:
        """Those of them that rest on what may be told still, at the end of the log."""
        for t in self.opened:
            if self.students[t.student].permitted.tutor.keys() >= set(t.sources):
                yield Alert(t.student, t.rule, day_number(t.day))
