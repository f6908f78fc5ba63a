"""What a stack's topics still hold, read from the beginning to the present end; nothing is ever written.

Retention has deleted what is older. Where it has, history begins at the first tick that all partitions still have, and
nobody can have been seen before it: grants are taken to begin there.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from kafka import KafkaConsumer, TopicPartition
from kafka.errors import KafkaError
from msgspec import structs

from services.kernel.codec import decoder, encode
from services.kernel.dead_letters import RawRecord
from services.kernel.errors import ConfigurationError, InvalidMessage, TransientError
from services.kernel.events import ClockTicked, ConsentStateChanged
from services.kernel.kafka import client_id
from services.kernel.settings import KafkaSettings
from services.kernel.topics import ACTIVITY_EVENTS, CONSENT_STATE, ENROLMENTS, Topic

_PATIENCE_MS = 10_000
_BOOTSTRAP_MS = 5_000
_SILENCE_S = 30.0  # without a record, before the end is reached
_decode_event, _decode_consent = decoder(ACTIVITY_EVENTS), decoder(CONSENT_STATE)


@dataclass(frozen=True, slots=True)
class Record:
    """A record whose value was changed on the way."""

    partition: int
    offset: int
    key: bytes | None
    value: bytes | None


class History:
    """The topics of one stack, as they stand now.

    Attributes:
        partitions: their numbers.
        begin_ms: the first tick that all partitions have.
        records: how many events and ticks there are.
    """

    def __init__(self, kafka: KafkaSettings) -> None:
        self._kafka = kafka
        with self._consumer(ACTIVITY_EVENTS) as consumer:
            assigned = sorted(consumer.assignment(), key=lambda partition: partition.partition)
            self._begins = _offsets(consumer.beginning_offsets(assigned, timeout_ms=_PATIENCE_MS))
            self._ends = _offsets(consumer.end_offsets(assigned, timeout_ms=_PATIENCE_MS))
        self.partitions = sorted(self._ends)
        self.records = sum(self._ends[number] - self._begins[number] for number in self.partitions)
        self.is_whole = not any(self._begins.values())
        self.begin_ms = max(self._first_tick(number) for number in self.partitions)

    def consents(self, partition: int) -> Iterator[RawRecord]:
        """The partition's consents, in order; where history is not whole, no grant begins before it does."""
        records = self._read(CONSENT_STATE, partition)
        return records if self.is_whole else map(self._begun, records)

    def enrolments(self, partition: int) -> Iterator[RawRecord]:
        """The partition's enrolments, in order."""
        return self._read(ENROLMENTS, partition)

    def events(self, partition: int) -> Iterator[list[RawRecord]]:
        """The partition's events and ticks in batches, in order, from `begin_ms` on."""
        begun = self.is_whole
        for batch in self._batches(ACTIVITY_EVENTS, partition):
            start = 0 if begun else next((n for n, record in enumerate(batch) if self._is_begin(record)), len(batch))
            begun = begun or start < len(batch)
            yield batch[start:]

    def _begun(self, record: RawRecord) -> RawRecord:
        try:
            state: ConsentStateChanged = _decode_consent(record.value or b"")
        except InvalidMessage:
            return record  # a tombstone, or what stops a shard too
        grants = tuple(structs.replace(grant, from_ms=max(grant.from_ms, self.begin_ms)) for grant in state.grants)
        value = encode(structs.replace(state, grants=grants))
        return Record(record.partition, record.offset, record.key, value)

    def _first_tick(self, partition: int) -> int:
        ticks = (_tick_ms(record) for batch in self._batches(ACTIVITY_EVENTS, partition) for record in batch)
        first = next((at_ms for at_ms in ticks if at_ms is not None), None)
        if first is None:
            raise ConfigurationError(
                f"{self._kafka.topic(ACTIVITY_EVENTS)}[{partition}] holds no tick: there is no history to replay yet. "
                "`signpost up` replays a term; a live stack has its first tick within the hour."
            )
        return first

    def _is_begin(self, record: RawRecord) -> bool:
        at_ms = _tick_ms(record)
        return at_ms is not None and at_ms >= self.begin_ms

    def _read(self, topic: Topic, partition: int) -> Iterator[RawRecord]:
        return (record for batch in self._batches(topic, partition) for record in batch)

    def _batches(self, topic: Topic, partition: int) -> Iterator[list[RawRecord]]:
        """The records from the topic's beginning to its end as it is when the first is asked for."""
        with self._consumer(topic, partition) as consumer:
            (source,) = consumer.assignment()
            consumer.seek_to_beginning(source)
            end = consumer.end_offsets([source], timeout_ms=_PATIENCE_MS)[source]
            heard = time.monotonic()
            while (consumer.position(source, timeout_ms=_PATIENCE_MS) or 0) < end:
                if batch := consumer.poll(timeout_ms=500).get(source):
                    heard = time.monotonic()
                    yield [record for record in batch if record.offset < end]
                elif time.monotonic() - heard > _SILENCE_S:
                    raise TransientError(f"The broker gives no more of {topic.name}, though its end is not reached.")

    @contextmanager
    def _consumer(self, topic: Topic, partition: int | None = None) -> Iterator[KafkaConsumer]:
        """A consumer of the partition, or of all."""
        try:
            consumer = KafkaConsumer(
                bootstrap_servers=self._kafka.bootstrap.split(","),
                bootstrap_timeout_ms=_BOOTSTRAP_MS,
                client_id=client_id("simulate"),
                isolation_level="read_committed",
                enable_auto_commit=False,
            )
            try:
                consumer.assign(self._wanted(consumer, topic, partition))
                yield consumer
            finally:
                consumer.close(autocommit=False)
        except KafkaError as error:
            raise TransientError(
                f"The broker at {self._kafka.bootstrap} does not answer: {type(error).__name__}. Is the stack running?"
            ) from error

    def _wanted(self, consumer: KafkaConsumer, topic: Topic, partition: int | None) -> Sequence[TopicPartition]:
        name = self._kafka.topic(topic)
        numbers = consumer.partitions_for_topic(name) if partition is None else [partition]
        if not numbers:
            raise ConfigurationError(f"There is no topic {name} on {self._kafka.bootstrap}: run `signpost up` first.")
        return [TopicPartition(name, number) for number in numbers]


def _offsets(found: dict[TopicPartition, int]) -> dict[int, int]:
    return {partition.partition: offset for partition, offset in found.items()}


def _tick_ms(record: RawRecord) -> int | None:
    try:
        event = _decode_event(record.value or b"")
    except InvalidMessage:
        return None
    return event.at_ms if isinstance(event, ClockTicked) else None
