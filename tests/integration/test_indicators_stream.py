"""A real worker on a real broker: consent in the stream, absence, poison, and what it tells operations."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import httpx2
import msgspec
import pytest

from services.indicators.adapters.transactions import POSITION_KEY
from services.kernel.clock import DAY_MS, HOUR_MS
from services.kernel.events import ConsentStateChanged, DeadLettered, IndicatorsComputed
from services.kernel.kafka import partition_of
from services.kernel.settings import KafkaSettings
from services.kernel.topics import (
    ACTIVITY_EVENTS,
    CONSENT_STATE,
    DEAD_LETTERS,
    ENGAGEMENT_INDICATORS,
    ENROLMENTS,
    INDICATORS_STATE,
    SUPPORT_TRIGGERS,
)
from tests.support.kafka import read_topic, write
from tests.support.students import START_MS, Writer, activity, consent, enrolled, student_of
from tests.support.waiting import eventually
from tests.support.workers import WorkerProcess, last_values, position_reached, triggers, workers

STUDENTS = [student_of(f"s{n}") for n in range(20)]
STUDENT, OTHER, SILENT, UNDECIDED = STUDENTS[:4]
OUTPUTS = (ENGAGEMENT_INDICATORS, SUPPORT_TRIGGERS, INDICATORS_STATE, DEAD_LETTERS)


@pytest.fixture
def writer(kafka_settings: KafkaSettings) -> Iterator[Writer]:
    """Writes as the other services do."""
    made = Writer(kafka_settings)
    yield made
    made.close()


@pytest.fixture
def worker(kafka_settings: KafkaSettings, tmp_path: Path) -> Iterator[WorkerProcess]:
    """A worker that is ready."""
    with workers(kafka_settings, tmp_path, 1) as (made,):
        made.start()
        eventually(made.ready, 60, "a ready worker")
        yield made
        if made.running:
            assert made.stop() == 0


def published(kafka: KafkaSettings, student: str) -> IndicatorsComputed | None:
    """The student's indicators as a committed reader sees them."""
    value = last_values(kafka, ENGAGEMENT_INDICATORS).get(student)
    return msgspec.json.decode(value, type=IndicatorsComputed) if value else None


def says(worker: WorkerProcess, line: str) -> bool:
    """Whether the worker tells Prometheus so; gauges follow within a second."""
    return line in worker.metrics()


def prepare(writer: Writer, *students: str) -> None:
    """Consents and enrolments, and a tick to begin with."""
    writer.consents(consent(student) for student in students)
    writer.enrolments(enrolled(student) for student in students)
    writer.tick(START_MS + HOUR_MS)


@pytest.mark.requirement("R1")
def test_only_consenting_students_are_computed(
    kafka_settings: KafkaSettings, writer: Writer, worker: WorkerProcess
) -> None:
    """A consenting student has figures within a moment; another is nowhere, not even as a key."""
    prepare(writer, STUDENT)
    writer.enrolments([enrolled(UNDECIDED)])
    writer.activity([activity(STUDENT, START_MS + 2 * HOUR_MS), activity(UNDECIDED, START_MS + 2 * HOUR_MS)])
    eventually(lambda: published(kafka_settings, STUDENT), what="indicators")
    eventually(lambda: position_reached(kafka_settings), what="the end of the events")
    written = [record for topic in OUTPUTS for record in read_topic(kafka_settings, topic, committed=False)]
    assert not [r for r in written if UNDECIDED.encode() in (r.key or b"") + (r.value or b"")]
    assert 'signpost_indicator_events_total{outcome="no-grant"} 1.0' in worker.metrics()


@pytest.mark.requirement("R1")
@pytest.mark.usefixtures("worker")
def test_withdrawal_purges_state_and_figures(kafka_settings: KafkaSettings, writer: Writer) -> None:
    """After a withdrawal mid-stream: tombstones, and nothing of the student's later events."""
    prepare(writer, STUDENT, OTHER)
    writer.activity(activity(s, START_MS + 2 * HOUR_MS) for s in (STUDENT, OTHER))
    eventually(lambda: published(kafka_settings, STUDENT) and published(kafka_settings, OTHER), what="indicators")
    writer.consents([ConsentStateChanged(student=STUDENT, version=2, changed_ms=START_MS)])
    eventually(lambda: not published(kafka_settings, STUDENT), what="a tombstone")
    writer.activity(activity(s, START_MS + 3 * HOUR_MS) for s in (STUDENT, OTHER))
    writer.tick(START_MS + 20 * DAY_MS)
    eventually(lambda: position_reached(kafka_settings), what="the end of the events")
    assert STUDENT not in last_values(kafka_settings, INDICATORS_STATE)
    assert published(kafka_settings, STUDENT) is None
    assert published(kafka_settings, OTHER)
    assert {t.student for t in triggers(kafka_settings)} == {OTHER}


@pytest.mark.requirement("R1")
def test_withdrawal_while_no_worker_runs(kafka_settings: KafkaSettings, writer: Writer, tmp_path: Path) -> None:
    """The next worker purges before it counts anything."""
    prepare(writer, STUDENT)
    writer.activity([activity(STUDENT, START_MS + 2 * HOUR_MS)])
    with workers(kafka_settings, tmp_path, 1) as (worker,):
        worker.start()
        eventually(lambda: published(kafka_settings, STUDENT), 60, "indicators")
        worker.kill()
        writer.consents([ConsentStateChanged(student=STUDENT, version=2, changed_ms=START_MS)])
        worker.start()
        eventually(lambda: not published(kafka_settings, STUDENT), 60, "a tombstone")
        assert worker.stop() == 0
    assert last_values(kafka_settings, INDICATORS_STATE) == {}


@pytest.mark.requirement("R1")
def test_event_waits_for_the_consent_that_the_door_saw(
    kafka_settings: KafkaSettings, writer: Writer, worker: WorkerProcess
) -> None:
    """Consent and event written at once: whichever is read first, the event counts."""
    writer.enrolments(enrolled(student) for student in STUDENTS)
    writer.tick(START_MS + HOUR_MS)
    for student in STUDENTS:
        writer.consents([consent(student)])
        writer.activity([activity(student, START_MS + 2 * HOUR_MS)])
    eventually(lambda: position_reached(kafka_settings), what="the end of the events")
    assert last_values(kafka_settings, ENGAGEMENT_INDICATORS).keys() == set(STUDENTS)
    assert 'outcome="no-grant"' not in worker.metrics()


@pytest.mark.requirement("R1")
def test_consent_that_is_written_after_the_event_is_waited_for(
    kafka_settings: KafkaSettings, writer: Writer, worker: WorkerProcess
) -> None:
    """A processor that lags behind the door's view loses nothing: the events stand first, and count all the same."""
    writer.enrolments(enrolled(student) for student in STUDENTS)
    writer.tick(START_MS + HOUR_MS)
    eventually(lambda: position_reached(kafka_settings), what="the tick")
    worker.signal(signal.SIGSTOP)
    writer.activity(activity(student, START_MS + 2 * HOUR_MS) for student in STUDENTS)
    writer.consents(consent(student) for student in STUDENTS)
    worker.signal(signal.SIGCONT)
    eventually(lambda: position_reached(kafka_settings), what="the end of the events")
    assert last_values(kafka_settings, ENGAGEMENT_INDICATORS).keys() == set(STUDENTS)
    assert f'outcome="counted"}} {len(STUDENTS)}.0' in worker.metrics()


def test_never_seen_student_raises_one_trigger(
    kafka_settings: KafkaSettings, writer: Writer, worker: WorkerProcess
) -> None:
    """Fourteen silent days open one episode, however many ticks follow and however often the worker restarts."""
    prepare(writer, SILENT)
    for day in range(1, 16):
        writer.tick(START_MS + day * DAY_MS)
    eventually(lambda: triggers(kafka_settings), what="a trigger")
    worker.kill()
    worker.start()
    for day in range(16, 20):
        writer.tick(START_MS + day * DAY_MS)
    eventually(lambda: position_reached(kafka_settings), 60, "the end of the events")
    (trigger,) = (t for t in triggers(kafka_settings) if t.rule == "days-since-last-activity")
    assert (trigger.student, trigger.state, trigger.value) == (SILENT, "opened", 14)


def test_second_replay_changes_nothing(kafka_settings: KafkaSettings, writer: Writer, worker: WorkerProcess) -> None:
    """The same term written again leaves state, figures and triggers as they were, to the byte."""

    def replay() -> dict[str, object]:
        for day in range(20):
            writer.activity(activity(STUDENT, START_MS + day * DAY_MS + n * HOUR_MS) for n in range(2, 5) if day < 4)
            writer.tick(START_MS + (day + 1) * DAY_MS)
        eventually(lambda: position_reached(kafka_settings), what="the end of the events")
        return {
            "state": last_values(kafka_settings, INDICATORS_STATE),
            "indicators": last_values(kafka_settings, ENGAGEMENT_INDICATORS),
            "triggers": triggers(kafka_settings),
        }

    prepare(writer, STUDENT, SILENT)
    first = replay()
    assert first["triggers"]
    assert replay() == first
    assert worker.running


def test_poison_event_is_set_aside(kafka_settings: KafkaSettings, writer: Writer, worker: WorkerProcess) -> None:
    """An unreadable event stops nothing: it stands among the dead letters with its bytes, once."""
    prepare(writer, STUDENT)
    write(kafka_settings, ACTIVITY_EVENTS, STUDENT, b"\xff poison")
    writer.activity([activity(STUDENT, START_MS + 2 * HOUR_MS)])
    eventually(lambda: published(kafka_settings, STUDENT), what="indicators")
    (record,) = read_topic(kafka_settings, DEAD_LETTERS)
    letter = msgspec.json.decode(record.value or b"", type=DeadLettered)
    assert (letter.value, letter.key, letter.reason) == (b"\xff poison", STUDENT.encode(), "not-json")
    assert (letter.topic, letter.partition) == ("activity-events", partition_of(STUDENT, kafka_settings.partitions))
    assert 'signpost_dead_letters_total{reason="not-json",topic="activity-events"} 1.0' in worker.metrics()


def test_poison_enrolment_is_set_aside(kafka_settings: KafkaSettings, writer: Writer, worker: WorkerProcess) -> None:
    """The agent sets an unreadable enrolment aside; the shard keeps what it knew."""
    prepare(writer, STUDENT)
    write(kafka_settings, ENROLMENTS, STUDENT, b"poison")
    writer.activity([activity(STUDENT, START_MS + 2 * HOUR_MS)])
    eventually(lambda: published(kafka_settings, STUDENT), what="indicators")
    (record,) = eventually(lambda: read_topic(kafka_settings, DEAD_LETTERS), what="a dead letter")
    letter = msgspec.json.decode(record.value or b"", type=DeadLettered)
    assert (letter.topic, letter.value) == ("enrolments", b"poison")
    assert worker.running


@pytest.mark.requirement("R1")
def test_poison_consent_halts_its_partition_only(
    kafka_settings: KafkaSettings, writer: Writer, worker: WorkerProcess
) -> None:
    """It could be a withdrawal: its partition stands still, loudly, and goes on once the record is mended."""
    elsewhere = next(s for s in STUDENTS if partition_of(s, 4) != partition_of(STUDENT, 4))
    prepare(writer, STUDENT, elsewhere)
    write(kafka_settings, CONSENT_STATE, STUDENT, b"poison")
    eventually(lambda: not worker.ready(), what="a worker that says it is not ready")
    writer.activity(activity(s, START_MS + 2 * HOUR_MS) for s in (STUDENT, elsewhere))
    eventually(lambda: published(kafka_settings, elsewhere), what="the other partition's indicators")
    said = published(kafka_settings, STUDENT)
    assert said is None or said.modules[0].last_active_day is None
    assert worker.running


def test_operations_see_lag_latency_and_readiness(writer: Writer, worker: WorkerProcess) -> None:
    """Lag, the way from log to indicator, the clock and the number of students are on `/metrics`."""
    prepare(writer, STUDENT)
    writer.activity([activity(STUDENT, START_MS + 2 * HOUR_MS)])
    number = partition_of(STUDENT, 4)
    for line in (
        'signpost_indicator_events_total{outcome="counted"} 1.0',
        f'signpost_students_with_indicators{{partition="{number}"}} 1.0',
        f'signpost_consumer_lag_records{{partition="{number}",topic="activity-events"}} 0.0',
        f'signpost_indicator_tick_timestamp_seconds{{partition="{number}"}}',
        "signpost_event_to_indicator_seconds_count",
    ):
        eventually(partial(says, worker, line), what=line)
    assert httpx2.get(f"{worker.url}/health/ready").json() == {"ready": True, "checks": {"shards": "ok"}}


def test_position_is_committed_with_the_state(
    kafka_settings: KafkaSettings, writer: Writer, worker: WorkerProcess
) -> None:
    """Also a log of which nothing counts moves the position, so that a restart does not read it again."""
    writer.activity([activity(UNDECIDED, START_MS)])
    eventually(lambda: position_reached(kafka_settings), what="the end of the events")
    assert {r.key for r in read_topic(kafka_settings, INDICATORS_STATE)} == {POSITION_KEY}
    assert worker.running
