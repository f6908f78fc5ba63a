"""A fresh set of topics on a broker, and everything that stands in a topic."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from kafka import KafkaAdminClient, KafkaConsumer, KafkaProducer, TopicPartition

from deploy.local.kafka.broker import Broker
from services.kernel.kafka import provision
from services.kernel.settings import KafkaSettings
from services.kernel.topics import Topic
from tests.support.waiting import TIMEOUT_S, eventually

SESSION_TIMEOUT_S = 3.0


@dataclass(frozen=True, slots=True)
class Record:
    """A record as it stands in a topic."""

    partition: int
    offset: int
    timestamp_ms: int
    key: bytes | None
    value: bytes | None


def fresh_settings(broker: Broker, **changes: Any) -> KafkaSettings:
    """Settings with a namespace that nobody else uses, its topics made."""
    namespace = f"t{secrets.token_hex(4)}-"
    wanted = {"bootstrap": broker.bootstrap, "namespace": namespace, "session_timeout_s": SESSION_TIMEOUT_S}
    settings = KafkaSettings(**(wanted | changes))
    provision(settings)
    return settings


@contextmanager
def admin_client(settings: KafkaSettings) -> Iterator[KafkaAdminClient]:
    """The broker's administration."""
    admin = KafkaAdminClient(bootstrap_servers=settings.bootstrap)
    try:
        yield admin
    finally:
        admin.close()


def delete_topics(settings: KafkaSettings) -> None:
    """Remove every topic of the settings' namespace."""
    with admin_client(settings) as admin:
        admin.delete_topics([name for name in admin.list_topics() if name.startswith(settings.namespace)])


def read_topic(
    settings: KafkaSettings, topic: Topic, *, committed: bool = True, timeout_s: float = TIMEOUT_S
) -> list[Record]:
    """All records that stand in a topic now, by partition and offset.

    With `committed=False` also those of transactions that were aborted or are open.
    """
    consumer = KafkaConsumer(
        bootstrap_servers=settings.bootstrap,
        isolation_level="read_committed" if committed else "read_uncommitted",
        enable_auto_commit=False,
    )
    try:
        return _read_all(consumer, settings.topic(topic), timeout_s)
    finally:
        consumer.close()


def write(
    settings: KafkaSettings, topic: Topic, key: str | None, value: bytes | None, partition: int | None = None
) -> None:
    """Write one record, whatever bytes it holds, and wait until it stands there."""
    producer = KafkaProducer(bootstrap_servers=settings.bootstrap, acks="all")
    try:
        encoded = None if key is None else key.encode()
        producer.send(settings.topic(topic), key=encoded, value=value, partition=partition).get(TIMEOUT_S)
    finally:
        producer.close()


def _read_all(consumer: KafkaConsumer, name: str, timeout_s: float) -> list[Record]:
    partitions = [TopicPartition(name, number) for number in sorted(consumer.partitions_for_topic(name) or ())]
    assert partitions, f"there is no topic {name}"
    consumer.assign(partitions)
    consumer.seek_to_beginning()
    ends = consumer.end_offsets(partitions)
    records: list[Record] = []

    def at_end() -> bool:
        for polled in consumer.poll(timeout_ms=200).values():
            records.extend(Record(r.partition, r.offset, r.timestamp, r.key, r.value) for r in polled)
        return all(consumer.position(partition) >= end for partition, end in ends.items())

    eventually(at_end, timeout_s, f"the end of {name}")
    before_the_end = (r for r in records if r.offset < ends[TopicPartition(name, r.partition)])
    return sorted(before_the_end, key=lambda r: (r.partition, r.offset))
