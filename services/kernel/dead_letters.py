"""Setting a record aside that cannot be read, with its original bytes; and how many in a row are too many."""

from __future__ import annotations

from typing import Protocol

from services.kernel.errors import InvalidMessage
from services.kernel.events import DeadLettered
from services.kernel.topics import Topic

FLOOD = 100  # unreadable records in a row: then something is wrong with more than one of them


class Flood(Exception):  # noqa: N818 - it ends the process, loudly
    """So many records in a row cannot be read that setting them aside would hide a fault."""


class RawRecord(Protocol):
    """What every Kafka client gives."""

    @property
    def partition(self) -> int: ...  # noqa: D102 - Kafka's own term
    @property
    def offset(self) -> int: ...  # noqa: D102 - Kafka's own term
    @property
    def key(self) -> bytes | None: ...  # noqa: D102 - Kafka's own term
    @property
    def value(self) -> bytes | None: ...  # noqa: D102 - Kafka's own term


def dead_letter(consumer: str, topic: Topic, record: RawRecord, error: InvalidMessage, failed_ms: int) -> DeadLettered:
    """What the dead letters say of a record of `topic` that `consumer` could not read at `failed_ms`."""
    return DeadLettered(
        consumer=consumer,
        reason=error.reason,
        detail=str(error),
        topic=topic.name,
        partition=record.partition,
        offset=record.offset,
        key=record.key,
        value=record.value,
        failed_ms=failed_ms,
    )


def refuse_flood(in_a_row: int, topic: Topic, error: InvalidMessage) -> None:
    """Let one or another unreadable record pass.

    Raises:
        Flood: there are more than `FLOOD` in a row.
    """
    if in_a_row > FLOOD:
        raise Flood(f"more than {FLOOD} records of {topic.name} in a row cannot be read: {error.reason}") from error
