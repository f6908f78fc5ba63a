"""What a bench of withdrawals does and watches: events that flow, students who click, and the topics from outside."""

from __future__ import annotations

import datetime as dt
import random
import threading
import time
from collections import defaultdict
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from itertools import count
from typing import Any

import httpx2
import msgspec
from kafka import KafkaConsumer, TopicPartition

from deploy.demo.stack import Stack
from services.indicators.adapters.transactions import POSITION_KEY
from services.kernel.codec import decoder
from services.kernel.events import ConsentApplied, ConsentStateChanged
from services.kernel.settings import KafkaSettings
from services.kernel.topics import (
    ACTIVITY_EVENTS,
    CONSENT_RECEIPTS,
    CONSENT_STATE,
    ENGAGEMENT_INDICATORS,
    INDICATORS_STATE,
    Topic,
)

CONSUMERS = ("ingest", "indicators", "notify")
_decode_consent, _decode_receipt = decoder(CONSENT_STATE), decoder(CONSENT_RECEIPTS)


@dataclass(slots=True)
class Seen:
    """What the topics say of a student, in milliseconds since 1970.

    Attributes:
        appended: when the broker appended each event of theirs.
        recorded: when the withdrawal was recorded, by the consent service.
        version: of the withdrawal.
        published: when its state was appended.
        receipts: with when they could be read; perhaps before the withdrawal, which is on another topic.
        tombstones: by topic, when the tombstone could be read.
        revived: values that came after one.
    """

    appended: list[int] = field(default_factory=list)
    recorded: int = 0
    version: int = 0
    published: int = 0
    receipts: list[tuple[ConsentApplied, int]] = field(default_factory=list)
    tombstones: dict[str, int] = field(default_factory=dict)
    revived: int = 0

    @property
    def applied(self) -> dict[str, int]:
        """Since when each consumer obeys the withdrawal, by its own receipt; of several doors the last."""
        found: dict[str, int] = {}
        for receipt, _ in self._of_withdrawal():
            found[receipt.consumer] = max(found.get(receipt.consumer, 0), receipt.applied_ms)
        return found

    @property
    def shown(self) -> dict[str, int]:
        """When each consumer's receipt could be read."""
        return {receipt.consumer: at_ms for receipt, at_ms in reversed(self._of_withdrawal())}

    def _of_withdrawal(self) -> list[tuple[ConsentApplied, int]]:
        return [(one, at_ms) for one, at_ms in self.receipts if self.version and one.version >= self.version]

    @property
    def everywhere(self) -> bool:
        """Whether every consumer has said that it obeys, and what there was of the student is gone."""
        return len(self.applied) == len(CONSUMERS) and len(self.tombstones) == len(_PURGED)


_PURGED = (ENGAGEMENT_INDICATORS, INDICATORS_STATE)
_FOLLOWED = (CONSENT_STATE, CONSENT_RECEIPTS, ACTIVITY_EVENTS, *_PURGED)


class Follower(threading.Thread):
    """Reads the topics as anybody outside can, from now on: what is committed, as it comes."""

    def __init__(self, kafka: KafkaSettings, students: Collection[str]) -> None:
        super().__init__(name="follower", daemon=True)
        self.seen = {student: Seen() for student in students}
        self.events = 0
        self._topics: dict[str, Topic] = {kafka.topic(topic): topic for topic in _FOLLOWED}
        self._stopping = threading.Event()
        self._consumer = KafkaConsumer(
            bootstrap_servers=kafka.bootstrap, isolation_level="read_committed", enable_auto_commit=False
        )
        numbers = range(kafka.partitions)
        self._consumer.assign([TopicPartition(name, number) for name in self._topics for number in numbers])
        for partition, end in self._consumer.end_offsets(self._consumer.assignment()).items():
            self._consumer.seek(partition, end)

    def run(self) -> None:
        """Follow until stopped."""
        while not self._stopping.is_set():
            for partition, records in self._consumer.poll(timeout_ms=100).items():
                now_ms = time.time_ns() // 1_000_000
                for record in records:
                    self._take(self._topics[partition.topic], record, now_ms)
        self._consumer.close()

    def stop(self) -> None:
        """Stop, and let go of the broker."""
        self._stopping.set()
        self.join()

    def _take(self, topic: Topic, record: Any, now_ms: int) -> None:
        self.events += topic is ACTIVITY_EVENTS
        if record.key in {None, POSITION_KEY} or (seen := self.seen.get(record.key.decode())) is None:
            return
        if topic is ACTIVITY_EVENTS:
            seen.appended.append(record.timestamp)
        elif topic is CONSENT_STATE:
            _take_consent(seen, _decode_consent(record.value), record.timestamp)
        elif topic is CONSENT_RECEIPTS:
            seen.receipts.append((_decode_receipt(record.value), now_ms))
        elif record.value is None:
            seen.tombstones.setdefault(topic.name, now_ms)
        elif topic.name in seen.tombstones:
            seen.revived += 1


def _take_consent(seen: Seen, consent: ConsentStateChanged, appended_ms: int) -> None:
    if not consent.grants and not seen.version:
        seen.version, seen.recorded, seen.published = consent.version, consent.changed_ms, appended_ms


class Load(threading.Thread):
    """Posts events of students, as their source system does, at a steady rate."""

    def __init__(self, stack: Stack, modules: dict[str, list[str]], events_per_s: float, batch: int = 20) -> None:
        super().__init__(name="load", daemon=True)
        self._stack, self._modules, self._batch = stack, modules, batch
        self._pause_s = batch / events_per_s
        self._random, self._serials = random.Random(1), count()
        self._stopping = threading.Event()
        self.answers: dict[int, int] = defaultdict(int)
        self.answer_s: list[float] = []

    def run(self) -> None:
        """Post until stopped."""
        stack = self._stack
        with httpx2.Client(base_url=stack.ingest, auth=(stack.source, stack.source_key), trust_env=False) as client:
            at_ms = client.get("/v1/clock").raise_for_status().json()["at_ms"]
            due = time.monotonic()
            while not self._stopping.wait(max(0, due - time.monotonic())):
                began = time.monotonic()
                self.answers[client.post("/v1/events", json=self._some(at_ms)).status_code] += 1
                self.answer_s.append(time.monotonic() - began)
                due = max(due + self._pause_s, began)

    def stop(self) -> None:
        """Stop after the batch at hand."""
        self._stopping.set()
        self.join()

    def _some(self, at_ms: int) -> list[dict[str, Any]]:
        at = dt.datetime.fromtimestamp(at_ms / 1000, dt.UTC).isoformat()
        people = self._random.choices(list(self._modules), k=self._batch)
        return [
            {
                "student": person,
                "module": self._random.choice(self._modules[person]),
                "activity": "forum",
                "at": at,
                "id": f"bench-{next(self._serials)}",
            }
            for person in people
        ]


class Figures(msgspec.Struct, frozen=True):
    """A distribution, in seconds."""

    p50_s: float
    p99_s: float
    max_s: float


def figures(values_ms: Sequence[float]) -> Figures:
    """The nearest-rank quantiles of some times in milliseconds."""
    in_order = sorted(values_ms)

    def quantile(share: float) -> float:
        return round(in_order[max(0, -int(-share * len(in_order) // 1) - 1)] / 1000, 3)

    return Figures(quantile(0.5), quantile(0.99), round(in_order[-1] / 1000, 3))
