"""Reads a topic in a thread: each batch takes effect in one database transaction, its positions with it.

The database's positions are the truth; those committed to Kafka afterwards only tell operations how far we are. A
fresh database is filled from the start of the log, and a reader that crashed or was fenced repeats nothing. While the
broker or the database is away it tries again and again: the students' pages do not depend on it.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from kafka import KafkaConsumer, TopicPartition
from kafka.errors import KafkaError
from kafka.structs import OffsetAndMetadata
from sqlalchemy import BigInteger, Column, Connection, Engine, Integer, String, Table, delete, insert, select, update
from sqlalchemy.exc import IntegrityError

from services.consent.adapters.ledger import metadata, outbox
from services.kernel.background import Background
from services.kernel.clock import SystemClock
from services.kernel.codec import decoder
from services.kernel.database import AWAY, reading
from services.kernel.dead_letters import RawRecord, dead_letter, refuse_flood
from services.kernel.errors import InvalidMessage
from services.kernel.events import DeadLettered
from services.kernel.group_member import Placing, Silence, join
from services.kernel.logs import log
from services.kernel.metrics import ConsentMetrics
from services.kernel.settings import KafkaSettings
from services.kernel.topics import DEAD_LETTERS, Topic

_POLL_MS = 200
_BATCH = 1_000
_MEASURE_S = 1.0
_BACK_OFF_S = 1.0
_PATIENCE_MS = 5_000
_BOOTSTRAP_MS = 2_000  # a stop has to wait for it
_GIVE_UP_AFTER = 20  # collisions in a row: so many are no bad luck
_log = log(__name__)

log_positions = Table(
    "log_positions",
    metadata,
    Column("topic", String(100), primary_key=True),
    Column("partition", Integer, primary_key=True, autoincrement=False),
    Column("next_offset", BigInteger, nullable=False),
)


@dataclass(frozen=True, slots=True)
class Record:
    """What a record says of a student; `event` None is a tombstone, which only a compacted topic has."""

    student: str
    event: Any


Take = Callable[[Connection, Sequence[Record]], None]


class LogReader(Background):
    """Lets the records of one topic take effect, in their order.

    Args:
        take: called within the batch's transaction. It may be called again with what it has seen before, where the
            log is read from the start once more; so it must not mind.
        committed: called after each batch that took effect.
    """

    def __init__(  # noqa: PLR0913, PLR0917 - wired once, by hand
        self,
        engine: Engine,
        kafka: KafkaSettings,
        topic: Topic,
        take: Take,
        metrics: ConsentMetrics,
        committed: Callable[[], None] = lambda: None,
    ) -> None:
        super().__init__(f"consent-reads-{topic.name}")
        self._engine, self._kafka, self._topic, self._metrics = engine, kafka, topic, metrics
        self._effect, self._committed = take, committed
        self._decode = decoder(topic)
        self._consumer: KafkaConsumer | None = None
        self._placing = Placing()
        self._reached: dict[int, int] = {}
        self._in_a_row = self._collisions = 0
        self._measured = 0.0
        self._silence = Silence()

    def round(self) -> None:
        """Read one batch and let it take effect; now and then measure the lag."""
        try:
            consumer = self._joined()
            polled = consumer.poll(timeout_ms=_POLL_MS, max_records=_BATCH)
            if polled:
                self._silence.broken()
            if self._placing.needed:
                self._place(consumer)  # what was polled is read again from there
            elif polled:
                self._take_and_commit(consumer, polled)
            self._measure(consumer)
            self._collisions = 0
        except (KafkaError, IntegrityError, *AWAY) as error:
            _log.warning("log_reader_round_failed", topic=self._topic.name, error=type(error).__name__)
            self._collisions += isinstance(error, IntegrityError)
            if self._collisions >= _GIVE_UP_AFTER:
                raise
            self.close()
            self.pause(_BACK_OFF_S)

    def close(self) -> None:
        """Leave the group."""
        consumer, self._consumer = self._consumer, None
        if consumer is not None:
            consumer.close(autocommit=False, timeout_ms=_PATIENCE_MS)
        self._placing.needed = True

    def _joined(self) -> KafkaConsumer:
        if self._consumer is None:
            self._consumer = join(
                self._kafka,
                f"consent-{self._topic.name}",
                [self._kafka.topic(self._topic)],
                self._placing,
                bootstrap_timeout_ms=_BOOTSTRAP_MS,
            )
        return self._consumer

    def _place(self, consumer: KafkaConsumer) -> None:
        """Go to where the database says that we are, after partitions were assigned.

        A log that ends before that place was made anew, as after a loss of the broker: it is read from its start. The
        ledger does not depend on it, and students must be able to decide meanwhile.
        """
        owned = list(consumer.assignment())
        with self._engine.begin() as transaction:
            self._reached = positions(transaction, self._topic, (partition.partition for partition in owned))
        ends: dict[TopicPartition, int] = consumer.end_offsets(owned, timeout_ms=_PATIENCE_MS) if owned else {}
        if any(self._reached.get(partition.partition, 0) > end for partition, end in ends.items()):
            _log.warning("log_made_anew", topic=self._topic.name)
            with self._engine.begin() as transaction:
                read_again(transaction, self._topic)
            self._reached = {}
        for partition in owned:
            consumer.seek(partition, self._reached.get(partition.partition, 0))
        self._placing.needed = False

    def _take_and_commit(self, consumer: KafkaConsumer, polled: Mapping[TopicPartition, Sequence[RawRecord]]) -> None:
        batches = {partition.partition: batch for partition, batch in polled.items()}
        aside: list[DeadLettered] = []
        with self._engine.begin() as transaction:
            known = positions(transaction, self._topic, batches)
            if self._taken_back(known, batches):
                return
            new = {number: [r for r in batch if r.offset >= known.get(number, 0)] for number, batch in batches.items()}
            records = self._readable(new, aside)
            self._effect(transaction, records)
            for letter in aside:
                outbox.add(transaction, DEAD_LETTERS, f"{letter.topic}-{letter.partition}", letter)
            reached = {number: batch[-1].offset + 1 for number, batch in new.items() if batch}
            _put_positions(transaction, self._topic, reached)
        self._reached |= reached
        self._tell(len(records), aside)
        consumer.commit({partition: OffsetAndMetadata(batch[-1].offset + 1) for partition, batch in polled.items()})

    def _readable(self, batches: Mapping[int, Sequence[RawRecord]], aside: list[DeadLettered]) -> list[Record]:
        records = []
        for raw in (raw for batch in batches.values() for raw in batch):
            try:
                records.append(self._record(raw))
                self._in_a_row = 0
            except InvalidMessage as error:
                self._in_a_row += 1
                refuse_flood(self._in_a_row, self._topic, error)
                aside.append(dead_letter("consent", self._topic, raw, error, SystemClock().now_ms()))
        return records

    def _record(self, raw: RawRecord) -> Record:
        student = (raw.key or b"").decode("ascii", "replace")
        if raw.value is None and self._topic.compacted:
            return Record(student, None)
        if raw.value is None:
            raise InvalidMessage("no-value", f"{self._topic.name} knows no tombstones")
        event = self._decode(raw.value)
        if event.student != student:
            raise InvalidMessage("wrong-key", f"{self._topic.name}: the key is not the student of the value")
        return Record(student, event)

    def _tell(self, taken: int, aside: Sequence[DeadLettered]) -> None:
        self._metrics.records.labels(self._topic.name, "taken").inc(taken)
        for letter in aside:
            self._metrics.records.labels(letter.topic, "dead-lettered").inc()
            self._metrics.dead_letters.labels(letter.topic, letter.reason).inc()
            _log.error("record_set_aside", topic=letter.topic, partition=letter.partition, offset=letter.offset)
        self._committed()

    def _taken_back(self, known: Mapping[int, int], partitions: Iterable[int]) -> bool:
        """Whether somebody wants the log read again; then the next thing is to go back."""
        self._placing.needed = any(known.get(number, 0) < self._reached.get(number, 0) for number in partitions)
        return self._placing.needed

    def _measure(self, consumer: KafkaConsumer) -> None:
        """Say how much is unread, and look whether it is all to be read again."""
        if time.monotonic() - self._measured < _MEASURE_S or self._placing.needed:
            return
        self._measured = time.monotonic()
        owned = list(consumer.assignment())
        ends: dict[TopicPartition, int] = consumer.end_offsets(owned, timeout_ms=_PATIENCE_MS) if owned else {}
        lags = {p.partition: max(0, end - _position(consumer, p)) for p, end in ends.items()}
        for number, lag in lags.items():
            self._metrics.lag.labels(self._topic.name, str(number)).set(lag)
        if any(lags.values()):
            self._silence.check()
        else:
            self._silence.broken()
        with reading(self._engine) as transaction:
            owned_numbers = [partition.partition for partition in owned]
            self._taken_back(positions(transaction, self._topic, owned_numbers), owned_numbers)


def _position(consumer: KafkaConsumer, partition: TopicPartition) -> int:
    return consumer.position(partition, timeout_ms=_PATIENCE_MS) or 0


def positions(transaction: Connection, topic: Topic, of: Iterable[int]) -> dict[int, int]:
    """The next offset to read of these partitions; the rows stay ours until a writing transaction ends."""
    columns = log_positions.c
    which = (columns.topic == topic.name, columns.partition.in_(list(of)))
    query = select(columns.partition, columns.next_offset).where(*which).with_for_update()
    return {row.partition: row.next_offset for row in transaction.execute(query)}


def read_again(transaction: Connection, topic: Topic) -> None:
    """Let the topic be read from its start again; a reader that is running notices within seconds."""
    transaction.execute(delete(log_positions).where(log_positions.c.topic == topic.name))


def _put_positions(transaction: Connection, topic: Topic, reached: Mapping[int, int]) -> None:
    """Raises an IntegrityError where two begin the same partition at once; one of them then tries again."""
    columns = log_positions.c
    for number, offset in reached.items():
        which = (columns.topic == topic.name, columns.partition == number)
        if not transaction.execute(update(log_positions).where(*which).values(next_offset=offset)).rowcount:
            row = {"topic": topic.name, "partition": number, "next_offset": offset}
            transaction.execute(insert(log_positions), [row])
