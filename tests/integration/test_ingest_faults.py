"""The door when something is wrong: it says "not now", it never guesses, and it loses nothing that it accepted."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from services.ingest.adapters.tick_log import last_tick
from services.ingest.domain import Secrets
from services.kernel.clock import HOUR_MS
from services.kernel.codec import encode
from services.kernel.errors import TransientError
from services.kernel.events import ClockTicked
from services.kernel.kafka import provision
from services.kernel.settings import KafkaSettings
from services.kernel.topics import ACTIVITY_EVENTS, CONSENT_STATE
from tests.support.brokers import OwnBroker
from tests.support.door import (
    AT_MS,
    NOWHERE,
    SECRET,
    RunningDoor,
    event,
    events_on,
    publish_consent,
    running_door,
    student_of,
    ticks_on,
)
from tests.support.kafka import admin_client, fresh_settings, write
from tests.support.students import activity, consent
from tests.support.waiting import eventually


@pytest.fixture
def door(tmp_path: Path, kafka_settings: KafkaSettings) -> Iterator[RunningDoor]:
    """An open door that knows one person's consent."""
    publish_consent(kafka_settings, "31000001")
    with running_door(tmp_path, kafka_settings) as running:
        running.until_open()
        yield running


def accepted(door: RunningDoor, own_id: str) -> bool:
    """Whether an event is accepted."""
    return bool(door.post(event("31000001", id=own_id)).status_code == 202)


def refused_for_now(door: RunningDoor) -> bool:
    """Whether an event is answered with "not now", and when to come again."""
    answer = door.post(event("31000001"))
    return answer.status_code == 503 and int(answer.headers["Retry-After"]) > 0


@pytest.mark.requirement("R1")
def test_without_a_broker_the_door_is_closed(tmp_path: Path) -> None:
    with running_door(tmp_path, NOWHERE) as door:
        assert refused_for_now(door)
        ready = door.client.get("/health/ready")
        assert (ready.status_code, ready.json()["ready"]) == (503, False)
        assert door.client.get("/health/live").status_code == 200


@pytest.mark.requirement("R1")
@pytest.mark.parametrize(
    ("key", "value"),
    [
        (student_of("31000002"), b"{broken"),
        (student_of("31000002"), b'{"type": "Other.v9"}'),
        (student_of("31000002"), encode(consent(student_of("31000001"), version=9))),
    ],
)
def test_a_consent_record_that_cannot_be_read_closes_the_door(door: RunningDoor, key: str, value: bytes) -> None:
    write(door.kafka, CONSENT_STATE, key, value, partition=0)
    eventually(lambda: refused_for_now(door), what="the door to close")
    wrong = door.client.get("/health/ready").json()["checks"]["consent-view"]
    assert wrong.startswith("halted: ")
    assert f"{door.kafka.topic(CONSENT_STATE)}[0]@" in wrong


@pytest.mark.requirement("R1")
def test_a_poisoned_topic_keeps_a_new_door_closed(tmp_path: Path, kafka_settings: KafkaSettings) -> None:
    write(kafka_settings, CONSENT_STATE, student_of("31000002"), b"{broken")
    publish_consent(kafka_settings, "31000001")
    with running_door(tmp_path, kafka_settings) as door:
        eventually(lambda: "halted" in door.client.get("/health/ready").text, what="the view to halt")
        assert refused_for_now(door)
    assert events_on(kafka_settings) == []


@pytest.mark.requirement("R1")
def test_a_consent_topic_made_anew_is_read_anew(door: RunningDoor) -> None:
    """A view of the topic that was there before would go on permitting what nobody permits any more."""
    with admin_client(door.kafka) as admin:
        admin.delete_topics([door.kafka.topic(CONSENT_STATE)])
    eventually(lambda: provision(door.kafka), what="the topic to be made anew")
    door.until_sees(0)
    door.until_open()
    door.post(event("31000001"))
    assert events_on(door.kafka) == []


@pytest.mark.requirement("R1")
def test_a_door_with_another_number_of_partitions_stays_closed(tmp_path: Path, kafka_settings: KafkaSettings) -> None:
    fewer = kafka_settings.model_copy(update={"partitions": kafka_settings.partitions - 1})
    with running_door(tmp_path, fewer) as door:
        eventually(lambda: "last tick" not in door.client.get("/health/ready").text, what="the rest to be ready")
        assert refused_for_now(door)


@pytest.mark.requirement("R1")
def test_the_broker_killed_and_back_loses_nothing_accepted(tmp_path: Path, own_broker: OwnBroker) -> None:
    broker = own_broker()
    kafka = fresh_settings(broker)
    publish_consent(kafka, "31000001")
    with running_door(tmp_path, kafka, consent_staleness_s=2) as door:
        door.until_open()
        assert all(accepted(door, str(serial)) for serial in range(20))
        broker.kill()
        assert not accepted(door, "away")
        eventually(lambda: refused_for_now(door), what="the door to close")
        assert door.client.get("/health/ready").status_code == 503
        broker.start()
        door.until_open()
        eventually(lambda: accepted(door, "away"), what="an event to be accepted again")
    found = [one.id for _, one in events_on(kafka)]
    own_id = partial(Secrets(SECRET).event_id, "vle-test")
    assert [found.count(own_id(str(serial))) for serial in range(20)] == [1] * 20
    assert own_id("away") in found


def test_ticks_stand_in_every_partition_and_survive_a_restart(tmp_path: Path, kafka_settings: KafkaSettings) -> None:
    with running_door(tmp_path, kafka_settings) as door:
        door.until_open()
        for at_ms in (AT_MS, AT_MS + HOUR_MS):
            assert door.post({"at_ms": at_ms}, "/v1/clock").status_code == 200
    every = range(kafka_settings.partitions)
    assert ticks_on(kafka_settings) == [(number, at) for number in every for at in (AT_MS, AT_MS + HOUR_MS)]
    with running_door(tmp_path, kafka_settings) as door:
        door.until_open()
        assert door.client.get("/v1/clock").json() == {"mode": "replay", "at_ms": AT_MS + HOUR_MS}
        assert door.post({"at_ms": AT_MS}, "/v1/clock").status_code == 409


def test_live_the_door_ticks_by_itself_in_every_partition(tmp_path: Path, kafka_settings: KafkaSettings) -> None:
    with running_door(tmp_path, kafka_settings, clock="live") as door:
        door.until_open()
        eventually(lambda: len(ticks_on(kafka_settings)) == kafka_settings.partitions, what="a tick in each partition")
        assert len({at_ms for _, at_ms in ticks_on(kafka_settings)}) == 1


def test_the_last_tick_is_found_behind_many_events(kafka_settings: KafkaSettings) -> None:
    """With the latest that was heard, since each door says in its ticks only what it has heard itself."""
    assert asyncio.run(last_tick(kafka_settings)) is None
    one = ClockTicked(at_ms=AT_MS - HOUR_MS, heard={"vle": AT_MS - HOUR_MS, "library": 0})
    other = ClockTicked(at_ms=AT_MS, heard={"vle": 0, "library": AT_MS - 1})
    for tick in (one, other):
        write(kafka_settings, ACTIVITY_EVENTS, None, encode(tick), partition=0)
    write(kafka_settings, ACTIVITY_EVENTS, None, b"{broken", partition=0)
    for serial in range(20):
        event_ = activity(student_of("31000001"), AT_MS, serial)
        write(kafka_settings, ACTIVITY_EVENTS, None, encode(event_), partition=0)
    found = asyncio.run(last_tick(kafka_settings, first_step=2))
    assert found == ClockTicked(at_ms=AT_MS, heard={"vle": AT_MS - HOUR_MS, "library": AT_MS - 1})


def test_without_a_broker_the_last_tick_is_not_guessed() -> None:
    with pytest.raises(TransientError):
        asyncio.run(last_tick(NOWHERE))
