"""Writing to the event log: idempotent, acknowledged by all replicas, in order within a partition."""

from __future__ import annotations

import asyncio
import secrets
import time
from collections import deque
from collections.abc import Callable, Coroutine, Iterable, Sequence
from functools import lru_cache
from typing import Any

from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError

from services.kernel.codec import encode
from services.kernel.errors import TransientError
from services.kernel.events import ActivityRecorded, ClockTicked, ConsentApplied
from services.kernel.kafka import client_id, partition_of
from services.kernel.logs import log
from services.kernel.settings import KafkaSettings
from services.kernel.topics import ACTIVITY_EVENTS, CONSENT_RECEIPTS

_CONNECT_S = 10.0
_WRITE_S = 10.0
_STOP_S = 2.0
_BATCH_BYTES = 1 << 18
_REMEMBERED = 64
_AWAY = "The event log does not answer just now; send this again, nothing will count twice."
_log = log(__name__)
_Sends = Coroutine[Any, Any, "asyncio.Future[Any]"]


class EventLog:
    """The topic of activity events, as the door writes it."""

    def __init__(self, kafka: KafkaSettings) -> None:
        self._kafka = kafka
        self._topic = kafka.topic(ACTIVITY_EVENTS)
        self._producer: AIOKafkaProducer | None = None
        self._connecting = asyncio.Lock()
        self._lately_s = deque([0.005], maxlen=_REMEMBERED)
        self._partition_of = lru_cache(maxsize=1 << 17)(lambda student: partition_of(student, kafka.partitions))

    def problem(self) -> str | None:
        """For a health check."""
        return "not connected to the broker" if self._producer is None else None

    async def connect(self) -> AIOKafkaProducer:
        """The connected producer.

        Raises:
            TransientError: the broker does not answer.
        """
        async with self._connecting:
            if self._producer is None:
                self._producer = await self._new_producer()
            return self._producer

    async def close(self) -> None:
        """Let go of the producer, after what it still has to write."""
        producer, self._producer = self._producer, None
        if producer is not None:
            await _stop(producer)

    async def append(self, events: Sequence[ActivityRecorded]) -> None:
        """Write the events; returns when the broker has acknowledged all of them.

        Without an event it asks the broker something else, and takes as long as a write lately took: how long an
        answer takes must not tell whether a student consents.

        Raises:
            TransientError: not all were acknowledged; sending them again is harmless.
        """
        began = time.monotonic()
        if not events:
            await self._as_if_written(began)
            return
        producer = await self.connect()
        await self._written(producer, (self._send_event(producer, event) for event in events))
        self._lately_s.append(time.monotonic() - began)

    async def tick(self, tick: ClockTicked) -> None:
        """Write a tick into every partition.

        Raises:
            TransientError: not all were acknowledged; writing it again is harmless.
        """
        producer, value = await self.connect(), encode(tick)
        numbers = range(self._kafka.partitions)
        await self._written(producer, (producer.send(self._topic, value, partition=number) for number in numbers))

    async def receipts(self, receipts: Sequence[ConsentApplied]) -> None:
        """Say which consents the door obeys.

        Raises:
            TransientError: not all were acknowledged; who misses one asks again.
        """
        producer, topic = await self.connect(), self._kafka.topic(CONSENT_RECEIPTS)
        sends = (producer.send(topic, encode(receipt), key=receipt.student.encode()) for receipt in receipts)
        await self._written(producer, sends)

    def _send_event(self, producer: AIOKafkaProducer, event: ActivityRecorded) -> _Sends:
        student = event.student
        sends: Callable[..., _Sends] = producer.send
        return sends(self._topic, encode(event), key=student.encode(), partition=self._partition_of(student))

    async def _written(self, producer: AIOKafkaProducer, sends: Iterable[_Sends]) -> None:
        try:
            async with asyncio.timeout(_WRITE_S):
                acknowledged = [await send for send in sends]
                results = await asyncio.gather(*acknowledged, return_exceptions=True)
        except (TimeoutError, KafkaError) as error:
            await self._failed(producer, error)
        for result in results:
            if isinstance(result, BaseException):
                await self._failed(producer, result)

    async def _failed(self, producer: AIOKafkaProducer, error: BaseException) -> None:
        _log.warning("event_log_write_failed", error=type(error).__name__)
        if not isinstance(error, TimeoutError) and not getattr(error, "retriable", False):
            await self._drop(producer)
        raise TransientError(_AWAY) from error

    async def _drop(self, producer: AIOKafkaProducer) -> None:
        """A producer that failed for good never writes again; the next write makes a new one."""
        if self._producer is not producer:
            return  # another write that failed has dropped it
        self._producer = None
        await _stop(producer)

    async def _as_if_written(self, began: float) -> None:
        producer = await self.connect()
        try:
            async with asyncio.timeout(_WRITE_S):
                answered = await producer.client.force_metadata_update()
        except TimeoutError:
            answered = False
        if not answered:
            raise TransientError(_AWAY)
        await asyncio.sleep(began + secrets.choice(self._lately_s) - time.monotonic())

    async def _new_producer(self) -> AIOKafkaProducer:
        producer = AIOKafkaProducer(
            bootstrap_servers=self._kafka.bootstrap.split(","),
            client_id=client_id("ingest-events"),
            acks="all",
            enable_idempotence=True,
            max_batch_size=_BATCH_BYTES,
        )
        try:
            async with asyncio.timeout(_CONNECT_S):
                await producer.start()
                await producer.partitions_for(self._topic)
        except (TimeoutError, KafkaError) as error:
            await _stop(producer)
            raise TransientError(_AWAY) from error
        return producer


async def _stop(producer: AIOKafkaProducer) -> None:
    """Stop it, but do not wait for what it can no longer write."""
    stopping = asyncio.ensure_future(producer.stop())
    await asyncio.wait([stopping], timeout=_STOP_S)
    stopping.cancel()
