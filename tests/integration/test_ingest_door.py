"""The door on a real broker: what may pass stands on the topic, what may not leaves no trace."""

from __future__ import annotations

import json
import logging
import statistics
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from services.kernel.kafka import partition_of
from services.kernel.settings import KafkaSettings
from services.kernel.topics import CONSENT_STATE
from tests.support.door import (
    AT_MS,
    RunningDoor,
    event,
    events_on,
    everything_on,
    publish,
    publish_consent,
    running_door,
    statement,
    student_of,
)
from tests.support.kafka import write
from tests.support.students import consent
from tests.support.waiting import eventually

NDJSON = {"Content-Type": "application/x-ndjson"}


@pytest.fixture
def door(tmp_path: Path, kafka_settings: KafkaSettings) -> Iterator[RunningDoor]:
    """An open door that knows the consents of two people."""
    publish_consent(kafka_settings, "31000001", "31000002")
    with running_door(tmp_path, kafka_settings) as running:
        running.until_open()
        yield running


@pytest.mark.requirement("R1")
def test_a_consenting_students_event_stands_on_their_partition(door: RunningDoor) -> None:
    answer = door.post(event("31000001", id="vle-1", weight=3))

    assert (answer.status_code, answer.json()) == (202, {"accepted": 1, "refused": []})
    [(record, found)] = events_on(door.kafka)
    student = student_of("31000001")
    assert (record.key, record.partition) == (student.encode(), partition_of(student, door.kafka.partitions))
    assert (found.student, found.source, found.module, found.activity) == (student, "vle", "HIST101", "forum")
    assert (found.qualifying, found.occurred_ms, found.consent_version, found.weight) == (True, AT_MS, 1, 3)
    assert b"31000001" not in everything_on(door.kafka)


@pytest.mark.requirement("R1")
def test_without_consent_the_answer_is_the_same_and_nothing_is_written(door: RunningDoor) -> None:
    with_consent = door.post(event("31000001"))
    without = door.post(event("31999999"))

    assert (without.status_code, without.content) == (with_consent.status_code, with_consent.content)
    assert [found.student for _, found in events_on(door.kafka)] == [student_of("31000001")]
    for trace in (student_of("31999999").encode(), b"31999999"):
        assert trace not in everything_on(door.kafka)
    assert 'signpost_events_discarded_total{reason="no-grant"} 1.0' in door.metrics()


@pytest.mark.requirement("R1")
def test_how_long_an_answer_takes_hardly_tells_whether_a_student_consents(door: RunningDoor) -> None:
    def seconds(person: str) -> float:
        began = time.perf_counter()
        assert door.post(event(person)).status_code == 202
        return time.perf_counter() - began

    pairs = [(seconds("31000001"), seconds("31999999")) for _ in range(60)]
    with_consent, without = (statistics.median(times) for times in zip(*pairs[10:], strict=True))
    assert 0.5 < without / with_consent < 2


def test_lines_are_taken_or_refused_each_for_itself(door: RunningDoor) -> None:
    lines = [json.dumps(event("31000001", id="1")), "{broken", "", json.dumps(event("31000002", id="2"))]
    answer = door.post("\n".join(lines).encode(), **NDJSON)

    assert answer.status_code == 207
    assert answer.json()["accepted"] == 2
    assert [(refused["line"], refused["reason"]) for refused in answer.json()["refused"]] == [(2, "not-json")]
    assert len(events_on(door.kafka)) == 2


def test_statements_become_events(door: RunningDoor) -> None:
    answer = door.post([statement("31000001"), statement("31000002")], "/xapi/statements")

    assert answer.status_code == 200
    assert len(answer.json()) == 2
    assert {found.student for _, found in events_on(door.kafka)} == {student_of("31000001"), student_of("31000002")}


def test_many_batches_at_once_all_stand_on_the_topic(door: RunningDoor) -> None:
    def send(number: int) -> int:
        batch = [event(f"3100000{serial % 3}", id=f"{number}-{serial}") for serial in range(300)]
        return int(door.post(batch).status_code)

    with ThreadPoolExecutor(8) as threads:
        assert set(threads.map(send, range(16))) == {202}
    found = [found for _, found in events_on(door.kafka)]
    assert len({one.id for one in found}) == len(found) == 16 * 200


@pytest.mark.requirement("R5")
def test_excluded_data_is_on_no_topic_and_in_no_log(
    door: RunningDoor, caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    caplog.set_level(logging.DEBUG)
    secret = "owes-4096-pounds"
    assert door.post([event("31000001", debt=secret), event("31000002", activity="counselling")]).status_code == 422
    extended = statement("31000001", context={"extensions": {"https://x.example/debt": secret}})
    assert door.post([extended, statement("31000002")], "/xapi/statements").status_code == 403

    assert events_on(door.kafka) == []
    assert secret.encode() not in everything_on(door.kafka)
    printed = capsys.readouterr()
    assert not any(secret in text for text in (caplog.text, printed.out, printed.err, door.metrics()))
    assert 'signpost_events_refused_total{reason="excluded"} 3.0' in door.metrics()


@pytest.mark.requirement("R1")
def test_a_withdrawal_closes_the_door_and_a_stale_state_does_not_open_it(door: RunningDoor) -> None:
    student = student_of("31000001")

    def refused_now() -> bool:
        before = len(events_on(door.kafka))
        assert door.post(event("31000001")).status_code == 202
        return len(events_on(door.kafka)) == before

    publish(door.kafka, consent(student, version=2, purposes=()))
    eventually(refused_now, what="the withdrawal to reach the door")
    publish(door.kafka, consent(student, version=1), consent(student_of("31000003")))
    door.until_sees(3)
    assert refused_now()


@pytest.mark.requirement("R1")
def test_an_erased_student_is_forgotten(door: RunningDoor) -> None:
    door.until_sees(2)
    write(door.kafka, CONSENT_STATE, student_of("31000001"), None)
    door.until_sees(1)
    door.post(event("31000001"))
    assert events_on(door.kafka) == []


def test_ready_names_every_part(door: RunningDoor) -> None:
    ready = door.client.get("/health/ready").json()
    assert ready == {"ready": True, "checks": {"consent-view": "ok", "event-log": "ok", "clock": "ok"}}
    assert door.client.get("/health/live").status_code == 200
