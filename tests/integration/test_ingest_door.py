"""The door on a real broker: what may pass stands on the topic, what may not leaves no trace."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from services.kernel.kafka import partition_of
from services.kernel.settings import KafkaSettings
from tests.support.door import (
    AT_MS,
    RunningDoor,
    event,
    events_on,
    everything_on,
    publish_consent,
    running_door,
    statement,
    student_of,
)


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


@pytest.mark.requirement("R1")
def test_without_consent_the_answer_is_the_same_and_nothing_is_written(door: RunningDoor) -> None:
    with_consent = door.post(event("31000001"))
    without = door.post(event("31999999"))

    assert (without.status_code, without.json()) == (with_consent.status_code, with_consent.json())
    assert [found.student for _, found in events_on(door.kafka)] == [student_of("31000001")]
    assert student_of("31999999").encode() not in everything_on(door.kafka)
    assert b"31999999" not in everything_on(door.kafka)
    assert 'signpost_events_discarded_total{reason="no-grant"} 1.0' in door.metrics()


def test_lines_are_taken_or_refused_each_for_itself(door: RunningDoor) -> None:
    lines = [json.dumps(event("31000001", id="1")), "{broken", "", json.dumps(event("31000002", id="2"))]
    answer = door.post("\n".join(lines).encode(), **{"Content-Type": "application/x-ndjson"})

    assert answer.status_code == 207
    assert answer.json()["accepted"] == 2
    assert [(refused["line"], refused["reason"]) for refused in answer.json()["refused"]] == [(2, "not-json")]
    assert len(events_on(door.kafka)) == 2


def test_statements_become_events(door: RunningDoor) -> None:
    answer = door.post([statement("31000001"), statement("31000002")], "/xapi/statements")

    assert answer.status_code == 200
    assert len(answer.json()) == 2
    assert {found.student for _, found in events_on(door.kafka)} == {student_of("31000001"), student_of("31000002")}
