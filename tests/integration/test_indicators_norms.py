"""Two workers on a real broker that wait for each other's cohorts; one is killed while it waits."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import httpx2
import msgspec
import pytest

from deploy.local.kafka.broker import Broker
from services.kernel.clock import DAY_MS, HOUR_MS
from services.kernel.codec import decoder, encode
from services.kernel.consents import COHORT_IMPROVEMENT, INDIVIDUAL_INDICATORS, TUTOR_NOTIFY
from services.kernel.events import ClockTicked, CohortClosed, IndicatorsComputed
from services.kernel.kafka import partition_of
from services.kernel.settings import KafkaSettings
from services.kernel.topics import ACTIVITY_EVENTS, COHORT_NORMS, ENGAGEMENT_INDICATORS
from tests.support.kafka import delete_topics, fresh_settings, read_topic, write
from tests.support.students import START_MS, Writer, activity, consent, enrolled, student_of
from tests.support.waiting import eventually
from tests.support.workers import (
    WorkerProcess,
    assert_same_as_undisturbed,
    last_values,
    position_reached,
    workers,
)

STUDENTS = [student_of(f"s{n}") for n in range(24)]
LEAVING = next(student for student in STUDENTS if partition_of(student, 2) == 0)
MONDAY_MS = START_MS + 7 * DAY_MS + HOUR_MS
MISSING = 'signpost_indicator_norms_missing{partition="0"} 1.0'
POISON = b"\xff"
_decode = decoder(COHORT_NORMS)


@pytest.fixture
def kafka(broker: Broker) -> Iterator[KafkaSettings]:
    """Two partitions."""
    settings = fresh_settings(broker, partitions=2)
    yield settings
    delete_topics(settings)


@pytest.fixture
def writer(kafka: KafkaSettings) -> Iterator[Writer]:
    """Writes as the other services do."""
    made = Writer(kafka)
    yield made
    made.close()


def one_week(writer: Writer) -> None:
    """Consents of all, whose activities differ; one is not counted, and is going to leave."""
    everything = (INDIVIDUAL_INDICATORS, TUTOR_NOTIFY, COHORT_IMPROVEMENT)
    writer.consents(consent(s, purposes=everything[: 2 if s == LEAVING else 3]) for s in STUDENTS)
    writer.enrolments(enrolled(student) for student in STUDENTS)
    writer.tick(START_MS + HOUR_MS)
    for day in range(7):
        at_ms = START_MS + day * DAY_MS + 2 * HOUR_MS
        writer.activity(
            activity(s, at_ms, day, weight=place + 1) for place, s in enumerate(STUDENTS) if place % 7 >= day
        )
        writer.tick(at_ms + 10 * HOUR_MS)


def tick(kafka: KafkaSettings, partition: int) -> None:
    """Monday comes to one partition only."""
    write(kafka, ACTIVITY_EVENTS, None, encode(ClockTicked(at_ms=MONDAY_MS)), partition=partition)


def waits(worker: WorkerProcess) -> bool:
    """Whether partition 0 waits for the other, in this worker."""
    return worker.running and MISSING in worker.metrics()


def health(worker: WorkerProcess) -> str:
    """What it says to operations."""
    return httpx2.get(f"{worker.url}/health/ready").text


@pytest.mark.requirement("R1")
def test_a_partition_waits_for_the_others_and_obeys_consents_meanwhile(
    kafka: KafkaSettings, writer: Writer, tmp_path: Path
) -> None:
    """Whoever takes over goes on waiting; in the end all is as if nobody had waited, and each week is counted once.

    A record of counts that cannot be read is not passed over: the worker says where it stands.
    """
    with workers(kafka, tmp_path, 2) as pair:
        for worker in pair:
            worker.start()
        eventually(lambda: all(worker.ready() for worker in pair), 60, "two ready workers")
        one_week(writer)
        tick(kafka, 0)
        writer.activity([activity(s, MONDAY_MS + HOUR_MS, 99) for s in STUDENTS if partition_of(s, 2) == 0])
        (waiting,) = eventually(lambda: [worker for worker in pair if waits(worker)], 60, "the wait for partition 1")
        writer.consents([consent(LEAVING, 2, purposes=())])
        eventually(lambda: LEAVING not in last_values(kafka, ENGAGEMENT_INDICATORS), what="a purge during the wait")
        assert waits(waiting)
        waiting.kill()
        (other,) = (worker for worker in pair if worker is not waiting)
        eventually(lambda: waits(other), 60, "the wait of who takes over")
        tick(kafka, 1)
        eventually(lambda: position_reached(kafka), 60, "the end of the events")
        write(kafka, COHORT_NORMS, None, POISON, partition=1)
        eventually(lambda: f"{COHORT_NORMS.name} partition 1 offset" in health(other), what="a loud halt of the reader")
        assert other.stop() == 0
    assert_same_as_undisturbed(kafka)
    said = [_decode(record.value or b"") for record in read_topic(kafka, COHORT_NORMS) if record.value != POISON]
    closed = Counter((record.partition, record.day) for record in said if isinstance(record, CohortClosed))
    assert closed == dict.fromkeys([(p, day) for p in range(2) for day in ("2026-01-12", "2026-01-19")], 1)
    told = [msgspec.json.decode(v, type=IndicatorsComputed) for v in last_values(kafka, ENGAGEMENT_INDICATORS).values()]
    centiles = [i for t in told for i in t.modules[0].indicators if i.name == "volume-28-centile"]
    assert {i.inputs["students"] for i in centiles} == {23}
    assert len(centiles) == 23
