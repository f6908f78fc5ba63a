"""The log that every variant reads: a broker, topics, and a producer that is no bottleneck."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path

from aiokafka import AIOKafkaProducer
from kafka import KafkaConsumer, TopicPartition

from deploy.local.kafka.broker import Broker
from deploy.local.machine.ports import free_port
from services.kernel.kafka import provision
from services.kernel.settings import KafkaSettings
from services.kernel.topics import ACTIVITY_EVENTS, CONSENT_STATE, ENROLMENTS, Topic
from tests.bench.indicators.workload import Keyed, Workload
from tests.support.brokers import JARS

Advance = Callable[[int], object]
_BATCH_BYTES = 900_000  # the broker takes one million


@contextmanager
def running_broker(folder: Path, *, gather_s: float = 0) -> Iterator[str]:
    """A broker of its own for the whole benchmark; gives its address.

    With `gather_s`, the first members of a group wait so long for others, so that several begin at once.
    """
    port, settings = free_port(), {"group.initial.rebalance.delay.ms": str(int(gather_s * 1000))}
    broker = Broker(folder / "broker", JARS, port, free_port(exclude=[port]), settings=settings, jvm=("-Xmx1g",))
    broker.start()
    try:
        yield broker.bootstrap
    finally:
        broker.stop()


def write(kafka: KafkaSettings, workload: Workload, advance: Advance) -> dict[int, int]:
    """Make the topics and write all of the workload; gives the end of each partition of the events."""
    provision(kafka)
    asyncio.run(_write(kafka, workload, advance))
    return ends_of_events(kafka)


def append_tick(kafka: KafkaSettings, value: bytes) -> tuple[float, dict[int, int]]:
    """Write one more tick into every partition; gives the moment on the monotonic clock, and the new ends."""
    at = asyncio.run(_append(kafka, [[Keyed(None, value)] for _ in range(kafka.partitions)]))
    return at, ends_of_events(kafka)


def ends_of_events(kafka: KafkaSettings) -> dict[int, int]:
    """The end of each partition of the events."""
    with closing(KafkaConsumer(bootstrap_servers=kafka.bootstrap)) as consumer:
        name = kafka.topic(ACTIVITY_EVENTS)
        ends = consumer.end_offsets([TopicPartition(name, number) for number in range(kafka.partitions)])
    return {partition.partition: end for partition, end in ends.items()}


async def _append(kafka: KafkaSettings, records: Sequence[Iterable[Keyed]]) -> float:
    async with AIOKafkaProducer(bootstrap_servers=kafka.bootstrap) as producer:
        at = time.monotonic()
        await _send(producer, kafka.topic(ACTIVITY_EVENTS), records)
    return at


async def _write(kafka: KafkaSettings, workload: Workload, advance: Advance) -> None:
    async with AIOKafkaProducer(bootstrap_servers=kafka.bootstrap, acks="all", max_batch_size=_BATCH_BYTES) as producer:
        for topic, records in ((CONSENT_STATE, workload.consents()), (ENROLMENTS, workload.enrolments())):
            await _send(producer, _name(kafka, topic), records)
        for day in workload.term():
            tick = Keyed(None, day.tick)
            await _send(producer, _name(kafka, ACTIVITY_EVENTS), [[*events, tick] for events in day.events])
            advance(day.number)


def _name(kafka: KafkaSettings, topic: Topic) -> str:
    return kafka.topic(topic)


async def _send(producer: AIOKafkaProducer, topic: str, records: Sequence[Iterable[Keyed]]) -> None:
    """Whole batches, each acknowledged before this ends."""
    acknowledged = []
    for partition, found in enumerate(records):
        batch = producer.create_batch()
        for key, value in found:
            if batch.append(key=key, value=value, timestamp=None) is None:
                acknowledged.append(await producer.send_batch(batch, topic, partition=partition))
                batch = producer.create_batch()
                batch.append(key=key, value=value, timestamp=None)
        if batch.record_count():
            acknowledged.append(await producer.send_batch(batch, topic, partition=partition))
    await asyncio.gather(*acknowledged)
