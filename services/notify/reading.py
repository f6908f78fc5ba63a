"""From a record's bytes to what it says; what cannot be read is set aside, or stops us where the topic says so."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

from services.kernel.codec import decoder
from services.kernel.errors import InvalidMessage
from services.kernel.events import DeadLettered
from services.kernel.topics import CONSENT_STATE, ENGAGEMENT_INDICATORS, SUPPORT_TRIGGERS
from services.notify.handlers.intake import Event, Record

TOPICS = (CONSENT_STATE, ENGAGEMENT_INDICATORS, SUPPORT_TRIGGERS)
FLOOD = 100  # unreadable records in a row: then something is wrong with more than one of them
_by_name = {topic.name: topic for topic in TOPICS}
_decoders = {topic.name: decoder(topic) for topic in TOPICS}


class RawRecord(Protocol):
    """What a Kafka client gives."""

    partition: int
    offset: int
    key: bytes | None
    value: bytes | None


class Flood(Exception):  # noqa: N818 - it ends the process, loudly
    """So many records in a row cannot be read that setting them aside would hide a fault."""


class Reader:
    """Reads batches, and counts unreadable records in a row."""

    def __init__(self) -> None:
        self._in_a_row = 0

    def read(
        self, batches: Mapping[tuple[str, int], Sequence[RawRecord]], now_ms: int
    ) -> tuple[dict[tuple[str, int], list[Record]], list[DeadLettered]]:
        """What the records say, and those that are set aside.

        Raises:
            InvalidMessage: a consent cannot be read; passing it over could pass over a withdrawal.
            Flood: too many in a row cannot be read.
        """
        read: dict[tuple[str, int], list[Record]] = {}
        aside: list[DeadLettered] = []
        for (topic, partition), batch in batches.items():
            records = read[topic, partition] = []
            for raw in batch:
                try:
                    records.append(_record(topic, raw))
                    self._in_a_row = 0
                except InvalidMessage as error:
                    aside.append(self._set_aside(topic, raw, error, now_ms))
        return read, aside

    def _set_aside(self, topic: str, raw: RawRecord, error: InvalidMessage, now_ms: int) -> DeadLettered:
        self._in_a_row += 1
        if _by_name[topic].poison == "halt":
            raise error
        if self._in_a_row > FLOOD:
            raise Flood(f"more than {FLOOD} records of {topic} in a row cannot be read: {error.reason}") from error
        return DeadLettered(
            consumer="notify",
            reason=error.reason,
            detail=str(error),
            topic=topic,
            partition=raw.partition,
            offset=raw.offset,
            key=raw.key,
            value=raw.value,
            failed_ms=now_ms,
        )


def _record(topic: str, raw: RawRecord) -> Record:
    declared = _by_name[topic]
    student = (raw.key or b"").decode("ascii", "replace")
    if raw.value is None and declared is ENGAGEMENT_INDICATORS:
        return Record(declared, raw.partition, raw.offset, student, None)
    if raw.value is None:
        raise InvalidMessage("no-value", f"{topic} knows no tombstones")
    event: Event = _decoders[topic](raw.value)
    if event.student != student:
        raise InvalidMessage("wrong-key", f"{topic}: the key is not the student of the value")
    return Record(declared, raw.partition, raw.offset, student, event)
