"""The reader of the cohorts' topic: one for each worker process, for all of its shards.

A shard that has counted its students waits here until all other partitions have. While it waits it still obeys
consents; so what is asked for is given in small portions of patience.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable
from itertools import chain

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError

from services.indicators.adapters.weeks import Weeks
from services.indicators.domain.cohort import Norms
from services.kernel.clock import iso_day
from services.kernel.dead_letters import RawRecord
from services.kernel.errors import InvalidMessage
from services.kernel.kafka import client_id
from services.kernel.logs import log
from services.kernel.metrics import IndicatorMetrics
from services.kernel.settings import Settings
from services.kernel.topics import COHORT_NORMS

LONG_S = 60.0  # after this long a wait is a problem
_AGAIN_S = 5.0
_log = log(__name__)


class NormsReader:
    """Reads every partition's counts from the first week on that a shard here needs.

    Attributes:
        problem: what keeps it from reading, for the health check; None while it reads.
    """

    def __init__(self, settings: Settings, metrics: IndicatorMetrics) -> None:
        self._settings, self._metrics = settings, metrics
        self._partitions = [
            TopicPartition(settings.kafka.topic(COHORT_NORMS), n) for n in range(settings.kafka.partitions)
        ]
        self._weeks = Weeks(settings.kafka.partitions)
        self._read_again = asyncio.Event()
        self._arrived = asyncio.Event()
        self._adding_up: dict[int, asyncio.Task[Norms | None]] = {}
        self.problem: str | None = None

    def want(self, partition: int, day: int | None) -> None:
        """An own shard needs the weeks from this Monday on; None for a shard that stops."""
        if self._weeks.want(partition, day):
            self._read_again.set()

    async def of(self, day: int, patience_s: float) -> Norms | None:
        """The norms of the week; None where they are not there within so many seconds."""
        if not self._weeks.ready(day):
            try:
                async with asyncio.timeout(patience_s):  # `wait_for` can lose a cancellation before Python 3.12
                    await self._arrived.wait()
            except TimeoutError:
                return None
        # For all shards of this worker at once, and without keeping any from obeying consents.
        if day not in self._adding_up:
            self._adding_up[day] = asyncio.create_task(self._add_up(day))
        adding_up = self._adding_up[day]
        await asyncio.wait({adding_up}, timeout=patience_s)
        if not adding_up.done():
            return None
        self._adding_up.pop(day, None)
        return adding_up.result()

    def missing(self, day: int) -> list[int]:
        """The partitions that have not said all of the week yet."""
        return self._weeks.missing(day)

    async def run(self) -> None:
        """Read; ends only by cancellation or by an error that nobody foresaw."""
        while True:
            await self._read_again.wait()
            try:
                await self._read()
            except (KafkaError, InvalidMessage) as error:
                self.problem = f"{type(error).__name__}: {error}"
                self._metrics.restarts.labels(type(error).__name__).inc()
                _log.error("norms_reader_lost", error=repr(error))
            await asyncio.sleep(_AGAIN_S)
            self._read_again.set()

    async def _read(self) -> None:
        consumer = AIOKafkaConsumer(
            bootstrap_servers=self._settings.kafka.bootstrap,
            client_id=client_id("indicators"),
            enable_auto_commit=False,
            auto_offset_reset="earliest",
            isolation_level="read_committed",
        )
        try:
            await consumer.start()
            consumer.assign(self._partitions)
            while True:
                if self._read_again.is_set():
                    self._read_again.clear()
                    self._weeks.clear()
                    await consumer.seek_to_beginning(*self._partitions)
                found = await consumer.getmany(timeout_ms=200)
                if not self._read_again.is_set():  # else these come once more
                    self.take(chain.from_iterable(found.values()))
                    self.problem = None
        finally:
            await consumer.stop()

    def take(self, records: Iterable[RawRecord]) -> None:
        """Take records in, and wake up who waits for a week that they close.

        Raises:
            InvalidMessage: one cannot be read.
        """
        closed = [self._take_one(record) for record in records]
        if any(closed):
            self._arrived.set()
            self._arrived = asyncio.Event()

    def _take_one(self, record: RawRecord) -> bool:
        try:
            return self._weeks.take(record)
        except InvalidMessage as error:
            raise InvalidMessage(
                error.reason,
                f"{COHORT_NORMS.name} partition {record.partition} offset {record.offset} cannot be read: {error}. "
                "All workers wait for it: skipping it could change what is said of students. If it is beyond repair, "
                "delete the partition's records up to it (kafka-delete-records); its week then has no norms.",
            ) from error

    async def _add_up(self, day: int) -> Norms | None:
        known = len(self._weeks.lost)
        norms = await asyncio.to_thread(self._weeks.norms, day)
        if len(self._weeks.lost) > known:
            self._metrics.norms_lost.inc()
            _log.error("cohort_norms_lost", day=iso_day(day), missing=self._weeks.missing(day))
        return norms


class Wait:
    """A shard's wait for the norms of a week, for operations to see."""

    def __init__(self, reader: NormsReader, partition: int, day: int, metrics: IndicatorMetrics) -> None:
        self._reader, self._day = reader, day
        self._seconds, self._missing = metrics.norms_wait, metrics.norms_missing.labels(str(partition))
        self._since = time.monotonic()

    @property
    def problem(self) -> str | None:
        """Whom it waits for, once it has been long."""
        waited = time.monotonic() - self._since
        if waited < LONG_S:
            return None
        if self._reader.problem:
            return (
                f"it waits for the module counts of {iso_day(self._day)}, which cannot be read: {self._reader.problem}"
            )
        others = ", ".join(map(str, self._reader.missing(self._day)))
        return (
            f"it has waited {waited:.0f} s for the module counts of {iso_day(self._day)} from partition {others}: "
            "see why those are behind, or whether they have an owner and get ticks"
        )

    async def norms(self, patience_s: float) -> Norms | None:
        """The norms, or None where they are not there within so many seconds."""
        norms = await self._reader.of(self._day, patience_s)
        self._missing.set(0 if norms is not None else len(self._reader.missing(self._day)))
        if norms is not None:
            self._seconds.observe(time.monotonic() - self._since)
        return norms
