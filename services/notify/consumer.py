"""Reads the log in a thread: each batch takes effect in one database transaction, its positions with it.

The database's positions are the truth; those committed to Kafka afterwards only tell operations how far we are. A
fresh database is filled from the start of the log, a consumer that was fenced or crashed repeats nothing.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence

from kafka import KafkaConsumer, TopicPartition
from kafka.errors import KafkaError
from kafka.structs import OffsetAndMetadata
from sqlalchemy import Engine
from sqlalchemy.exc import IntegrityError, OperationalError

from services.kernel.background import Background
from services.kernel.clock import StreamClock
from services.kernel.dead_letters import RawRecord
from services.kernel.errors import ConfigurationError
from services.kernel.events import DeadLettered, IndicatorsComputed, SupportTriggered
from services.kernel.group_member import Placing, Silence, join
from services.kernel.logs import log
from services.kernel.metrics import NotifyMetrics
from services.kernel.settings import KafkaSettings
from services.kernel.topics import CONSENT_STATE, DEAD_LETTERS
from services.notify.adapters.tables import outbox
from services.notify.handlers import intake, retention
from services.notify.handlers.gate import Gate
from services.notify.handlers.intake import Record, Result
from services.notify.handlers.unit import Unit
from services.notify.reading import TOPICS, Reader

_POLL_MS = 200
_BATCH = 1_000
_HOLD_S = 0.25
_MEASURE_S = 1.0
_SWEEP_S = 5.0
_FORGET_S = 3_600.0
_BACK_OFF_S = 1.0
_GIVE_UP_AFTER = 120  # failed rounds in a row
_log = log(__name__)


class Consumer(Background):
    """Lets consents, indicators and triggers take effect.

    Args:
        committed: called after each batch that took effect.
    """

    def __init__(  # noqa: PLR0913, PLR0917 - wired once, by hand
        self,
        engine: Engine,
        gate: Gate,
        kafka: KafkaSettings,
        stream: StreamClock,
        committed: Callable[[], None],
        metrics: NotifyMetrics,
    ) -> None:
        super().__init__("notify-consumer")
        self._engine, self._gate, self._kafka = engine, gate, kafka
        self._stream, self._committed, self._metrics = stream, committed, metrics
        self._names = {kafka.topic(topic): topic.name for topic in TOPICS}
        self._consumer: KafkaConsumer | None = None
        self._reader = Reader()
        self._placing = Placing()
        self._failures = 0
        self._held: dict[TopicPartition, float] = {}
        self._measured = self._swept = 0.0
        self._forgot = -_FORGET_S
        self._silence = Silence()
        self._owned: frozenset[TopicPartition] = frozenset()

    def round(self) -> None:
        """Read one batch and let it take effect; now and then measure the lag and look for consents that ended."""
        try:
            self._read_batch(self._joined())
            self._now_and_then()
            self._failures = 0
        except (KafkaError, OperationalError, IntegrityError) as error:
            self._failures += 1
            _log.warning("consumer_round_failed", error=type(error).__name__, in_a_row=self._failures)
            if self._failures >= _GIVE_UP_AFTER:
                raise
            self.close()
            self.pause(_BACK_OFF_S)

    def close(self) -> None:
        """Leave the group."""
        if self._consumer is not None:
            self._consumer.close(autocommit=False, timeout_ms=5_000)
            self._consumer = None
        self._owned = frozenset()
        self._placing.needed = True
        self._held.clear()

    def idle(self) -> str | None:
        """For a health check: what keeps it from reading, or None while it reads."""
        return self.problem() or (None if self._owned else "no partition is assigned to it")

    def _joined(self) -> KafkaConsumer:
        if self._consumer is None:
            self._consumer = join(self._kafka, "notify", list(self._names), self._placing)
        return self._consumer

    def _place(self, consumer: KafkaConsumer) -> None:
        """Go to where the database says that we are, after partitions were assigned."""
        owned = frozenset(consumer.assignment())
        with self._engine.begin() as tx:
            reached = Unit.of(tx).snapshots.positions(self._names.values())
        ends: dict[TopicPartition, int] = consumer.end_offsets(list(owned), timeout_ms=5_000) if owned else {}
        for partition, end in ends.items():
            offset = reached.get(self._key(partition), 0)
            if offset > end:
                raise ConfigurationError(
                    f"The database has read {partition.topic} up to {offset}, but the log ends at {end}: they are of "
                    "different runs. Give notify an empty database, or the broker whose log it has read."
                )
            consumer.seek(partition, offset)
            consumer.resume(partition)
        self._held.clear()
        self._placing.needed = False
        self._owned = owned

    def _read_batch(self, consumer: KafkaConsumer) -> None:
        self._resume(consumer)
        polled = consumer.poll(timeout_ms=_POLL_MS, max_records=_BATCH)
        if polled:
            self._silence.broken()
        if self._placing.needed:
            self._place(consumer)  # what was polled is read again from there
        elif polled:
            self._take_and_commit(consumer, polled)

    def _take_and_commit(self, consumer: KafkaConsumer, polled: Mapping[TopicPartition, Sequence[RawRecord]]) -> None:
        held = self._take({self._key(partition): batch for partition, batch in polled.items()})
        reached = {}
        for partition, batch in polled.items():
            reached[partition] = OffsetAndMetadata(batch[-1].offset + 1)
            if (offset := held.get(self._key(partition))) is not None:
                consumer.seek(partition, offset)
                consumer.pause(partition)
                self._held[partition] = time.monotonic() + _HOLD_S
                reached[partition] = OffsetAndMetadata(offset)
        consumer.commit(reached)

    def _take(self, batches: Mapping[tuple[str, int], Sequence[RawRecord]]) -> dict[tuple[str, int], int]:
        with self._engine.begin() as tx:
            unit = Unit.of(tx)
            known = unit.snapshots.positions(topic for topic, _ in batches)
            new = {key: [r for r in batch if r.offset >= known.get(key, 0)] for key, batch in batches.items()}
            records, aside = self._reader.read(new, self._gate.system.now_ms())
            self._follow_stream(unit, records)
            result = intake.take(unit, self._gate, records)
            aside = [a for a in aside if a.offset < result.held.get((a.topic, a.partition), a.offset + 1)]
            for letter in aside:
                outbox.add(tx, DEAD_LETTERS, f"{letter.topic}-{letter.partition}", letter)
            ends = {key: batch[-1].offset + 1 for key, batch in new.items() if batch}
            unit.snapshots.put_positions(ends | result.held)
        self._tell(result, aside)
        return result.held

    def _follow_stream(self, unit: Unit, records: Mapping[tuple[str, int], Sequence[Record]]) -> None:
        """Let the stream's clock come to the latest moment that the records speak of."""
        events = [record.event for batch in records.values() for record in batch]
        times = [e.as_of_ms for e in events if isinstance(e, IndicatorsComputed)]
        times += [e.raised_ms for e in events if isinstance(e, SupportTriggered)]
        if times and max(times) > self._stream.now_ms():
            unit.snapshots.advance_stream(max(times))
            self._stream.advance(max(times))

    def _tell(self, result: Result, aside: Sequence[DeadLettered]) -> None:
        for (topic, outcome), count in result.outcomes.items():
            self._metrics.records.labels(topic, outcome).inc(count)
        for letter in aside:
            self._metrics.records.labels(letter.topic, "dead-lettered").inc()
            self._metrics.dead_letters.labels(letter.topic, letter.reason).inc()
            _log.error("record_set_aside", topic=letter.topic, partition=letter.partition, offset=letter.offset)
        self._committed()

    def _resume(self, consumer: KafkaConsumer) -> None:
        due = [partition for partition, at in self._held.items() if at <= time.monotonic()]
        for partition in due:
            del self._held[partition]
            consumer.resume(partition)

    def _now_and_then(self) -> None:
        now = time.monotonic()
        if self._owned and now - self._measured >= _MEASURE_S:
            self._measure()
            self._measured = now
        if now - self._swept >= _SWEEP_S:
            self._sweep()
            self._swept = now
        if now - self._forgot >= _FORGET_S:
            self._forget()
            self._forgot = now

    def _measure(self) -> None:
        """Say how much is unread, and that our view of consent is current where nothing of it is."""
        assert self._consumer is not None
        asked_ms = self._gate.system.now_ms()
        ends: dict[TopicPartition, int] = self._consumer.end_offsets(list(self._owned), timeout_ms=5_000)
        lags = {partition: self._lag(partition, end) for partition, end in ends.items()}
        for partition, lag in lags.items():
            topic, number = self._key(partition)
            self._metrics.lag.labels(topic, str(number)).set(lag)
        name = self._kafka.topic(CONSENT_STATE)
        current = [p.partition for p, lag in lags.items() if p.topic == name and lag == 0]
        with self._engine.begin() as tx:
            Unit.of(tx).snapshots.mark_current(CONSENT_STATE.name, current, asked_ms)
        if any(lag for partition, lag in lags.items() if partition not in self._held):
            self._silence.check()
        else:
            self._silence.broken()

    def _lag(self, partition: TopicPartition, end: int) -> int:
        assert self._consumer is not None
        reached: int | None = self._consumer.position(partition, timeout_ms=5_000)
        return max(0, end - (reached or 0))

    def _sweep(self) -> None:
        """Close the cases whose consent ended by date, with no message arriving."""
        with self._engine.begin() as tx:
            unit = Unit.of(tx)
            self._stream.advance(unit.snapshots.stream_ms())  # another instance may have read further
            intake.end_unpermitted(unit, self._gate, unit.cases.all_open())

    def _forget(self) -> None:
        """Remove what the register says is kept no longer."""
        with self._engine.begin() as tx:
            cases, looks, reminders = retention.forget_old(Unit.of(tx), self._gate)
        if cases or looks or reminders:
            _log.info("forgot_what_is_kept_no_longer", cases=cases, looks=looks, reminders=reminders)

    def _key(self, partition: TopicPartition) -> tuple[str, int]:
        return self._names[partition.topic], partition.partition
