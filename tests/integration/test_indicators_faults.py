"""Faults on a real broker while events flow: nothing is lost, nothing counts twice, whatever is killed or paused.

Each fault comes `TIMES` times within one stream: a fault that lost or doubled something one time in three would be
missed in one run of five. Cohorts are counted and students withdraw on the way.
"""

from __future__ import annotations

import random
import signal
import threading
from pathlib import Path
from typing import Self

import pytest

from services.kernel.consents import COHORT_IMPROVEMENT, INDIVIDUAL_INDICATORS, TUTOR_NOTIFY
from services.kernel.events import ConsentStateChanged
from services.kernel.settings import KafkaSettings
from services.kernel.topics import ENGAGEMENT_INDICATORS, INDICATORS_STATE
from tests.support.brokers import OwnBroker
from tests.support.kafka import fresh_settings
from tests.support.students import Writer, consent, enrolled, student_of, term
from tests.support.waiting import eventually
from tests.support.workers import (
    WorkerProcess,
    a_shard_is_taken,
    assert_same_as_undisturbed,
    last_values,
    position_reached,
    triggers,
    workers,
)

TIMES = 4
PARTITIONS = 4
DAYS = 56
STUDENTS = [student_of(f"s{number}") for number in range(400)]
WITHDRAWING = frozenset(STUDENTS[7::40])  # half-way through the term
PURPOSES = (INDIVIDUAL_INDICATORS, TUTOR_NOTIFY, COHORT_IMPROVEMENT)
pytestmark = pytest.mark.requirement("R1")  # no denial may cost an accepted event of a consenting student


class Stream:
    """Events that flow in slices from a thread, until told to hurry: then the term's rest comes at once."""

    def __init__(self, kafka: KafkaSettings, seed: int) -> None:
        self._writer, self._seed = Writer(kafka), seed
        self._hurry = threading.Event()
        self._failed: list[BaseException] = []
        self._thread = threading.Thread(target=self._write, daemon=True)

    def __enter__(self) -> Self:
        # Whoever withdraws is not counted for the module before either, so that nobody else's figures hang on when.
        self._writer.consents(
            consent(student, purposes=PURPOSES[: 2 if student in WITHDRAWING else 3]) for student in STUDENTS
        )
        self._writer.enrolments(enrolled(student) for student in STUDENTS)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._hurry.set()
        self._thread.join(180)
        assert not self._thread.is_alive(), "the producer of the test itself does not come back"
        self._writer.close()
        assert not self._failed, self._failed

    def flow(self, seconds: float) -> None:
        """Let events flow for some time, so that the next fault strikes at another place."""
        self._hurry.wait(seconds)

    def _write(self) -> None:
        try:
            for number, part in enumerate(term(STUDENTS, days=DAYS, events_a_day=600, seed=self._seed)):
                self._writer.slice(part)
                if number == 2 * DAYS:
                    self._writer.consents(ConsentStateChanged(student=s, version=2, changed_ms=0) for s in WITHDRAWING)
                self._hurry.wait(0.15)
        except BaseException as error:  # noqa: BLE001 - raised in the test's own thread
            self._failed.append(error)


def takes_over(worker: WorkerProcess) -> None:
    """Wait until the worker owns every shard."""
    eventually(lambda: len(worker.owns()) == PARTITIONS, 60, "the other taking over")


def assert_nothing_lost_or_doubled(kafka: KafkaSettings, *running: WorkerProcess) -> None:
    """Let the workers come to the end and stop; what they leave equals an undisturbed run's, to the byte.

    Nothing is left of whoever withdrew, and nothing is said twice.
    """
    eventually(lambda: position_reached(kafka) or dead(running), 120, "the end of the events")
    assert [worker.stop() for worker in running] == [0] * len(running)
    assert not WITHDRAWING & last_values(kafka, INDICATORS_STATE).keys()
    assert not WITHDRAWING & last_values(kafka, ENGAGEMENT_INDICATORS).keys()
    said = [(t.id, t.state) for t in triggers(kafka)]
    assert len(said) == len(set(said))
    assert_same_as_undisturbed(kafka, but_triggers_of=WITHDRAWING)


def dead(running: tuple[WorkerProcess, ...]) -> bool:
    """A worker that ended by itself did so for a bug: there is nothing to wait for."""
    return not all(worker.running for worker in running)


def test_killed_worker(kafka_settings: KafkaSettings, tmp_path: Path) -> None:
    """A lone worker is killed with -9 mid-stream and started again."""
    random_ = random.Random(1)
    with workers(kafka_settings, tmp_path, 1) as (worker,):
        with Stream(kafka_settings, seed=1) as stream:
            with a_shard_is_taken(worker):
                worker.start()
            for _ in range(TIMES):
                stream.flow(random_.random())
                with a_shard_is_taken(worker):
                    worker.kill()
                    worker.start()
        assert_nothing_lost_or_doubled(kafka_settings, worker)


def test_second_worker_joins_and_leaves(kafka_settings: KafkaSettings, tmp_path: Path) -> None:
    """A second worker joins 0 to 2 seconds after the first while events flow; then one leaves, then the other."""
    random_ = random.Random(2)
    with workers(kafka_settings, tmp_path, 2) as pair:
        first, second = pair
        with Stream(kafka_settings, seed=2) as stream:
            for turn in range(TIMES):
                first.start()
                stream.flow(random_.random() * 2)
                with a_shard_is_taken(second):
                    second.start()
                for leaving in pair if turn % 2 else reversed(pair):
                    stream.flow(random_.random())
                    assert leaving.stop() == 0
            with a_shard_is_taken(first):
                first.start()
        assert_nothing_lost_or_doubled(kafka_settings, first)


def test_paused_worker(kafka_settings: KafkaSettings, tmp_path: Path) -> None:
    """A worker is paused past its session time-out, another takes over, and it is resumed."""
    random_ = random.Random(3)
    with workers(kafka_settings, tmp_path, 2) as running:
        with Stream(kafka_settings, seed=3) as stream:
            for worker in running:
                worker.start()
            for turn in range(TIMES):
                paused, other = running[turn % 2], running[1 - turn % 2]
                eventually(
                    lambda: [len(worker.owns()) for worker in running] == [PARTITIONS / 2] * 2, 60, "an even share"
                )
                stream.flow(random_.random())
                paused.signal(signal.SIGSTOP)
                with a_shard_is_taken(other):
                    takes_over(other)
                stream.flow(random_.random())
                paused.signal(signal.SIGCONT)
        assert_nothing_lost_or_doubled(kafka_settings, *running)


def test_broker_killed_and_restarted(own_broker: OwnBroker, tmp_path: Path) -> None:
    """The broker is killed with -9 or stopped in good order, and started again, with two workers at work."""
    random_, broker = random.Random(4), own_broker()
    kafka = fresh_settings(broker)
    with workers(kafka, tmp_path, 2) as running:
        with Stream(kafka, seed=4) as stream:
            for worker in running:
                with a_shard_is_taken(worker):
                    worker.start()
            for turn in range(TIMES):
                stream.flow(1 + random_.random() * 2)
                broker.restart(kill=turn % 3 < 2)
        assert_nothing_lost_or_doubled(kafka, *running)
