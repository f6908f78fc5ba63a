"""The Faust app: membership of the workers' group, and the agent on the low-rate topic.

Faust decides which worker owns which partition of `enrolments`; whoever does runs that partition's shard, since all
topics are partitioned alike. Ordinary agents lose and double records when workers join and leave, so nothing that must
be exact is counted in one: the agent here checks enrolment records and sets unreadable ones aside, which does no harm
when done twice.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterable
from typing import Any

import faust
from faust.types import StreamT

from services.indicators.adapters.norms import NormsReader
from services.indicators.adapters.shard import Shard
from services.indicators.handlers import Partition
from services.indicators.ports import Position
from services.kernel.clock import SystemClock
from services.kernel.codec import decoder, encode
from services.kernel.dead_letters import dead_letter
from services.kernel.errors import InvalidMessage
from services.kernel.kafka import client_id
from services.kernel.logs import log
from services.kernel.metrics import IndicatorMetrics
from services.kernel.register import load_register
from services.kernel.settings import Settings
from services.kernel.topics import DEAD_LETTERS, ENROLMENTS

_log = log(__name__)
_decode = decoder(ENROLMENTS)
_RAW: dict[str, Any] = dict.fromkeys(("key_type", "value_type"), bytes) | dict.fromkeys(
    ("key_serializer", "value_serializer"), "raw"
)


class Worker:
    """A member of the workers' group with the shards that it owns now."""

    def __init__(self, settings: Settings, metrics: IndicatorMetrics) -> None:
        self._settings, self._metrics = settings, metrics
        self._register = load_register(settings.register_file)
        metrics.register.labels(self._register.version).set(1)
        self._shards: dict[int, tuple[Shard, asyncio.Future[None]]] = {}
        self._joined = False
        self._norms = NormsReader(settings, metrics)
        self._reading_norms: asyncio.Future[None] | None = None
        self.app = _app(settings)
        self._letters = self.app.topic(settings.kafka.topic(DEAD_LETTERS), **_RAW)
        enrolments = self.app.topic(settings.kafka.topic(ENROLMENTS), **_RAW)
        self._enrolments_name = enrolments.get_topic_name()
        self.app.agent(enrolments, name="enrolments")(self._check_enrolments)
        self.app.on_partitions_assigned.connect(self._assigned)  # type: ignore[arg-type]  # this signal sends `assigned`

    def problem(self) -> str | None:
        """For the health check: not joined yet, the first shard that cannot work, or counts that cannot be read."""
        if not self._joined:
            return "it has not joined the group of workers yet"
        problems = (f"partition {n}: {s.problem}" for n, (s, _) in sorted(self._shards.items()) if s.problem)
        return next(problems, self._norms.problem)

    def _new_partition(self, number: int, position: Position) -> Partition:
        partition = Partition(self._register, self._settings, position, number=number)
        partition.timed = self._metrics.sweep.time
        return partition

    async def _assigned(self, _app: faust.App, assigned: set[Any], **_: Any) -> None:
        """Start and stop shards; no hand-over is needed, since the next owner's start fences the one before."""
        if self._reading_norms is None:
            self._reading_norms = self.app.add_future(self._norms.run())
        mine = {tp.partition for tp in assigned if tp.topic == self._enrolments_name}
        for number in self._shards.keys() - mine:
            self._shards.pop(number)[1].cancel()
        for number in mine - self._shards.keys():
            shard = Shard(number, self._settings, self._new_partition, self._norms, self._metrics)
            self._shards[number] = shard, self.app.add_future(shard.run())
        self._joined = True
        _log.info("shards_owned", partitions=sorted(self._shards))

    async def _check_enrolments(self, stream: StreamT[bytes]) -> AsyncIterable[None]:
        async for event in stream.events():
            try:
                if event.value:
                    _decode(event.value)
                self._metrics.enrolments.labels("read").inc()
            except InvalidMessage as error:
                self._metrics.enrolments.labels("unreadable").inc()
                self._metrics.dead_letters.labels(ENROLMENTS.name, error.reason).inc()
                letter = dead_letter("indicators", ENROLMENTS, event.message, error, SystemClock().now_ms())
                await self._letters.send(value=encode(letter))
            yield


def _app(settings: Settings) -> faust.App:
    kafka = settings.kafka
    return faust.App(
        kafka.group("indicators"),
        broker=[f"kafka://{address}" for address in kafka.bootstrap.split(",")],
        broker_client_id=client_id("indicators"),
        broker_session_timeout=kafka.session_timeout_s,
        broker_heartbeat_interval=min(3, kafka.session_timeout_s / 3),
        topic_partitions=kafka.partitions,
        topic_replication_factor=kafka.replication,
        topic_allow_declare=False,  # `signpost provision` declares every topic
        topic_disable_leader=True,
        stream_wait_empty=False,
        web_enabled=False,
        autodiscover=False,
        store="memory://",
    )
