"""What one flush of a shard changes, written as one Kafka transaction under the partition's own transactional id.

A crash at any moment leaves all of it or nothing, and the next owner's start fences the one before: a paused and
resumed worker's writes are refused by the broker.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping

import msgspec
from aiokafka import AIOKafkaProducer, TopicPartition

from services.indicators.adapters.receipts import receipts_for
from services.indicators.ports import Changes, Position
from services.kernel.clock import SystemClock
from services.kernel.codec import encode
from services.kernel.dead_letters import RawRecord, dead_letter
from services.kernel.errors import InvalidMessage
from services.kernel.events import CohortClosed, CohortCounted, DeadLettered
from services.kernel.kafka import client_id
from services.kernel.logs import log
from services.kernel.metrics import IndicatorMetrics
from services.kernel.settings import Settings
from services.kernel.topics import (
    ACTIVITY_EVENTS,
    COHORT_NORMS,
    CONSENT_RECEIPTS,
    DEAD_LETTERS,
    ENGAGEMENT_INDICATORS,
    INDICATORS_STATE,
    SUPPORT_TRIGGERS,
    Topic,
)

POSITION_KEY = b""  # in the state topic, beside the students' keys
Keyed = tuple[bytes | None, bytes | None]
_log = log(__name__)


class Transactions:
    """The transactions of one partition."""

    def __init__(self, partition: int, settings: Settings, metrics: IndicatorMetrics) -> None:
        self._number, self._settings, self._metrics = partition, settings, metrics
        self._producer = AIOKafkaProducer(
            bootstrap_servers=settings.kafka.bootstrap,
            client_id=client_id("indicators"),
            transactional_id=settings.kafka.group(f"indicators-{partition}"),
            transaction_timeout_ms=60_000,  # a week's first tick changes everybody's state
            max_batch_size=1 << 18,
        )

    async def start(self) -> None:
        """Fence the previous owner, and settle its open transaction."""
        await self._producer.start()

    async def stop(self) -> None:
        """Let go of the broker."""
        await self._producer.stop()

    async def commit(self, changes: Changes, position: Position, obeyed: Mapping[str, int]) -> None:
        """Write all of it or nothing.

        Args:
            changes: of the partition.
            position: where it stands with them.
            obeyed: versions of consents to give receipts for, by pseudonym.
        """
        name = self._settings.kafka.topic(ACTIVITY_EVENTS)
        # For lag tools; the position that counts is the one in the state topic. One is behind as long as anything is
        # still to be said of the last record.
        offsets = {TopicPartition(name, self._number): position.offset - position.unfinished}
        group = self._settings.kafka.group("indicators-shards")
        with self._metrics.flush.time():
            async with self._producer.transaction():
                await self._write(changes, position, obeyed)
                await self._producer.send_offsets_to_transaction(offsets, group)

    async def _write(self, changes: Changes, position: Position, obeyed: Mapping[str, int]) -> None:
        states = [*_keyed(changes.states), *changes.cohorts.items(), (POSITION_KEY, msgspec.json.encode(position))]
        letters = [encode(self._dead_letter(record, error)) for record, error in changes.unreadable]
        await self._send(INDICATORS_STATE, states)
        await self._send(ENGAGEMENT_INDICATORS, _keyed(changes.indicators))
        await self._send(SUPPORT_TRIGGERS, [(t.student.encode(), encode(t)) for t in changes.triggers])
        await self._send(COHORT_NORMS, [(_module(said), encode(said)) for said in changes.norms])
        await self._send(CONSENT_RECEIPTS, receipts_for(obeyed))
        await self._send(DEAD_LETTERS, [(None, letter) for letter in letters])

    async def _send(self, topic: Topic, records: Iterable[Keyed]) -> None:
        name, acknowledged = self._settings.kafka.topic(topic), []
        batch = self._producer.create_batch()
        for key, value in records:
            if batch.append(key=key, value=value, timestamp=None) is None:
                acknowledged.append(await self._producer.send_batch(batch, name, partition=self._number))
                batch = self._producer.create_batch()
                batch.append(key=key, value=value, timestamp=None)
        if batch.record_count():
            acknowledged.append(await self._producer.send_batch(batch, name, partition=self._number))
        await asyncio.gather(*acknowledged)

    def _dead_letter(self, record: RawRecord, error: InvalidMessage) -> DeadLettered:
        self._metrics.dead_letters.labels(ACTIVITY_EVENTS.name, error.reason).inc()
        _log.warning("record_set_aside", partition=self._number, offset=record.offset, reason=error.reason)
        return dead_letter("indicators", ACTIVITY_EVENTS, record, error, SystemClock().now_ms())


def _keyed(values: Mapping[str, bytes | None]) -> list[Keyed]:
    return [(key.encode(), value) for key, value in values.items()]


def _module(said: CohortCounted | CohortClosed) -> bytes | None:
    return said.module.encode() if isinstance(said, CohortCounted) else None
