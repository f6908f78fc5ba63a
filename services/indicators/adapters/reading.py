"""What a shard reads of its partition: topics to their end at the start, then events, consents and enrolments."""

from __future__ import annotations

from collections.abc import AsyncIterator

from aiokafka import AIOKafkaConsumer, TopicPartition

from services.kernel.dead_letters import RawRecord
from services.kernel.kafka import client_id
from services.kernel.logs import log
from services.kernel.settings import Settings
from services.kernel.topics import ACTIVITY_EVENTS, CONSENT_STATE, ENROLMENTS, Topic

FETCH_RECORDS = 5_000  # between two looks at the consents
_FETCH_BYTES = 8 << 20  # at once of a partition; the next are fetched while these are worked on
_log = log(__name__)


class Reading:
    """Reads one partition of each topic.

    Attributes:
        outside: whether the position was not within the log any more.
    """

    def __init__(self, partition: int, settings: Settings) -> None:
        self._number, self._settings = partition, settings
        self._consumer = AIOKafkaConsumer(
            bootstrap_servers=settings.kafka.bootstrap,
            client_id=client_id("indicators"),
            enable_auto_commit=False,
            auto_offset_reset="none",
            isolation_level="read_committed",
            fetch_max_wait_ms=200,
            max_partition_fetch_bytes=_FETCH_BYTES,
        )
        self._ends: dict[Topic, int] = {}
        self.outside = False

    async def start(self) -> None:
        """Reach the broker."""
        await self._consumer.start()

    async def stop(self) -> None:
        """Let go of the broker."""
        await self._consumer.stop()

    async def last_values(self, topic: Topic) -> dict[bytes, bytes]:
        """The last value of each key, without those that were taken away."""
        values: dict[bytes, bytes] = {}
        async for record in self.to_end(topic):
            key = record.key or b""
            if record.value is None:
                values.pop(key, None)
            else:
                values[key] = record.value
        return values

    async def to_end(self, topic: Topic) -> AsyncIterator[RawRecord]:
        """All records from the beginning to the present end; reading goes on from there."""
        source = self._of(topic)
        self._consumer.assign([source])
        await self._consumer.seek_to_beginning(source)
        end = (await self._consumer.end_offsets([source]))[source]
        while await self._consumer.position(source) < end:
            for record in await self.some(topic, 200):
                yield record
        self._ends[topic] = await self._consumer.position(source)

    async def go_on(self, offset: int) -> int:
        """Read events from an offset on, the other topics from where they were read to; gives the offset really."""
        position = await self._within_log(offset)
        self._consumer.assign([self._of(topic) for topic in (ACTIVITY_EVENTS, CONSENT_STATE, ENROLMENTS)])
        self._consumer.seek(self._of(ACTIVITY_EVENTS), position)
        for topic in (CONSENT_STATE, ENROLMENTS):
            self._consumer.seek(self._of(topic), self._ends[topic])
        return position

    async def some(self, topic: Topic, timeout_ms: int) -> list[RawRecord]:
        """Some records of one topic."""
        source = self._of(topic)
        found: dict[TopicPartition, list[RawRecord]] = await self._consumer.getmany(source, timeout_ms=timeout_ms)
        return found.get(source, [])

    async def round(self, topics: tuple[Topic, ...], timeout_ms: int) -> dict[Topic, list[RawRecord]]:
        """Some records of several topics."""
        of = {self._of(topic): topic for topic in topics}
        found = await self._consumer.getmany(*of, timeout_ms=timeout_ms, max_records=FETCH_RECORDS)
        return {of[source]: records for source, records in found.items()}

    async def rest(self, topic: Topic) -> AsyncIterator[RawRecord]:
        """What there is of a topic up to an end that is asked for now."""
        end = (await self._consumer.end_offsets([self._of(topic)]))[self._of(topic)]
        while await self._consumer.position(self._of(topic)) < end:
            for record in await self.some(topic, 100):
                yield record

    def lag(self, position: int) -> int:
        """How many events there are from a position on, as far as is known."""
        return max(0, (self._consumer.highwater(self._of(ACTIVITY_EVENTS)) or 0) - position)

    async def _within_log(self, offset: int) -> int:
        """The offset, or the log's beginning where the log was made anew or no longer reaches back so far."""
        source = self._of(ACTIVITY_EVENTS)
        begin = (await self._consumer.beginning_offsets([source]))[source]
        end = (await self._consumer.end_offsets([source]))[source]
        if begin <= offset <= end:
            return offset
        if offset:
            self.outside = True
            _log.error("position_outside_log", partition=self._number, position=offset, begin=begin, end=end)
        return int(begin)

    def _of(self, topic: Topic) -> TopicPartition:
        return TopicPartition(self._settings.kafka.topic(topic), self._number)
