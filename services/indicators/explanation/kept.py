"""What the workers keep of one student, read from their topics; of other students' records nothing is kept."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import msgspec
from kafka import KafkaConsumer, TopicPartition
from kafka.errors import KafkaError

from services.indicators.adapters.transactions import POSITION_KEY
from services.indicators.handlers import cohorts
from services.indicators.ports import Position
from services.kernel.dead_letters import RawRecord
from services.kernel.errors import ConfigurationError, TransientError
from services.kernel.kafka import client_id, partition_of
from services.kernel.settings import KafkaSettings
from services.kernel.topics import CONSENT_STATE, ENROLMENTS, INDICATORS_STATE, Topic

_PATIENCE_MS = 10_000
_SILENCE_S = 30.0  # without a record, before the end is reached
_read_position = msgspec.json.Decoder(Position).decode
Wanted = Callable[[bytes], bool]  # of a record's key


@dataclass(frozen=True, slots=True)
class Kept:
    """The last records that concern one student.

    Attributes:
        student: the pseudonym.
        partition: in which all of them stand.
        position: of the partition's shard.
        states: the student's state, if there is one, and what the shard remembers of cohorts, by the topic's keys.
        consent, enrolments: None where there is none, or none any more.
    """

    student: str
    partition: int
    position: Position
    states: Mapping[bytes, bytes]
    consent: RawRecord | None
    enrolments: RawRecord | None


def read(kafka: KafkaSettings, student: str) -> Kept:
    """What is kept of a student now.

    Raises:
        ConfigurationError: no worker has run on this broker.
        TransientError: the broker does not answer.
    """
    number, key = partition_of(student, kafka.partitions), student.encode()
    try:
        last = {
            topic: _last(kafka, topic, number, wanted)
            for topic, wanted in (
                (INDICATORS_STATE, lambda found: found in (POSITION_KEY, key) or found.startswith(cohorts.KEY)),
                (CONSENT_STATE, lambda found: found == key),
                (ENROLMENTS, lambda found: found == key),
            )
        }
    except KafkaError as error:
        raise TransientError(
            f"The broker at {kafka.bootstrap} does not answer: {type(error).__name__}. Is the stack running?"
        ) from error
    position = last[INDICATORS_STATE].pop(POSITION_KEY, None)
    if position is None:
        raise ConfigurationError(
            f"No worker has kept anything on {kafka.bootstrap} yet: `signpost work indicators` does after a tick."
        )
    return Kept(
        student=student,
        partition=number,
        position=_read_position(position.value or b""),
        states={found: record.value for found, record in last[INDICATORS_STATE].items() if record.value},
        consent=last[CONSENT_STATE].get(key),
        enrolments=last[ENROLMENTS].get(key),
    )


def _last(kafka: KafkaSettings, topic: Topic, partition: int, wanted: Wanted) -> dict[bytes, RawRecord]:
    """The last record of each wanted key that is not deleted, up to the end as it is now."""
    source, found = TopicPartition(kafka.topic(topic), partition), {}
    consumer = KafkaConsumer(
        bootstrap_servers=kafka.bootstrap.split(","),
        bootstrap_timeout_ms=_PATIENCE_MS,
        client_id=client_id("explain"),
        isolation_level="read_committed",
        enable_auto_commit=False,
    )
    try:
        consumer.assign([source])
        consumer.seek_to_beginning(source)
        end, heard = consumer.end_offsets([source], timeout_ms=_PATIENCE_MS)[source], time.monotonic()
        while (consumer.position(source, timeout_ms=_PATIENCE_MS) or 0) < end:
            records = consumer.poll(timeout_ms=500).get(source, ())
            if time.monotonic() - heard > _SILENCE_S:
                raise TransientError(f"The broker gives no more of {topic.name}, though its end is not reached.")
            heard = time.monotonic() if records else heard
            for record in records:
                key = record.key or b""
                if wanted(key):
                    found[key] = record
    finally:
        consumer.close(autocommit=False)
    return {key: record for key, record in found.items() if record.value is not None}
