"""A shard: one owned partition, read, judged and written in Kafka transactions.

Everything that one flush changes (student states, published indicators, triggers, dead letters, the position in the
log) is one transaction under the partition's own transactional id. A crash at any moment leaves all of it or nothing,
and the next owner's start fences the one before: a paused and resumed worker's writes are refused by the broker.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator

import msgspec
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.errors import KafkaError

from services.indicators.adapters.receipts import receipts_for
from services.indicators.handlers import Partition
from services.indicators.ports import Changes
from services.kernel.clock import SystemClock
from services.kernel.codec import encode
from services.kernel.dead_letters import RawRecord, dead_letter
from services.kernel.errors import InvalidMessage
from services.kernel.events import DeadLettered
from services.kernel.kafka import client_id
from services.kernel.logs import log
from services.kernel.metrics import IndicatorMetrics
from services.kernel.settings import Settings
from services.kernel.topics import (
    ACTIVITY_EVENTS,
    CONSENT_RECEIPTS,
    CONSENT_STATE,
    DEAD_LETTERS,
    ENGAGEMENT_INDICATORS,
    ENROLMENTS,
    INDICATORS_STATE,
    SUPPORT_TRIGGERS,
    Topic,
)

POSITION_KEY = b""  # in the state topic, beside the students' keys
FETCH_RECORDS = 5_000  # between two looks at the consents
CATCHING_UP_RECORDS = 10_000  # with more than these to read, fewer and larger transactions
CATCHING_UP_FLUSH_S = 2.0
GAUGE_S = 1.0
_log = log(__name__)


class Position(msgspec.Struct, frozen=True):
    """Where a shard stands: the next offset to read, and the in-band clock there."""

    offset: int
    clock_ms: int


_read_position = msgspec.json.Decoder(Position).decode


class Shard:
    """Owns a partition until cancelled; whatever Kafka says, it starts again from the last committed transaction.

    Attributes:
        problem: what keeps it from working, for the health check; None while it works.
    """

    def __init__(
        self, partition: int, settings: Settings, new_partition: Callable[[int], Partition], metrics: IndicatorMetrics
    ) -> None:
        self._number, self._settings, self._metrics = partition, settings, metrics
        self._new_partition = new_partition
        self.problem: str | None = "it has not read its state yet"

    async def run(self) -> None:
        """Work; ends only by cancellation or by an error that nobody foresaw."""
        try:
            while True:
                try:
                    await self._own()
                except (KafkaError, InvalidMessage) as error:
                    self.problem = f"{type(error).__name__}: {error}"
                    self._metrics.restarts.labels(type(error).__name__).inc()
                    _log.warning("shard_lost", partition=self._number, error=repr(error))
                    # Another owner may have fenced this one: let the group settle before taking over again.
                    await asyncio.sleep(self._settings.kafka.session_timeout_s)
        finally:
            self._forget_gauges()

    async def _own(self) -> None:
        kafka = self._settings.kafka
        self._producer = AIOKafkaProducer(
            bootstrap_servers=kafka.bootstrap,
            client_id=client_id("indicators"),
            transactional_id=kafka.group(f"indicators-{self._number}"),
            transaction_timeout_ms=15_000,
            max_batch_size=1 << 18,
        )
        self._consumer = AIOKafkaConsumer(
            bootstrap_servers=kafka.bootstrap,
            client_id=client_id("indicators"),
            enable_auto_commit=False,
            auto_offset_reset="none",
            isolation_level="read_committed",
            fetch_max_wait_ms=200,
        )
        try:
            await self._producer.start()  # fences the previous owner and settles its open transaction
            await self._consumer.start()
            await self._load()
            self.problem = None
            while True:
                await self._round()
        finally:
            await asyncio.gather(self._producer.stop(), self._consumer.stop(), return_exceptions=True)

    async def _load(self) -> None:
        started = time.monotonic()
        states = await self._last_values(INDICATORS_STATE)
        raw = states.pop(POSITION_KEY, None)
        position = _read_position(raw) if raw else Position(0, 0)
        self._partition = self._new_partition(position.clock_ms)
        self._partition.restore(states)
        ends = {}
        for topic, take in ((CONSENT_STATE, self._partition.consent), (ENROLMENTS, self._partition.enrolments)):
            async for record in self._read_to_end(topic):
                take(record)
            ends[topic] = await self._consumer.position(self._of(topic))
        self._partition.reconcile()
        self._position = await self._within_log(position.offset)
        self._consumer.assign([self._of(topic) for topic in (ACTIVITY_EVENTS, CONSENT_STATE, ENROLMENTS)])
        self._consumer.seek(self._of(ACTIVITY_EVENTS), self._position)
        for topic, end in ends.items():
            self._consumer.seek(self._of(topic), end)
        self._unflushed, self._oldest_ms = 0, 0
        self._obeyed: dict[str, int] = {}  # versions to give receipts for; those read until here are asked for
        self._flushed_at = time.monotonic()
        self._set_gauges()
        _log.info("shard_ready", partition=self._number, students=len(states), seconds=time.monotonic() - started)

    async def _round(self) -> None:
        """Consents first, then enrolments, then some events: a withdrawal never waits behind a backlog."""
        for record in await self._fetch(CONSENT_STATE, 0):
            self._take_consent(record)
        found = await self._consumer.getmany(timeout_ms=0 if self._obeyed else 50, max_records=FETCH_RECORDS)
        for record in found.get(self._of(CONSENT_STATE), ()):
            self._take_consent(record)
        for record in found.get(self._of(ENROLMENTS), ()):
            self._partition.enrolments(record)
        if records := found.get(self._of(ACTIVITY_EVENTS)):
            await self._apply(records)
        if self._is_due():
            await self._flush()
        if time.monotonic() - self._measured_at > GAUGE_S:
            self._set_gauges()

    async def _apply(self, records: list[RawRecord]) -> None:
        done = self._partition.apply(records)
        if done < len(records):
            await self._read_consents_to_end()
            self._partition.apply(records[done:], consent_is_complete=True)
        self._position = records[-1].offset + 1
        self._unflushed += len(records)
        self._oldest_ms = self._oldest_ms or records[0].timestamp  # type: ignore[attr-defined]  # Kafka's own record

    async def _read_consents_to_end(self) -> None:
        """Whatever the door saw before it wrote the records at hand is in the log by now."""
        self._metrics.waits.inc()
        end = (await self._consumer.end_offsets([self._of(CONSENT_STATE)]))[self._of(CONSENT_STATE)]
        while await self._consumer.position(self._of(CONSENT_STATE)) < end:
            for record in await self._fetch(CONSENT_STATE, 100):
                self._take_consent(record)

    def _take_consent(self, record: RawRecord) -> None:
        obeyed = self._partition.consent(record)
        if obeyed is not None:
            self._obeyed[obeyed.student] = obeyed.version
        self._flushed_at = 0  # what a consent takes away goes at once, and so does the receipt

    def _is_due(self) -> bool:
        if not (self._unflushed or self._obeyed or self._partition.changed):
            return False
        flush_s = self._settings.indicators.flush_s
        patience = CATCHING_UP_FLUSH_S if self._lag() > CATCHING_UP_RECORDS else flush_s
        waited = time.monotonic() - self._flushed_at > patience
        return waited or self._unflushed >= self._settings.indicators.flush_events

    async def _flush(self) -> None:
        changes = self._partition.changes()
        source = {self._of(ACTIVITY_EVENTS): self._position}
        with self._metrics.flush.time():
            async with self._producer.transaction():
                await self._write(changes)
                # For lag tools; the position that counts is the one in the state topic.
                await self._producer.send_offsets_to_transaction(
                    source, self._settings.kafka.group("indicators-shards")
                )
        self._partition.flushed()
        self._obeyed.clear()
        self._measure(changes)
        self._unflushed, self._oldest_ms = 0, 0
        self._flushed_at = time.monotonic()

    async def _write(self, changes: Changes) -> None:
        position = msgspec.json.encode(Position(self._position, self._partition.clock_ms))
        letters = [encode(self._dead_letter(record, error)) for record, error in changes.unreadable]
        await self._send(INDICATORS_STATE, [*_keyed(changes.states), (POSITION_KEY, position)])
        await self._send(ENGAGEMENT_INDICATORS, list(_keyed(changes.indicators)))
        await self._send(SUPPORT_TRIGGERS, [(t.student.encode(), encode(t)) for t in changes.triggers])
        await self._send(CONSENT_RECEIPTS, receipts_for(self._obeyed))
        await self._send(DEAD_LETTERS, [(None, letter) for letter in letters])

    async def _send(self, topic: Topic, records: list[tuple[bytes | None, bytes | None]]) -> None:
        name, acknowledged = self._settings.kafka.topic(topic), []
        batch = self._producer.create_batch()
        for key, value in records:
            if batch.append(key=key, value=value, timestamp=None) is None:
                acknowledged.append(await self._producer.send_batch(batch, name, partition=self._number))
                batch = self._producer.create_batch()
                batch.append(key=key, value=value, timestamp=None)
        if batch.record_count():
            acknowledged.append(await self._producer.send_batch(batch, name, partition=self._number))
        await asyncio.gather(*acknowledged)

    def _dead_letter(self, record: RawRecord, error: InvalidMessage) -> DeadLettered:
        self._metrics.dead_letters.labels(ACTIVITY_EVENTS.name, error.reason).inc()
        _log.warning("record_set_aside", partition=self._number, offset=record.offset, reason=error.reason)
        return dead_letter("indicators", ACTIVITY_EVENTS, record, error, SystemClock().now_ms())

    def _measure(self, changes: Changes) -> None:
        metrics = self._metrics
        for outcome, number in self._partition.outcomes.items():
            metrics.events.labels(outcome).inc(number)
        metrics.purged.inc(self._partition.outcomes["purged"])
        self._partition.outcomes.clear()
        for trigger in changes.triggers:
            metrics.triggers.labels(trigger.rule, trigger.state).inc()
        if self._oldest_ms:
            metrics.latency.observe(max(0, SystemClock().now_ms() - self._oldest_ms) / 1000)

    def _set_gauges(self) -> None:
        metrics, label = self._metrics, str(self._number)
        metrics.students.labels(label).set(self._partition.students)
        metrics.tick.labels(label).set(self._partition.clock_ms / 1000)
        metrics.lag.labels(ACTIVITY_EVENTS.name, label).set(self._lag())
        self._measured_at = time.monotonic()

    def _forget_gauges(self) -> None:
        label = str(self._number)
        self._metrics.students.remove_by_labels({"partition": label})
        self._metrics.tick.remove_by_labels({"partition": label})
        self._metrics.lag.remove_by_labels({"partition": label})

    def _lag(self) -> int:
        return max(0, (self._consumer.highwater(self._of(ACTIVITY_EVENTS)) or 0) - self._position)

    async def _within_log(self, offset: int) -> int:
        """The offset, or the log's beginning where the log was made anew or no longer reaches back so far."""
        source = self._of(ACTIVITY_EVENTS)
        begin = (await self._consumer.beginning_offsets([source]))[source]
        end = (await self._consumer.end_offsets([source]))[source]
        if begin <= offset <= end:
            return offset
        if offset:
            _log.error("position_outside_log", partition=self._number, position=offset, begin=begin, end=end)
            self._metrics.restarts.labels("PositionOutsideLog").inc()
        return int(begin)

    async def _last_values(self, topic: Topic) -> dict[bytes, bytes]:
        values: dict[bytes, bytes] = {}
        async for record in self._read_to_end(topic):
            key = record.key or b""
            if record.value is None:
                values.pop(key, None)
            else:
                values[key] = record.value
        return values

    async def _read_to_end(self, topic: Topic):  # type: ignore[no-untyped-def]  # noqa: ANN202 - of Kafka's own records
        source = self._of(topic)
        self._consumer.assign([source])
        await self._consumer.seek_to_beginning(source)
        end = (await self._consumer.end_offsets([source]))[source]
        while await self._consumer.position(source) < end:
            for record in await self._fetch(topic, 200):
                yield record

    async def _fetch(self, topic: Topic, timeout_ms: int) -> list[RawRecord]:
        source = self._of(topic)
        found: dict[TopicPartition, list[RawRecord]] = await self._consumer.getmany(source, timeout_ms=timeout_ms)
        return found.get(source, [])

    def _of(self, topic: Topic) -> TopicPartition:
        return TopicPartition(self._settings.kafka.topic(topic), self._number)


def _keyed(values: dict[str, bytes | None]) -> Iterator[tuple[bytes | None, bytes | None]]:
    return ((key.encode(), value) for key, value in values.items())
