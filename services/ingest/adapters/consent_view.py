"""The door's own view of what each student permits now, read off the consent topic.

The view answers only while it is known to be complete and fresh. What it cannot read halts it: skipping a record could
skip a withdrawal.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence

import msgspec
from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition
from aiokafka.errors import KafkaError

from services.kernel.codec import decoder
from services.kernel.consents import INDIVIDUAL_INDICATORS
from services.kernel.errors import InvalidMessage, TransientError
from services.kernel.events import ConsentStateChanged
from services.kernel.kafka import client_id
from services.kernel.logs import log
from services.kernel.metrics import IngestMetrics
from services.kernel.settings import KafkaSettings
from services.kernel.topics import CONSENT_STATE

_HEARTBEAT_S = 1.0
_ANSWER_S = 2.0
_AGAIN_S = 1.0
_POLL_MS = 100
_log = log(__name__)


class ConsentView:
    """A table from student to consent; `run` keeps it, `of` asks it, `problem` says whether to believe it.

    Args:
        obeyed: told of the consents that are obeyed from now on, once the view is complete; also of those that it
            had before, where somebody says them again.
    """

    def __init__(
        self,
        kafka: KafkaSettings,
        staleness_s: float,
        metrics: IngestMetrics,
        obeyed: Callable[[Sequence[ConsentStateChanged]], None] = lambda _: None,
    ) -> None:
        self._kafka, self._staleness_s, self._obeyed = kafka, staleness_s, obeyed
        self._topic = kafka.topic(CONSENT_STATE)
        self._decode = decoder(CONSENT_STATE)
        self._students: dict[str, ConsentStateChanged] = {}
        self._confirmed: float | None = None
        self._halted: str | None = None
        metrics.consent_age.set_function(self._age_s)
        metrics.consent_students.set_function(lambda: len(self._students))

    def of(self, student: str) -> ConsentStateChanged | None:
        """What a student permits, as far as the door's purpose goes."""
        return self._students.get(student)

    def problem(self) -> str | None:
        """Why the view must not be believed, or None while it is complete and fresh."""
        if self._halted:
            return self._halted
        if self._confirmed is None:
            return "the consent topic is not yet read to its end"
        age_s = self._age_s()
        return f"not confirmed for {age_s:.0f} s" if age_s > self._staleness_s else None

    async def run(self) -> None:
        """Follow the topic until cancelled, or for good halted by a record that cannot be read."""
        while self._halted is None:
            try:
                await self._follow()
            except InvalidMessage as error:
                self._halted = f"halted: {error}"
                _log.error("consent_view_halted", reason=error.reason, detail=str(error))
            except (KafkaError, TransientError) as error:
                _log.warning("consent_view_interrupted", error=type(error).__name__)
                await asyncio.sleep(_AGAIN_S)

    async def _follow(self) -> None:
        consumer = AIOKafkaConsumer(
            bootstrap_servers=self._kafka.bootstrap.split(","),
            client_id=client_id("ingest-consents"),
            isolation_level="read_committed",
            enable_auto_commit=False,
            auto_offset_reset="none",
            fetch_max_wait_ms=200,
        )
        try:
            await consumer.start()
            partitions = [TopicPartition(self._topic, number) for number in range(self._kafka.partitions)]
            consumer.assign(partitions)
            await consumer.seek_to_beginning(*partitions)
            self._students, self._confirmed = {}, None
            while True:
                await self._beat(consumer, partitions)
        finally:
            await consumer.stop()

    async def _beat(self, consumer: AIOKafkaConsumer, partitions: Sequence[TopicPartition]) -> None:
        """Ask where the topic ends, read until there, and on until the next beat is due."""
        asked = time.monotonic()
        try:
            ends = await asyncio.wait_for(consumer.end_offsets(partitions), _ANSWER_S)
        except TimeoutError:
            _log.warning("consent_heartbeat_missed", after_s=_ANSWER_S)
            return
        if consumer.partitions_for_topic(self._topic) != set(range(self._kafka.partitions)):
            raise TransientError("the consent topic has another number of partitions than the settings say")
        if any([end < await consumer.position(partition) for partition, end in ends.items()]):
            raise TransientError("the consent topic has become shorter: it was made anew")
        reached = False
        while not reached or time.monotonic() < asked + _HEARTBEAT_S:
            if not reached and all([await consumer.position(partition) >= end for partition, end in ends.items()]):
                reached = True
                self._confirm(asked)
            for records in (await consumer.getmany(timeout_ms=_POLL_MS)).values():
                self._apply(records)

    def _confirm(self, asked: float) -> None:
        if self._confirmed is None:
            _log.info("consent_view_complete", students=len(self._students))
        self._confirmed = asked

    def _apply(self, records: Sequence[ConsumerRecord]) -> None:
        obeyed = {}
        for record in records:
            try:
                if consent := self._take(record):
                    obeyed[consent.student] = consent
            except InvalidMessage as error:
                where = f"{record.topic}[{record.partition}]@{record.offset}"
                raise InvalidMessage(error.reason, f"{where}: a consent record cannot be read") from None
        if obeyed and self._confirmed is not None:
            self._obeyed(list(obeyed.values()))

    def _take(self, record: ConsumerRecord) -> ConsentStateChanged | None:
        """Keep what the record says if it is news; gives the student's consent as it stands then."""
        student = (record.key or b"").decode("ascii", "replace")
        if record.value is None:
            self._students.pop(student, None)
            return None
        consent: ConsentStateChanged = self._decode(record.value)
        if consent.student != student:
            raise InvalidMessage("wrong-key", "its key is not its student")
        known = self._students.get(student)
        if known is not None and consent.version <= known.version:
            return known
        relevant = tuple(grant for grant in consent.grants if grant.purpose == INDIVIDUAL_INDICATORS)
        self._students[student] = msgspec.structs.replace(consent, grants=relevant)
        return self._students[student]

    def _age_s(self) -> float:
        return float("inf") if self._confirmed is None else time.monotonic() - self._confirmed
