"""What notify last read from the log: consents, indicators, how far it has read, and the stream's time."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import Any

from sqlalchemy import Connection, delete, func, select, update

from services.kernel.codec import decoder, encode
from services.kernel.database import in_parts
from services.kernel.events import ConsentStateChanged, IndicatorsComputed
from services.kernel.topics import CONSENT_STATE, ENGAGEMENT_INDICATORS
from services.notify.adapters.tables import consent, indicators, position, stream_time, upsert

_consent_of = decoder(CONSENT_STATE)
_indicators_of = decoder(ENGAGEMENT_INDICATORS)


class Snapshots:
    """The snapshots, within one transaction."""

    def __init__(self, tx: Connection) -> None:
        self._tx = tx

    def consents(self, students: Iterable[str]) -> dict[str, ConsentStateChanged]:
        """The known consent of those of the students who have any."""
        found: dict[str, ConsentStateChanged] = {}
        for some in in_parts(students):
            rows = self._tx.execute(select(consent).where(consent.c.student.in_(some)))
            found |= {row.student: _consent_of(row.snapshot) for row in rows}
        return found

    def consent(self, student: str) -> ConsentStateChanged | None:
        """The student's known consent."""
        return self.consents([student]).get(student)

    def put_consents(self, changed: Collection[ConsentStateChanged]) -> None:
        """Keep the snapshots."""
        rows = [{"student": c.student, "version": c.version, "snapshot": encode(c)} for c in changed]
        upsert(self._tx, consent, rows, "version", "snapshot")

    def indicators(self, students: Iterable[str]) -> dict[str, IndicatorsComputed]:
        """The current indicators of those of the students who have any."""
        found: dict[str, IndicatorsComputed] = {}
        for some in in_parts(students):
            rows = self._tx.execute(select(indicators).where(indicators.c.student.in_(some)))
            found |= {row.student: _indicators_of(row.snapshot) for row in rows}
        return found

    def put_indicators(self, computed: Collection[IndicatorsComputed]) -> None:
        """Keep the current indicators."""
        upsert(self._tx, indicators, [{"student": i.student, "snapshot": encode(i)} for i in computed], "snapshot")

    def forget_indicators(self, students: Iterable[str]) -> None:
        """Remove the indicators of the students."""
        for some in in_parts(students):
            self._tx.execute(delete(indicators).where(indicators.c.student.in_(some)))

    def positions(self, topics: Iterable[str]) -> dict[tuple[str, int], int]:
        """The next offset to read of each partition; the rows stay ours until the transaction ends."""
        query = select(position).where(position.c.topic.in_(list(topics))).with_for_update()
        return {(row.topic, row.partition): row.next_offset for row in self._tx.execute(query)}

    def put_positions(self, reached: dict[tuple[str, int], int]) -> None:
        """Say how far we have read."""
        rows = [
            {"topic": topic, "partition": partition, "next_offset": offset}
            for (topic, partition), offset in reached.items()
        ]
        upsert(self._tx, position, rows, "next_offset")

    def mark_current(self, topic: str, partitions: Iterable[int], at_ms: int) -> None:
        """Say that at that moment nothing of these partitions was unread."""
        rows = [{"topic": topic, "partition": p, "next_offset": 0, "current_ms": at_ms} for p in partitions]
        upsert(self._tx, position, rows, "current_ms")

    def current_partitions(self, topic: str, since_ms: int) -> int:
        """How many partitions of the topic had nothing unread at some moment since then."""
        found = position.c.topic == topic, position.c.current_ms >= since_ms
        return self._tx.execute(select(func.count()).select_from(position).where(*found)).scalar_one()

    def stream_ms(self) -> int:
        """The latest moment that the stream has spoken of; 0 before the first."""
        return self._tx.execute(select(stream_time.c.at_ms)).scalar() or 0

    def advance_stream(self, at_ms: int) -> None:
        """Note that the stream has come to a moment; an earlier one changes nothing."""
        upsert(self._tx, stream_time, [{"id": 1, "at_ms": 0}])
        later: Any = stream_time.c.at_ms < at_ms
        self._tx.execute(update(stream_time).where(later).values(at_ms=at_ms))
