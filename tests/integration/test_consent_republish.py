"""The topic of consents made again from the ledger: every gate sees the same, and nothing is invented."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from click.testing import CliRunner, Result
from sqlalchemy import Engine

from services.cli import main
from services.consent.adapters import ledger
from services.consent.adapters.kafka import consent_topic
from services.consent.handlers import republishing
from services.consent.handlers.consents import Consents
from services.kernel.clock import SystemClock
from services.kernel.codec import encode
from services.kernel.events import ConsentStateChanged
from services.kernel.kafka import provision
from services.kernel.metrics import ConsentMetrics
from services.kernel.outbox import OutboxRelay
from services.kernel.settings import KafkaSettings
from services.kernel.topics import CONSENT_STATE
from tests.support.consent import TERMS
from tests.support.kafka import admin_client, write
from tests.support.outbox import waiting
from tests.support.students import consent
from tests.support.waiting import eventually

STUDENTS = [f"{number:064x}" for number in range(1, 8)]
ADA, BEN = STUDENTS[0], STUDENTS[1]
STRANGER = "f" * 64
SHOWN = ("2026-2", "en")
NOW = SystemClock().now_ms()


@pytest.fixture
def consents(consent_engine: Engine) -> Consents:
    """A ledger in which every student has said yes, and Ada no again."""
    made = Consents(consent_engine, SystemClock(), TERMS, ConsentMetrics(), lambda: None)
    for student in STUDENTS:
        made.answer(student, {("individual-indicators", "vle"): True, ("student-view", "library"): True}, SHOWN)
    made.withdraw_all(ADA, SHOWN)
    return made


@pytest.fixture
def published(consents: Consents, consent_engine: Engine, kafka_settings: KafkaSettings) -> Consents:
    """The same, and all of it on the topic."""
    relay_all(consent_engine, kafka_settings)
    return consents


@contextmanager
def relaying(engine: Engine, kafka: KafkaSettings) -> Iterator[OutboxRelay]:
    relay = OutboxRelay("consent", ledger.outbox, engine, kafka, ConsentMetrics().outbox)
    relay.start()
    try:
        yield relay
    finally:
        relay.stop()


def relay_all(engine: Engine, kafka: KafkaSettings) -> None:
    """Let a relay publish whatever is in the outbox."""
    with relaying(engine, kafka):
        eventually(lambda: waiting(engine) == 0, what="an empty outbox")


def topic(kafka: KafkaSettings) -> dict[str, ConsentStateChanged]:
    return consent_topic.read(kafka).states


def run(*arguments: str) -> Result:
    return CliRunner().invoke(main, ["consent", "republish", "--json", *arguments])


@pytest.fixture
def environment(database_url: str, kafka_settings: KafkaSettings, monkeypatch: pytest.MonkeyPatch) -> None:
    """What tells the command where everything is."""
    monkeypatch.setenv("SIGNPOST_CONSENT__DATABASE_URL", database_url)
    monkeypatch.setenv("SIGNPOST_KAFKA__BOOTSTRAP", kafka_settings.bootstrap)
    monkeypatch.setenv("SIGNPOST_KAFKA__NAMESPACE", kafka_settings.namespace)


@pytest.mark.requirement("R1")
@pytest.mark.usefixtures("published", "environment")
def test_a_topic_that_was_lost_is_made_again_as_it_was(consent_engine: Engine, kafka_settings: KafkaSettings) -> None:
    before = topic(kafka_settings)
    assert set(before) == set(STUDENTS)
    with admin_client(kafka_settings) as admin:
        admin.delete_topics([kafka_settings.topic(CONSENT_STATE)])
    eventually(lambda: provision(kafka_settings), what="the topic to be made anew")

    done = run()
    assert done.exit_code == 0, done.output
    assert (json.loads(done.stdout)["missing"], json.loads(done.stdout)["published"]) == (7, 7)
    relay_all(consent_engine, kafka_settings)

    assert topic(kafka_settings) == before
    assert json.loads(run().stdout)["published"] == 0


@pytest.mark.usefixtures("published", "environment")
def test_a_topic_that_is_right_is_left_alone_unless_all_is_asked_for(
    consent_engine: Engine, kafka_settings: KafkaSettings
) -> None:
    assert json.loads(run().stdout)["published"] == 0
    assert json.loads(run("--all", "--dry-run").stdout)["published"] == 0
    assert waiting(consent_engine) == 0
    before = topic(kafka_settings)
    assert json.loads(run("--all").stdout)["published"] == 7
    relay_all(consent_engine, kafka_settings)
    assert topic(kafka_settings) == before


@pytest.mark.requirement("R1")
@pytest.mark.usefixtures("published", "environment")
def test_what_the_ledger_does_not_know_is_named_and_nothing_is_done_about_it(
    consent_engine: Engine, kafka_settings: KafkaSettings
) -> None:
    """A withdrawal that only the topic knows must not be followed by what the student had permitted before."""
    write(kafka_settings, CONSENT_STATE, STRANGER, encode(consent(STRANGER)))
    write(kafka_settings, CONSENT_STATE, BEN, encode(ConsentStateChanged(student=BEN, version=9, changed_ms=NOW)))
    write(kafka_settings, CONSENT_STATE, "e" * 64, b"{broken")

    done = run("--all")
    said = json.loads(done.stdout)
    assert done.exit_code == 1
    assert (said["unknown"], said["ahead"], len(said["unreadable"])) == ([STRANGER], [BEN], 1)
    assert f"{kafka_settings.topic(CONSENT_STATE)}[" in said["unreadable"][0]
    relay_all(consent_engine, kafka_settings)
    assert topic(kafka_settings)[BEN].version == 9
    words = CliRunner().invoke(main, ["consent", "republish", "--dry-run"])
    assert words.exit_code == 1
    assert all(part in words.stdout for part in (STRANGER, BEN, "dry run", "has not reached", "cannot be read"))


@pytest.mark.usefixtures("published", "environment")
def test_what_is_behind_altered_or_unreadable_on_the_topic_is_published(
    consent_engine: Engine, kafka_settings: KafkaSettings
) -> None:
    right = topic(kafka_settings)
    for student, state in (
        (ADA, encode(consent(ADA, version=1))),
        (BEN, encode(consent(BEN, version=right[BEN].version))),
        (STUDENTS[2], b"{broken"),
        (STUDENTS[3], None),
    ):
        write(kafka_settings, CONSENT_STATE, student, state)

    done = run()
    said = json.loads(done.stdout)
    assert done.exit_code == 1, "whoever has read the altered one obeys it"
    assert (said["behind"], said["altered"], said["missing"], said["published"]) == (1, [BEN], 2, 4)
    relay_all(consent_engine, kafka_settings)
    assert topic(kafka_settings) == right


@pytest.mark.requirement("R1")
def test_students_who_decide_meanwhile_keep_their_last_word(
    published: Consents, consent_engine: Engine, kafka_settings: KafkaSettings
) -> None:
    """A withdrawal between comparing and publishing: what is published is made in the transaction that publishes."""
    standing = consent_topic.Standing()

    def decide(_done: int, _of: int) -> None:
        for student in STUDENTS[1:]:
            published.withdraw_all(student, SHOWN)

    with relaying(consent_engine, kafka_settings):
        found = republishing.republish(consent_engine, standing, progress=decide)
        eventually(lambda: waiting(consent_engine) == 0, what="an empty outbox")
    assert found.published == 7
    states = topic(kafka_settings)
    assert {student: state.grants for student, state in states.items()} == dict.fromkeys(STUDENTS, ())
    assert json.loads(encode(states[BEN]))["version"] == 2


@pytest.mark.usefixtures("environment")
def test_an_older_state_never_follows_a_newer_one(
    consents: Consents, consent_engine: Engine, kafka_settings: KafkaSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Students who decide just before their chunk's transaction: it waits for them, and says what they said."""
    inside = republishing._publish  # noqa: SLF001 - the moment before it is what this is about

    def decided_before(engine: Engine, students: list[str]) -> None:
        for student in students:
            consents.withdraw_all(student, SHOWN)
        inside(engine, students)

    monkeypatch.setattr(republishing, "_publish", decided_before)
    assert json.loads(run().stdout)["published"] == 7
    relay_all(consent_engine, kafka_settings)
    assert all(not state.grants for state in topic(kafka_settings).values())


@pytest.mark.usefixtures("consent_engine")
def test_without_a_broker_or_a_topic_it_says_so(database_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SIGNPOST_CONSENT__DATABASE_URL", database_url)
    monkeypatch.setenv("SIGNPOST_KAFKA__BOOTSTRAP", "127.0.0.1:1")
    monkeypatch.setattr(consent_topic, "_PATIENCE_MS", 500)
    done = run()
    assert done.exit_code == 2
    assert "127.0.0.1:1" in done.output


@pytest.mark.usefixtures("consent_engine", "environment")
def test_a_topic_that_is_not_there_has_to_be_provisioned_first(kafka_settings: KafkaSettings) -> None:
    with admin_client(kafka_settings) as admin:
        admin.delete_topics([kafka_settings.topic(CONSENT_STATE)])
    done = run()
    assert done.exit_code == 1
    assert "signpost provision" in done.output
