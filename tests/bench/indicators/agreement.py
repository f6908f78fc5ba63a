"""Whether the peers do the same job: each one's figures against those that a plain loop over the workload gives."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator
from contextlib import closing
from typing import Any

import msgspec
from kafka import KafkaConsumer, TopicPartition

from services.kernel.settings import KafkaSettings
from tests.bench.indicators.workload import Workload
from tests.bench.peers.figures import ABSENT_DAYS, DAY_MS, figures
from tests.support.waiting import eventually

ABSENCE_TOLD = ("faust", "kafka_streams")  # they tell of absence while it lasts, in a record of its own
Figures = Counter[tuple[tuple[str, Any], ...]]


def expected(workload: Workload) -> Figures:
    """A place's figures at its first qualifying event of each day."""
    volumes: defaultdict[tuple[str, str], dict[int, int]] = defaultdict(dict)
    last: dict[tuple[str, str], int] = {}
    found: Figures = Counter()
    for event in _events(workload):
        place, day = (event["student"], event["module"]), event["occurred_ms"] // DAY_MS
        volumes[place][day] = volumes[place].get(day, 0) + event.get("weight", 1)
        before = last.get(place, 0)
        if day > before:
            last[place] = day
            said = {"student": place[0], "module": place[1], **figures(volumes[place], day, before or day)}
            found[_flat(said)] += 1
    return found


def said_by(kafka: KafkaSettings, topic: str) -> Figures:
    """What a peer has written at first events of a day; what it says of lasting absence is left out."""
    found: Figures = Counter()
    with closing(KafkaConsumer(bootstrap_servers=kafka.bootstrap, enable_auto_commit=False)) as consumer:
        partitions = [TopicPartition(topic, number) for number in range(kafka.partitions)]
        consumer.assign(partitions)
        consumer.seek_to_beginning()
        ends = consumer.end_offsets(partitions)

        def at_end() -> bool:
            for records in consumer.poll(timeout_ms=200).values():
                found.update(_flat(said) for said in map(msgspec.json.decode, (record.value for record in records)))
            return all(consumer.position(partition) >= end for partition, end in ends.items())

        eventually(at_end, what=f"the end of {topic}")
    return found


def check(name: str, said: Figures, wanted: Figures) -> None:
    """Compare.

    Raises:
        RuntimeError: something is missing, or is there that should not be.
    """
    missing, more = wanted - said, said - wanted
    absences = sum(dict(one).get("days_since_last_activity", ABSENT_DAYS) >= ABSENT_DAYS for one in more.elements())
    if missing or more.total() > (absences if name in ABSENCE_TOLD else 0):
        raise RuntimeError(
            f"{name} is wrong: {missing.total()} figures are missing, {more.total() - absences} too many"
        )


def _events(workload: Workload) -> Iterator[dict[str, Any]]:
    for day in workload.term():
        for events in day.events:
            for record in events:
                event = msgspec.json.decode(record.value)
                if event["qualifying"]:
                    yield event


def _flat(said: dict[str, Any]) -> tuple[tuple[str, Any], ...]:
    return tuple(sorted((name, value) for name, value in said.items() if name != "alert"))
