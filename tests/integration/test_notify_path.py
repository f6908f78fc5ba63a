"""From the log to a tutor: real Kafka, a real mail server, the whole service."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

import msgspec
import pytest
from fastapi.testclient import TestClient
from sqlalchemy import create_engine, text

from services.kernel.clock import DAY_MS
from services.kernel.codec import encode
from services.kernel.events import DeadLettered, EnrolmentsChanged
from services.kernel.settings import KafkaSettings
from services.kernel.topics import (
    CONSENT_STATE,
    DEAD_LETTERS,
    ENGAGEMENT_INDICATORS,
    ENROLMENTS,
    SUPPORT_TRIGGERS,
)
from services.notify.app import create_app
from services.notify.handlers.intake import Event
from tests.support import notify as world
from tests.support.brokers import OwnBroker
from tests.support.kafka import fresh_settings, read_topic, write
from tests.support.mail import MailSink
from tests.support.students import consent
from tests.support.waiting import eventually

S1, S2, S3 = (world.student_of(person) for person in ("s1", "s2", "s3"))
BEARER = {"authorization": f"Bearer {world.TOKEN}"}


@pytest.fixture
def sink() -> Iterator[MailSink]:
    with MailSink() as sink:
        yield sink


class Service:
    """A running notify service."""

    def __init__(self, client: TestClient, kafka: KafkaSettings, url: str) -> None:
        self.client, self._kafka, self._url = client, kafka, url

    def publish(self, *events: Event) -> None:
        """Write records as their owners do."""
        for event in events:
            write(self._kafka, world.topic_of(event), event.student, encode(event))

    def metric(self, line: str) -> float:
        """A metric's value, or 0."""
        lines = self.client.get("/metrics").text.splitlines()
        return next((float(found.rpartition(" ")[2]) for found in lines if found.startswith(line)), 0)

    def records(self, topic: str, outcome: str) -> float:
        """How many records of a topic had an outcome."""
        return self.metric(f'signpost_notify_records_total{{outcome="{outcome}",topic="{topic}"}}')

    def rows(self, query: str) -> list[Any]:
        """Rows of its database."""
        engine = create_engine(self._url)
        with engine.connect() as connection:
            rows = list(connection.execute(text(query)))
        engine.dispose()
        return rows


Run = Callable[[], AbstractContextManager[Service]]


@pytest.fixture
def url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path}/notify.db"


@contextmanager
def running(kafka: KafkaSettings, sink: MailSink, url: str) -> Iterator[Service]:
    """The service, ready, with its directory filled."""
    settings = world.notify_settings(url, kafka, smtp_port=sink.port)
    with TestClient(create_app(settings)) as client:
        eventually(lambda: client.get("/health/ready").json()["ready"], what="readiness")
        assert client.post("/v1/directory", json=world.DIRECTORY, headers=BEARER).status_code == 200
        yield Service(client, kafka, url)


@pytest.fixture
def run(kafka_settings: KafkaSettings, sink: MailSink, url: str) -> Run:
    """Starts the service."""
    return lambda: running(kafka_settings, sink, url)


@pytest.fixture
def service(run: Run) -> Iterator[Service]:
    with run() as running:
        yield running


def test_a_trigger_becomes_a_case_and_one_mail_without_the_story(service: Service, sink: MailSink) -> None:
    service.publish(consent(S1), world.computed(S1), world.trigger(S1), world.trigger(S1))
    eventually(lambda: service.metric("signpost_mails_sent ") == 1)
    eventually(lambda: service.records("support-triggers", "repeated") == 1)
    assert service.metric("signpost_open_cases ") == 1
    [mail] = sink.mails
    assert mail["To"] == "grace@staff.example"
    body = mail.get_content()
    assert "http://127.0.0.1:8104/tutor/cases/" in body
    assert not any(word in mail.as_string() for word in ("Amina", "Yusuf", "s1", "Maps", S1))
    tutor = world.browser_of(service.client.app, "t1")  # type: ignore[arg-type]  # it is the FastAPI app
    assert "Talk to Amina Yusuf first" in tutor.get("/tutor").text


def test_the_directory_publishes_enrolments_under_the_pseudonym(
    service: Service, kafka_settings: KafkaSettings
) -> None:
    eventually(lambda: len(read_topic(kafka_settings, ENROLMENTS)) == 3)
    changed = [
        msgspec.json.decode(r.value or b"", type=EnrolmentsChanged) for r in read_topic(kafka_settings, ENROLMENTS)
    ]
    assert {c.student for c in changed} == {S1, S2, S3}
    assert service.client.post("/v1/directory", json=world.DIRECTORY, headers=BEARER).status_code == 200
    assert service.metric("signpost_outbox_backlog ") == 0
    assert len(read_topic(kafka_settings, ENROLMENTS)) == 3


@pytest.mark.requirement("R1")
def test_without_consent_nothing_is_kept_shown_or_sent(service: Service, sink: MailSink) -> None:
    service.publish(consent(S1, purposes=()), consent(S2, purposes=["individual-indicators"]))
    service.publish(world.trigger(S1), world.trigger(S2), world.computed(S1))
    eventually(lambda: service.records("support-triggers", "not-permitted") == 2)
    eventually(lambda: service.records("engagement-indicators", "not-permitted") == 1)
    assert not service.rows("SELECT 1 FROM support_case UNION SELECT 1 FROM indicators UNION SELECT 1 FROM delivery")
    assert not sink.mails


@pytest.mark.requirement("R1")
def test_a_trigger_waits_for_the_consent_that_it_was_judged_by(service: Service) -> None:
    service.publish(consent(S1, version=3, purposes=()))
    service.publish(world.trigger(S1, consent_version=4), world.trigger(S2))
    service.publish(consent(S2))  # another partition, or the same one behind: it is not stuck for good
    eventually(lambda: service.records("support-triggers", "held") >= 2)
    assert not service.rows(f"SELECT 1 FROM support_case WHERE student = '{S1}'")
    service.publish(consent(S1, version=4))
    eventually(lambda: service.metric("signpost_open_cases ") == 2)


@pytest.mark.requirement("R1")
def test_a_withdrawal_closes_the_case_cancels_the_mail_and_removes_what_was_shown(
    service: Service, sink: MailSink
) -> None:
    sink.stop()
    service.publish(consent(S1), world.computed(S1), world.trigger(S1))
    eventually(lambda: service.metric('signpost_deliveries_total{outcome="put-off"}') >= 1)
    service.publish(consent(S1, version=2, purposes=()))
    eventually(lambda: service.rows("SELECT outcome FROM support_case") == [("withdrawn",)])
    sink.start()
    service.publish(consent(S2), world.trigger(S2))  # a later mail shows that the first is not on its way
    eventually(lambda: len(sink.mails) == 1)
    eventually(lambda: service.rows("SELECT state FROM delivery ORDER BY created_ms") == [("cancelled",), ("sent",)])
    assert service.rows("SELECT count(*) FROM indicators") == [(0,)]
    kept = "SELECT 1 FROM case_reason JOIN support_case c ON c.id = case_id WHERE c.outcome = 'withdrawn'"
    assert service.rows(kept) == []


@pytest.mark.requirement("R1")
def test_a_grant_that_ends_by_date_closes_the_case_with_no_message(service: Service) -> None:
    service.publish(consent(S1, until_ms=world.NOW_MS + DAY_MS), world.trigger(S1))
    eventually(lambda: service.metric("signpost_open_cases ") == 1)
    later = world.NOW_MS + 2 * DAY_MS
    service.publish(consent(S2), world.computed(S2, as_of_ms=later))  # the stream's clock goes on
    eventually(lambda: service.metric("signpost_open_cases ") == 0)


def test_mail_waits_for_a_server_that_is_away_or_unwilling(service: Service, sink: MailSink) -> None:
    sink.answer = "451 Not now"
    service.publish(consent(S1), world.trigger(S1))
    eventually(lambda: service.metric('signpost_deliveries_total{outcome="put-off"}') >= 1)
    assert service.metric("signpost_mails_waiting ") == 1
    sink.answer = "250 OK"
    eventually(lambda: service.metric("signpost_mails_sent ") == 1)
    assert len(sink.mails) == 1


def test_a_mail_that_the_server_refuses_for_good_is_given_up(service: Service, sink: MailSink) -> None:
    sink.answer = "554 Never"
    service.publish(consent(S1), world.trigger(S1))
    eventually(lambda: service.metric('signpost_deliveries_total{outcome="refused"}') == 1)
    assert service.metric("signpost_mails_waiting ") == 0
    assert service.metric("signpost_open_cases ") == 1


def test_an_unreadable_record_is_set_aside_with_its_bytes(service: Service, kafka_settings: KafkaSettings) -> None:
    partition = 1
    write(kafka_settings, SUPPORT_TRIGGERS, S1, b"\xffnot json", partition)
    write(kafka_settings, SUPPORT_TRIGGERS, S2, encode(world.trigger(S1)), partition)
    write(kafka_settings, SUPPORT_TRIGGERS, S1, None, partition)
    service.publish(consent(S1), world.trigger(S1))
    eventually(lambda: service.metric("signpost_open_cases ") == 1)
    eventually(lambda: len(read_topic(kafka_settings, DEAD_LETTERS)) == 3)
    letters = [msgspec.json.decode(r.value or b"", type=DeadLettered) for r in read_topic(kafka_settings, DEAD_LETTERS)]
    assert [letter.reason for letter in letters] == ["not-json", "wrong-key", "no-value"]
    assert (letters[0].value, letters[0].topic, letters[0].partition) == (
        b"\xffnot json",
        "support-triggers",
        partition,
    )


def test_an_unreadable_consent_stops_the_service(run: Run, kafka_settings: KafkaSettings, monkeypatch: Any) -> None:
    ended: list[tuple[int, int]] = []
    monkeypatch.setattr("services.kernel.background.os.kill", lambda *said: ended.append(said))
    monkeypatch.setattr("threading.excepthook", lambda _: None)
    with run() as service:
        write(kafka_settings, CONSENT_STATE, S1, b"{}")
        eventually(lambda: ended)
        assert ended == [(os.getpid(), signal.SIGTERM)]
        assert eventually(lambda: service.client.get("/health/ready").status_code == 503)
        assert service.rows("SELECT count(*) FROM consent") == [(0,)]


def test_a_restart_repeats_nothing_and_keeps_the_figures(run: Run, sink: MailSink) -> None:
    with run() as service:
        service.publish(consent(S1), world.trigger(S1))
        eventually(lambda: service.metric("signpost_mails_sent ") == 1)
    with run() as service:
        assert service.metric("signpost_mails_sent ") == 1
        assert service.metric("signpost_open_cases ") == 1
        service.publish(world.trigger(S1))
        eventually(lambda: service.records("support-triggers", "repeated") == 1)
    assert len(sink.mails) == 1


def test_an_empty_database_is_filled_from_the_start_of_the_log(run: Run, tmp_path: Path) -> None:
    with run() as service:
        service.publish(consent(S1), world.trigger(S1), world.computed(S1))
        eventually(lambda: service.metric("signpost_mails_sent ") == 1)
    for file in tmp_path.glob("notify.db*"):
        file.unlink()
    with run() as service:
        eventually(lambda: service.metric("signpost_open_cases ") == 1)
        eventually(lambda: service.rows("SELECT count(*) FROM indicators") == [(1,)])


def test_a_database_of_another_log_is_refused(run: Run, url: str, monkeypatch: Any) -> None:
    ended: list[int] = []
    with run() as service:
        service.publish(consent(S1))
        eventually(lambda: service.records("consent-state", "applied") == 1)
    engine = create_engine(url)
    with engine.begin() as tx:
        tx.execute(text("UPDATE position SET next_offset = 99 WHERE topic = 'consent-state'"))
    engine.dispose()
    monkeypatch.setattr("services.kernel.background.os.kill", lambda *_: ended.append(1))
    monkeypatch.setattr("threading.excepthook", lambda _: None)
    with pytest.raises(AssertionError, match="readiness"), run():
        pass
    assert ended


def test_a_recovery_is_told_on_the_case_and_tombstones_remove_figures(
    service: Service, kafka_settings: KafkaSettings
) -> None:
    service.publish(consent(S1), world.computed(S1), world.trigger(S1))
    eventually(lambda: service.rows("SELECT count(*) FROM indicators") == [(1,)])
    service.publish(world.trigger(S1, state="recovered", day="2026-02-11"))
    write(kafka_settings, ENGAGEMENT_INDICATORS, S1, None)
    eventually(lambda: service.rows("SELECT recovered_day FROM case_reason") == [("2026-02-11",)])
    eventually(lambda: service.rows("SELECT count(*) FROM indicators") == [(0,)])
    assert service.metric("signpost_open_cases ") == 1


@pytest.mark.requirement("R1")
def test_while_the_broker_is_away_nothing_is_shown_and_afterwards_all_goes_on(
    own_broker: OwnBroker, sink: MailSink, url: str
) -> None:
    broker = own_broker()
    kafka = fresh_settings(broker)
    with running(kafka, sink, url) as service:
        tutor = world.browser_of(service.client.app, "t1")  # type: ignore[arg-type]  # it is the FastAPI app
        assert eventually(lambda: tutor.get("/tutor").status_code == 200)
        broker.kill()
        eventually(lambda: tutor.get("/tutor").status_code == 503, timeout_s=60)
        broker.start()
        service.publish(consent(S1), world.trigger(S1))
        eventually(lambda: service.metric("signpost_mails_sent ") == 1, timeout_s=90)
        assert "Amina" in tutor.get("/tutor").text
