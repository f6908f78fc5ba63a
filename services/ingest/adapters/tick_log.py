"""Finding the last tick in the event log, so that a door that starts again knows where time stands.

Of several doors each writes ticks with what it has heard itself, so the ticks just before the last are taken in too.
"""

from __future__ import annotations

import asyncio

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError

from services.kernel.codec import decoder
from services.kernel.errors import InvalidMessage, TransientError
from services.kernel.events import ClockTicked
from services.kernel.kafka import client_id
from services.kernel.settings import KafkaSettings
from services.kernel.topics import ACTIVITY_EVENTS

FIRST_STEP = 2_000
_ANSWER_S = 30.0


async def last_tick(kafka: KafkaSettings, first_step: int = FIRST_STEP) -> ClockTicked | None:
    """The last tick, looked for in the first partition backwards from its end, in growing steps; None without one.

    Raises:
        TransientError: the broker does not answer.
    """
    consumer = AIOKafkaConsumer(
        bootstrap_servers=kafka.bootstrap.split(","),
        client_id=client_id("ingest-clock"),
        enable_auto_commit=False,
        auto_offset_reset="none",
    )
    try:
        await consumer.start()
        return await _search(consumer, TopicPartition(kafka.topic(ACTIVITY_EVENTS), 0), first_step)
    except (KafkaError, TimeoutError) as error:
        raise TransientError(f"The last tick cannot be read: {type(error).__name__}") from error
    finally:
        await consumer.stop()


async def _search(consumer: AIOKafkaConsumer, partition: TopicPartition, step: int) -> ClockTicked | None:
    consumer.assign([partition])
    first = (await consumer.beginning_offsets([partition]))[partition]
    until = (await consumer.end_offsets([partition]))[partition]
    while until > first:
        start = max(first, until - step)
        found = await _ticks_between(consumer, partition, start, until)
        if found is not None:
            return found
        until, step = start, step * 4
    return None


async def _ticks_between(
    consumer: AIOKafkaConsumer, partition: TopicPartition, start: int, until: int
) -> ClockTicked | None:
    """The last tick there, with the latest that any of them heard."""
    consumer.seek(partition, start)
    decode, found = decoder(ACTIVITY_EVENTS), None
    heard: dict[str, int] = {}
    while await consumer.position(partition) < until:
        polled = await asyncio.wait_for(consumer.getmany(partition, timeout_ms=500), _ANSWER_S)
        for record in polled.get(partition, ()):
            try:
                event = decode(record.value)
            except InvalidMessage:
                continue  # the indicators workers set it aside; no tick of ours is unreadable
            if record.offset < until and isinstance(event, ClockTicked):
                heard |= {source: max(at_ms, heard.get(source, 0)) for source, at_ms in event.heard.items()}
                found = ClockTicked(at_ms=event.at_ms, heard=heard)
    return found
