"""A partition in memory, driven as a shard drives it, with a stop-watch at each stage."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import NamedTuple

from services.kernel.codec import decoder
from services.kernel.register import load_register
from services.kernel.settings import Settings
from services.kernel.topics import ACTIVITY_EVENTS
from tests.bench.indicators.workload import Day, Keyed, Workload
from tests.support.partitions import Alone

_decode = decoder(ACTIVITY_EVENTS)
_FETCHED = 5_000  # records that a shard takes at once


class Read(NamedTuple):
    """A record as a shard reads it."""

    offset: int
    key: bytes | None
    value: bytes | None
    partition: int = 0


class Stages:
    """Seconds of processor time by stage.

    Attributes:
        seconds: by stage; "decode" is also within "count".
        events: that were applied.
        sweeps_s: of each tick.
        written_bytes: of states and indicators, all flushes together.
        published: students' figures.
    """

    def __init__(self) -> None:
        self.seconds: defaultdict[str, float] = defaultdict(float)
        self.events = 0
        self.sweeps_s: list[float] = []
        self.written_bytes = 0
        self.published = 0

    @contextmanager
    def measured(self, stage: str) -> Iterator[None]:
        """Add what is done within it to the stage."""
        began = time.process_time()
        yield
        self.seconds[stage] += time.process_time() - began


class InMemory:
    """The first partition of a workload, in memory; the others' students are left out.

    Attributes:
        partition: it.
        stages: what its stages took.
    """

    def __init__(self, workload: Workload, settings: Settings | None = None) -> None:
        self.settings = settings or Settings()
        self.partition = Alone(load_register(), self.settings)
        self.stages = Stages()
        self._workload, self._offset, self._unflushed = workload, 0, 0
        with self.stages.measured("load"):
            for record in self._reads(workload.consents()[0]):
                self.partition.consent(record)
            for record in self._reads(workload.enrolments()[0]):
                self.partition.enrolments(record)
            self.partition.reconcile()

    def run(self, advance: Callable[[int], object] = lambda _: None) -> None:
        """The whole term."""
        for day in self._workload.term():
            self.day(day)
            advance(len(day.events[0]))
        self.publish()

    def day(self, day: Day) -> None:
        """A day's events in fetches as large as a shard's, then the tick that ends it."""
        reads = list(self._reads(day.events[0]))
        with self.stages.measured("decode"):
            for read in reads:
                _decode(read.value or b"")
        for begin in range(0, len(reads), _FETCHED):
            fetched = reads[begin : begin + _FETCHED]
            with self.stages.measured("count"):
                self.partition.apply(fetched, consent_is_complete=True)
            self._unflushed += len(fetched)
            if self._unflushed >= self.settings.indicators.flush_events:
                self.flush()
        self.stages.events += len(reads)
        self.tick(day.tick)

    def tick(self, value: bytes) -> None:
        """The in-band clock goes on."""
        began = time.process_time()
        with self.stages.measured("sweep"):
            self.partition.apply([Read(self._next(), None, value)], consent_is_complete=True)
        self.stages.sweeps_s.append(time.process_time() - began)

    def flush(self) -> None:
        """What a transaction writes while there is much to catch up with: no figures yet."""
        with self.stages.measured("states"):
            changes = self.partition.changes(publish=False)
            self.partition.flushed()
        self.stages.written_bytes += _bytes(changes.states)
        self._unflushed = 0

    def publish(self) -> None:
        """Everybody's figures, as at the end of catching up, and the states beside them."""
        while self.partition.changed or self.partition.owes:
            with self.stages.measured("publish"):
                changes = self.partition.changes()
                self.partition.flushed()
            self.stages.published += len(changes.indicators)
            self.stages.written_bytes += _bytes(changes.states) + _bytes(changes.indicators)
        self._unflushed = 0

    def _reads(self, records: Iterable[Keyed]) -> Iterator[Read]:
        return (Read(self._next(), record.key, record.value) for record in records)

    def _next(self) -> int:
        self._offset += 1
        return self._offset - 1


def _bytes(values: Mapping[str, bytes | None]) -> int:
    return sum(len(value or b"") for value in values.values())
