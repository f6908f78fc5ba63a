"""From a record's bytes to what it says; what cannot be read is set aside, or stops us where the topic says so."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from services.kernel.codec import decoder
from services.kernel.dead_letters import RawRecord, dead_letter, refuse_flood
from services.kernel.errors import InvalidMessage
from services.kernel.events import DeadLettered
from services.kernel.topics import CONSENT_STATE, ENGAGEMENT_INDICATORS, RENEWALS, SUPPORT_TRIGGERS
from services.notify.handlers.intake import Event, Record

TOPICS = (CONSENT_STATE, ENGAGEMENT_INDICATORS, SUPPORT_TRIGGERS, RENEWALS)
_by_name = {topic.name: topic for topic in TOPICS}
_decoders = {topic.name: decoder(topic) for topic in TOPICS}


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
        refuse_flood(self._in_a_row, _by_name[topic], error)
        return dead_letter("notify", _by_name[topic], raw, error, now_ms)


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
