"""Receipts on a real broker: what they say is true, whoever is killed, and they come when they are asked for."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from services.kernel.codec import decoder
from services.kernel.events import ConsentApplied, ConsentStateChanged
from services.kernel.settings import KafkaSettings
from services.kernel.topics import CONSENT_RECEIPTS, ENGAGEMENT_INDICATORS, INDICATORS_STATE
from tests.support.door import publish, running_door
from tests.support.kafka import read_topic
from tests.support.students import START_MS, Writer, activity, consent, enrolled, student_of
from tests.support.waiting import eventually
from tests.support.workers import WorkerProcess, last_values, workers

ADA, BEN = "a" * 64, "b" * 64
PEOPLE = [student_of(f"s{number}") for number in range(120)]
_decode = decoder(CONSENT_RECEIPTS)


def receipts(kafka: KafkaSettings) -> list[ConsentApplied]:
    """All receipts on the topic, as committed."""
    return [_decode(record.value or b"") for record in read_topic(kafka, CONSENT_RECEIPTS)]


def withdrawn(student: str, version: int = 2) -> ConsentStateChanged:
    return ConsentStateChanged(student=student, version=version, changed_ms=START_MS)


def said(kafka: KafkaSettings) -> list[tuple[str, int]]:
    return [(one.student, one.version) for one in receipts(kafka)]


@pytest.mark.requirement("R3")
def test_the_door_answers_what_it_reads_while_open_and_what_is_said_again(
    tmp_path: Path, kafka_settings: KafkaSettings
) -> None:
    """Of what it read when it started it speaks when asked: a restart must not answer for everybody."""
    publish(kafka_settings, consent(ADA), consent(BEN))
    with running_door(tmp_path, kafka_settings) as door:
        door.until_open()
        publish(kafka_settings, withdrawn(ADA))
        eventually(lambda: said(kafka_settings) == [(ADA, 2)], what="the receipt of a withdrawal")
        publish(kafka_settings, consent(BEN), consent(ADA, 1))
        eventually(lambda: len(said(kafka_settings)) == 3, what="answers")
    assert sorted(said(kafka_settings)) == [(ADA, 2), (ADA, 2), (BEN, 1)], "it names the version that it obeys"
    times = {one.applied_ms for one in receipts(kafka_settings) if one.student == ADA}
    assert len(times) == 1


@pytest.mark.requirement("R3")
def test_a_door_that_was_down_answers_when_it_is_asked_and_two_doors_answer_each(
    tmp_path: Path, kafka_settings: KafkaSettings
) -> None:
    publish(kafka_settings, consent(ADA), withdrawn(ADA))
    (tmp_path / "one").mkdir()
    (tmp_path / "two").mkdir()
    with running_door(tmp_path / "one", kafka_settings) as one, running_door(tmp_path / "two", kafka_settings) as two:
        one.until_open()
        two.until_open()
        assert said(kafka_settings) == []
        publish(kafka_settings, withdrawn(ADA))
        eventually(lambda: said(kafka_settings) == [(ADA, 2)] * 2, what="the receipts of both")
    assert len({receipt.instance for receipt in receipts(kafka_settings)}) == 2


def feed(kafka: KafkaSettings) -> None:
    """Consents, enrolments and an event of everybody, and a tick: so everybody has figures."""
    writer = Writer(kafka)
    writer.consents(consent(student) for student in PEOPLE)
    writer.enrolments(enrolled(student) for student in PEOPLE)
    writer.activity(activity(student, START_MS + 1) for student in PEOPLE)
    writer.tick(START_MS + 1_000)
    writer.close()


def assert_true(kafka: KafkaSettings) -> None:
    """Nothing is there of anybody whose withdrawal has a receipt; the receipts are read first."""
    answered = {one.student for one in receipts(kafka) if one.version >= 2}
    for topic in (ENGAGEMENT_INDICATORS, INDICATORS_STATE):
        assert not answered & last_values(kafka, topic).keys(), topic.name


@pytest.mark.requirement("R1")
def test_a_shard_killed_over_withdrawals_has_no_receipt_without_its_purge(
    tmp_path: Path, kafka_settings: KafkaSettings
) -> None:
    """Killed with -9 several times while withdrawals come: receipt and tombstones are of one transaction."""
    feed(kafka_settings)
    writer = Writer(kafka_settings)
    with workers(kafka_settings, tmp_path, 1) as (worker,):
        worker.start()
        eventually(lambda: len(last_values(kafka_settings, ENGAGEMENT_INDICATORS)) == len(PEOPLE), 60, "figures")
        for turn in range(4):
            some = PEOPLE[turn * 30 : (turn + 1) * 30]
            eventually(lambda: worker.said("shard_ready") >= 4 * (turn + 1), 60, "all shards")  # noqa: B023 - asked at once
            before = len(said(kafka_settings))
            writer.consents(withdrawn(student) for student in some)
            if turn % 2:  # once in the middle of them, once at a moment that nobody chose
                eventually(lambda: len(said(kafka_settings)) > before, 30, "a first receipt")  # noqa: B023 - asked at once
            worker.kill()
            assert_true(kafka_settings)
            worker.start()
        eventually(lambda: worker.said("shard_ready") >= 20, 60, "all shards")
        eventually(lambda: not last_values(kafka_settings, INDICATORS_STATE), 60, "everything to be purged")
        assert_true(kafka_settings)
        _answers_when_asked(kafka_settings, worker, writer)
    writer.close()


def _answers_when_asked(kafka: KafkaSettings, worker: WorkerProcess, writer: Writer) -> None:
    """The states said again, at the same version, are answered for, each in the name of the service."""
    assert worker.running
    writer.consents(withdrawn(student) for student in PEOPLE)
    eventually(lambda: {student for student, version in said(kafka) if version == 2} == set(PEOPLE), 60, "all receipts")
    assert {(one.consumer, one.instance) for one in receipts(kafka)} == {("indicators", "")}
    assert max(Counter(said(kafka)).values()) < 10


@pytest.mark.requirement("R3")
def test_a_worker_answers_for_what_permits_more_too(tmp_path: Path, kafka_settings: KafkaSettings) -> None:
    with workers(kafka_settings, tmp_path, 1) as (worker,):
        worker.start()
        eventually(lambda: worker.said("shard_ready") == 4, 60, "all shards")
        publish(kafka_settings, consent(ADA))
        eventually(lambda: said(kafka_settings) == [(ADA, 1)], what="the receipt of a yes")
