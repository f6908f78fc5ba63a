"""What stands on the topic of consents now: for the command that compares it with the ledger."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from kafka import KafkaConsumer, TopicPartition
from kafka.errors import KafkaError

from services.kernel.codec import decoder
from services.kernel.dead_letters import RawRecord
from services.kernel.errors import ConfigurationError, InvalidMessage, TransientError
from services.kernel.events import ConsentStateChanged
from services.kernel.kafka import client_id
from services.kernel.settings import KafkaSettings
from services.kernel.topics import CONSENT_STATE

_PATIENCE_MS = 10_000
_SILENCE_S = 30.0  # without a record, before the end is reached
_decode: Callable[[bytes], ConsentStateChanged] = decoder(CONSENT_STATE)


@dataclass(slots=True)
class Standing:
    """The topic as it stood.

    Attributes:
        states: the last of each student; a student whose last record is a tombstone is not in it.
        unreadable: where the last record of a key stands that cannot be read, as TOPIC[PARTITION]@OFFSET; every gate
            halts there.
    """

    states: dict[str, ConsentStateChanged] = field(default_factory=dict)
    unreadable: dict[bytes, str] = field(default_factory=dict)

    def take(self, record: RawRecord, name: str) -> None:
        """Let a record take the place of its key's last."""
        key = record.key or b""
        student = key.decode("ascii", "replace")
        self.states.pop(student, None)
        self.unreadable.pop(key, None)
        try:
            if record.value is not None:
                self.states[student] = _state(student, record.value)
        except InvalidMessage:
            self.unreadable[key] = f"{name}[{record.partition}]@{record.offset}"


def read(kafka: KafkaSettings, progress: Callable[[int, int], None] = lambda _read, _of: None) -> Standing:
    """Read the topic from its start to its present end; `progress` is told how many records, of how many.

    Raises:
        ConfigurationError: there is no such topic.
        TransientError: the broker does not answer.
    """
    try:
        consumer = KafkaConsumer(
            bootstrap_servers=kafka.bootstrap.split(","),
            bootstrap_timeout_ms=_PATIENCE_MS,
            client_id=client_id("consent-republish"),
            isolation_level="read_committed",
            enable_auto_commit=False,
        )
        try:
            return _read(consumer, kafka.topic(CONSENT_STATE), progress)
        finally:
            consumer.close(autocommit=False)
    except KafkaError as error:
        raise TransientError(f"The broker at {kafka.bootstrap} does not answer: {type(error).__name__}.") from error


def _read(consumer: KafkaConsumer, name: str, progress: Callable[[int, int], None]) -> Standing:
    partitions = [TopicPartition(name, number) for number in consumer.partitions_for_topic(name) or ()]
    if not partitions:
        raise ConfigurationError(f"There is no topic {name}: run `signpost provision` first.")
    consumer.assign(partitions)
    consumer.seek_to_beginning()
    ends: Mapping[TopicPartition, int] = consumer.end_offsets(partitions, timeout_ms=_PATIENCE_MS)
    begins: Mapping[TopicPartition, int] = consumer.beginning_offsets(partitions, timeout_ms=_PATIENCE_MS)
    standing, heard = Standing(), time.monotonic()
    while (left := _left(consumer, ends)) > 0:
        for batch in consumer.poll(timeout_ms=500).values():
            heard = time.monotonic()
            for record in batch:
                standing.take(record, name)
        if time.monotonic() - heard > _SILENCE_S:
            raise TransientError(f"The broker gives no more of {name}, though its end is not reached.")
        total = sum(ends.values()) - sum(begins.values())
        progress(total - left, total)
    return standing


def _left(consumer: KafkaConsumer, ends: Mapping[TopicPartition, int]) -> int:
    return sum(max(0, end - (consumer.position(tp, timeout_ms=_PATIENCE_MS) or 0)) for tp, end in ends.items())


def _state(student: str, value: bytes) -> ConsentStateChanged:
    state = _decode(value)
    if state.student != student:
        raise InvalidMessage("wrong-key", "its key is not its student")
    return state
