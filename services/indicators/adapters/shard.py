"""A shard: one owned partition, read, judged and written in Kafka transactions.

Everything that one flush changes (student states, published indicators, triggers, dead letters, the position in the
log) is one transaction; see `transactions`.
"""

from __future__ import annotations

import asyncio
import gc
import time
from collections.abc import Callable

import msgspec
from aiokafka.errors import KafkaError

from services.indicators.adapters.gauges import Gauges
from services.indicators.adapters.norms import NormsReader, Wait
from services.indicators.adapters.reading import Reading
from services.indicators.adapters.transactions import POSITION_KEY, Transactions
from services.indicators.handlers import Partition
from services.indicators.ports import Position
from services.kernel.dead_letters import RawRecord
from services.kernel.errors import InvalidMessage
from services.kernel.logs import log
from services.kernel.metrics import IndicatorMetrics
from services.kernel.settings import Settings
from services.kernel.topics import ACTIVITY_EVENTS, CONSENT_STATE, ENROLMENTS, INDICATORS_STATE

CATCHING_UP_RECORDS = 10_000  # with more than these to read, fewer and larger transactions, and nothing is published
CATCHING_UP_FLUSH_S = 10.0
MOST_STATES = 20_000  # that wait to be written, since a withdrawal's transaction waits for the one before
GAUGE_S = 1.0
_PATIENCE_S = 0.2  # with norms, between two looks at the consents
_log = log(__name__)
_read_position = msgspec.json.Decoder(Position).decode


class Shard:
    """Owns a partition until cancelled; whatever Kafka says, it starts again from the last committed transaction.

    Attributes:
        problem: what keeps it from working, for the health check; None while it works.
    """

    def __init__(
        self,
        partition: int,
        settings: Settings,
        new_partition: Callable[[int, Position], Partition],
        norms: NormsReader,
        metrics: IndicatorMetrics,
    ) -> None:
        self._number, self._settings, self._metrics = partition, settings, metrics
        self._new_partition, self._norms = new_partition, norms
        self._gauges = Gauges(partition, metrics)
        self._wait: Wait | None = None
        self._problem: str | None = "it has not read its state yet"

    @property
    def problem(self) -> str | None:
        """What keeps it from working, for the health check; None while it works."""
        return self._problem or (self._wait.problem if self._wait else None)

    async def run(self) -> None:
        """Work; ends only by cancellation or by an error that nobody foresaw."""
        try:
            while True:
                try:
                    await self._own()
                except (KafkaError, InvalidMessage) as error:
                    _obey_cancellation(error)
                    self._problem = f"{type(error).__name__}: {error}"
                    self._metrics.restarts.labels(type(error).__name__).inc()
                    _log.warning("shard_lost", partition=self._number, error=repr(error))
                    # Another owner may have fenced this one: let the group settle before taking over again.
                    await asyncio.sleep(self._settings.kafka.session_timeout_s)
        finally:
            self._norms.want(self._number, None)
            self._gauges.forget()

    async def _own(self) -> None:
        self._transactions = Transactions(self._number, self._settings, self._metrics)
        self._reading = Reading(self._number, self._settings)
        self._wait = None
        try:
            await self._transactions.start()  # fences the previous owner and settles its open transaction
            await self._reading.start()
            await self._load()
            self._problem = None
            while True:
                await self._round()
                _obey_cancellation()
        finally:
            await asyncio.gather(self._transactions.stop(), self._reading.stop(), return_exceptions=True)

    async def _load(self) -> None:
        started = time.monotonic()
        gc.unfreeze()  # what another shard here left behind can go
        states = await self._reading.last_values(INDICATORS_STATE)
        raw = states.pop(POSITION_KEY, None)
        position = _read_position(raw) if raw else Position()
        self._partition = self._new_partition(self._number, position)
        self._gauges.taken_over(position, self._partition.position(position.offset))
        self._partition.restore(states)
        for topic, take in ((CONSENT_STATE, self._partition.consent), (ENROLMENTS, self._partition.enrolments)):
            async for record in self._reading.to_end(topic):
                take(record)
        self._partition.reconcile()
        self._norms.want(self._number, self._partition.next_week)
        self._position = await self._reading.go_on(position.offset)
        if self._reading.outside:
            self._metrics.restarts.labels("PositionOutsideLog").inc()
        self._rest: list[RawRecord] = []  # read, and not yet applied since norms are waited for
        self._unflushed, self._oldest_ms = 0, 0
        self._consents_ms: list[int] = []
        self._obeyed: dict[str, int] = {}  # versions to give receipts for; those read until here are asked for
        self._flushed_at = time.monotonic()
        self._set_gauges()
        gc.freeze()  # what was just read lives as long as the shard: no need to look through it again and again
        self._metrics.recovery.observe(time.monotonic() - started)
        _log.info("shard_ready", partition=self._number, students=len(states), seconds=time.monotonic() - started)

    async def _round(self) -> None:
        """Consents first, then enrolments, then some events: a withdrawal never waits behind a backlog."""
        for record in await self._reading.some(CONSENT_STATE, 0):
            self._take_consent(record)
        waiting = self._partition.waiting is not None
        topics = (CONSENT_STATE, ENROLMENTS) if waiting or self._rest else (CONSENT_STATE, ENROLMENTS, ACTIVITY_EVENTS)
        hurry = waiting or self._rest or self._obeyed
        found = await self._reading.round(topics, timeout_ms=0 if hurry else 50)
        for record in found.get(CONSENT_STATE, ()):
            self._take_consent(record)
        for record in found.get(ENROLMENTS, ()):
            self._partition.enrolments(record)
        if records := self._rest or found.get(ACTIVITY_EVENTS):
            await self._apply(records)
        if self._is_due():
            await self._flush()
        if self._partition.waiting is not None:
            await self._await_norms(self._partition.waiting)
        if time.monotonic() - self._measured_at > GAUGE_S:
            self._set_gauges()

    async def _apply(self, records: list[RawRecord]) -> None:
        done = self._partition.apply(records)
        if done < len(records) and self._partition.waiting is None:
            await self._read_consents_to_end()
            done += self._partition.apply(records[done:], consent_is_complete=True)
        self._rest = records[done:]
        if done:
            self._position = records[done - 1].offset + 1
            self._unflushed += done
            self._oldest_ms = self._oldest_ms or records[0].timestamp  # type: ignore[attr-defined]  # Kafka's own

    async def _await_norms(self, day: int) -> None:
        """Wait a little for the norms; what this partition has counted is written already, so that others go on."""
        if self._wait is None:
            self._wait = Wait(self._norms, self._number, day, self._metrics)
        norms = await self._wait.norms(_PATIENCE_S)
        if norms is not None:
            self._wait = None
            self._partition.compare(norms)
            self._norms.want(self._number, self._partition.next_week)

    async def _read_consents_to_end(self) -> None:
        """Whatever the door saw before it wrote the records at hand is in the log by now."""
        self._metrics.waits.inc()
        async for record in self._reading.rest(CONSENT_STATE):
            self._take_consent(record)

    def _take_consent(self, record: RawRecord) -> None:
        student = self._partition.consent(record)
        if student.version:
            self._obeyed[student.name] = student.version
            self._consents_ms.append(record.timestamp)  # type: ignore[attr-defined]  # Kafka's own
        self._flushed_at = 0  # what a consent takes away goes at once, and so does the receipt

    @property
    def _catching_up(self) -> bool:
        return self._reading.lag(self._position) > CATCHING_UP_RECORDS

    @property
    def _owes(self) -> bool:
        """Whether records are to be published, and now is the time for it."""
        return self._partition.owes and not self._catching_up and self._partition.waiting is None

    def _is_due(self) -> bool:
        if self._partition.waiting is not None and self._partition.changed:
            return True  # the other partitions wait for what this one has counted
        if not (self._unflushed or self._obeyed or self._partition.changed or self._owes):
            return False
        flush_s = self._settings.indicators.flush_s
        patience = CATCHING_UP_FLUSH_S if self._catching_up else flush_s
        full = self._unflushed >= self._settings.indicators.flush_events or self._partition.unwritten >= MOST_STATES
        return full or time.monotonic() - self._flushed_at > patience

    async def _flush(self) -> None:
        changes = self._partition.changes(publish=self._owes or not self._catching_up)
        await self._transactions.commit(changes, self._partition.position(self._position), self._obeyed)
        self._partition.flushed()
        self._gauges.flushed(self._partition, changes, self._oldest_ms, self._consents_ms)
        self._obeyed.clear()
        self._consents_ms.clear()
        self._unflushed, self._oldest_ms = 0, 0
        self._flushed_at = time.monotonic()

    def _set_gauges(self) -> None:
        self._gauges.stand(self._partition, self._reading.lag(self._position))
        self._measured_at = time.monotonic()


def _obey_cancellation(error: Exception | None = None) -> None:
    """Whoever is cancelled within a transaction aborts it, and may learn in that moment that it was fenced.

    Nor does every wait in a library let a cancellation through that comes in the moment of its end.

    Raises:
        CancelledError: the shard was cancelled, whatever became of that.
    """
    task = asyncio.current_task()
    if task is not None and task.cancelling():
        raise asyncio.CancelledError from error
