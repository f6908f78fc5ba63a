"""Kafka plumbing: provisioning the declared topics, and client settings that every service must share."""

from __future__ import annotations

import os
from typing import Any

from aiokafka.partitioner import murmur2
from kafka import KafkaAdminClient
from kafka.errors import InvalidReplicationFactorError, KafkaError, TopicAlreadyExistsError

from services.kernel.errors import ConfigurationError, TransientError
from services.kernel.settings import KafkaSettings
from services.kernel.topics import ALL_TOPICS, Topic

_PATIENCE_MS = 10_000


def provision(settings: KafkaSettings) -> list[str]:
    """Make every declared topic exist; gives the names of those that were made.

    Raises:
        ConfigurationError: a topic exists with another number of partitions, or there are too few brokers for the
            replication factor.
        TransientError: the broker does not answer.
    """
    try:
        admin = KafkaAdminClient(
            bootstrap_servers=settings.bootstrap.split(","),
            bootstrap_timeout_ms=_PATIENCE_MS,
            reconnect_backoff_max_ms=1_000,
        )
    except KafkaError as error:
        raise TransientError(f"No Kafka broker answers at {settings.bootstrap}: {error}") from error
    try:
        existing = _partitions(admin)
        _refuse_other_partition_counts(settings, existing)
        missing = [topic for topic in ALL_TOPICS if settings.topic(topic) not in existing]
        return [settings.topic(topic) for topic in missing if _create(admin, settings, topic)]
    finally:
        admin.close()


def partition_of(student: str, partitions: int) -> int:
    """The partition of a student's records on every topic: murmur2, as Kafka's own clients choose it."""
    return int(murmur2(student.encode()) & 0x7FFFFFFF) % partitions


def client_id(service: str) -> str:
    """Names this process in the broker's logs and metrics."""
    return f"signpost-{service}-{os.getpid()}"


def _create(admin: KafkaAdminClient, settings: KafkaSettings, topic: Topic) -> bool:
    options: dict[str, Any] = {
        "num_partitions": settings.partitions,
        "replication_factor": settings.replication,
        "configs": topic.config,
    }
    try:
        admin.create_topics({settings.topic(topic): options}, wait_for_metadata=True)
    except TopicAlreadyExistsError:  # another instance was quicker
        return False
    except InvalidReplicationFactorError as error:
        wanted = settings.replication
        raise ConfigurationError(f"SIGNPOST_KAFKA__REPLICATION={wanted} is more than there are brokers") from error
    return True


def _partitions(admin: KafkaAdminClient) -> dict[str, int]:
    return {found["name"]: len(found["partitions"]) for found in admin.describe_topics()}


def _refuse_other_partition_counts(settings: KafkaSettings, existing: dict[str, int]) -> None:
    declared = [settings.topic(topic) for topic in ALL_TOPICS]
    wrong = {
        name: existing[name] for name in declared if existing.get(name, settings.partitions) != settings.partitions
    }
    if wrong:
        raise ConfigurationError(
            f"Topics with another number of partitions than SIGNPOST_KAFKA__PARTITIONS={settings.partitions}: {wrong}. "
            "Set it to theirs, or choose another SIGNPOST_KAFKA__NAMESPACE and rebuild."
        )
