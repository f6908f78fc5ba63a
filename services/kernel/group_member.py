"""A kafka-python consumer in a group whose members keep their positions in their own database, not in Kafka."""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from typing import Any

from kafka import ConsumerRebalanceListener, KafkaConsumer, TopicPartition
from kafka.errors import KafkaTimeoutError, UnknownTopicOrPartitionError

from services.kernel.kafka import client_id
from services.kernel.settings import KafkaSettings

SILENCE_S = 15.0
_CLOSE_MS = 5_000


class Silence:
    """Notices a member that is given nothing although there is something.

    kafka-python can lose its group for good, without an error: its poll then waits for the group's coordinator for
    ever. A new member in its place is given its partitions within seconds.
    """

    def __init__(self) -> None:
        self._since = time.monotonic()

    def broken(self) -> None:
        """Something came, or nothing is there to come."""
        self._since = time.monotonic()

    def check(self) -> None:
        """Called while something is unread.

        Raises:
            KafkaTimeoutError: nothing has come for longer than `SILENCE_S`; leave the group and join it anew.
        """
        if time.monotonic() - self._since > SILENCE_S:
            self.broken()  # the next member is given as long
            raise KafkaTimeoutError(f"nothing came for {SILENCE_S:.0f} s, though there is something to read")


class Placing(ConsumerRebalanceListener):  # type: ignore[misc]  # kafka-python publishes no types
    """Notes that partitions were assigned; going to their places is done outside, where a failure is not swallowed."""

    needed = True

    def on_partitions_revoked(self, revoked: Iterable[TopicPartition]) -> None:
        """Nothing is pending: what was read took effect in its round."""

    def on_partitions_assigned(self, assigned: Iterable[TopicPartition]) -> None:  # noqa: ARG002 - all are placed
        """Ask for the places."""
        self.needed = True


def join(kafka: KafkaSettings, name: str, topics: Sequence[str], placing: Placing, **options: Any) -> KafkaConsumer:
    """A new member of the group `name`, subscribed to these topics (as the broker names them).

    `options` are more of the client's own settings.

    Raises:
        UnknownTopicOrPartitionError: not all of the topics are there yet.
        KafkaError: the broker does not answer.
    """
    consumer = KafkaConsumer(
        bootstrap_servers=kafka.bootstrap.split(","),
        client_id=client_id(name),
        group_id=kafka.group(name),
        isolation_level="read_committed",
        enable_auto_commit=False,
        auto_offset_reset="earliest",
        session_timeout_ms=int(kafka.session_timeout_s * 1000),
        heartbeat_interval_ms=int(kafka.session_timeout_s * 300),
        metadata_max_age_ms=30_000,
        reconnect_backoff_max_ms=1_000,
        **options,
    )
    try:
        _subscribe(consumer, topics, placing)
    except BaseException:
        consumer.close(autocommit=False, timeout_ms=_CLOSE_MS)
        raise
    return consumer


def _subscribe(consumer: KafkaConsumer, topics: Sequence[str], placing: Placing) -> None:
    # A group that forms before the topics are known assigns nothing, and is slow to notice that they are.
    if not all(consumer.partitions_for_topic(topic) for topic in topics):
        raise UnknownTopicOrPartitionError(f"not all of {sorted(topics)} are there yet")
    consumer.subscribe(list(topics), listener=placing)
