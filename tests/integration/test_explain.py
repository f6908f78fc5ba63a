"""`signpost indicators explain`: from the topics as they stand, and never without a trace that the student can read."""

from __future__ import annotations

import json
from pathlib import Path

import msgspec
import pytest
from click.testing import CliRunner, Result
from fastapi.testclient import TestClient
from msgspec import structs

from services.cli import main
from services.consent.adapters import access_log
from services.consent.adapters.ledger import MIGRATIONS
from services.consent.app import create_app
from services.indicators.adapters.transactions import POSITION_KEY
from services.kernel import database
from services.kernel.codec import encode
from services.kernel.ids import Pseudonyms
from services.kernel.kafka import partition_of
from services.kernel.settings import KafkaSettings, load_settings
from services.kernel.topics import CONSENT_STATE, ENROLMENTS, INDICATORS_STATE, Topic
from tests.support.consent import Visitor
from tests.support.kafka import write
from tests.support.lived import CONSENT, lived
from tests.support.lived import ENROLMENTS as ENROLLED
from tests.support.partitions import STUDENT
from tests.support.sessions import SECRET
from tests.support.students import MODULE, consent

PERSON, OFFICER = "s1", "d0000001"
PSEUDONYMS = "a secret of the tests"  # makes STUDENT of PERSON


@pytest.fixture
def stack(kafka_settings: KafkaSettings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> KafkaSettings:
    """The environment that names a broker and a consent database."""
    url = f"sqlite:///{tmp_path}/consent.db"
    engine = database.engine(url)
    database.migrate(engine, MIGRATIONS)
    engine.dispose()
    for name, value in {
        "KAFKA__BOOTSTRAP": kafka_settings.bootstrap,
        "KAFKA__NAMESPACE": kafka_settings.namespace,
        "CONSENT__DATABASE_URL": url,
        "CONSENT__SIGNING_KEY_FILE": str(tmp_path / "key.json"),
        "INSTITUTION__PSEUDONYM_SECRET": PSEUDONYMS,
        "SESSION__SECRET": SECRET,
        "SESSION__SECURE_COOKIES": "false",
    }.items():
        monkeypatch.setenv(f"SIGNPOST_{name}", value)
    return kafka_settings


def put(kafka: KafkaSettings, topic: Topic, key: bytes, value: bytes | None) -> None:
    """Write a record into the student's partition."""
    write(kafka, topic, key.decode(), value, partition_of(STUDENT, kafka.partitions))


def explain(
    folder: Path, *more: str, student: str = PERSON, module: str = MODULE, reason: str = "contest 12"
) -> Result:
    asked = ["indicators", "explain", student, module, "--operator", OFFICER, "--reason", reason]
    clock = {"SIGNPOST_CLOCK": "replay"}  # the machine's may be years after the term
    return CliRunner().invoke(main, [*asked, "--state", str(folder / "never-up"), *more], env=clock)


def looks() -> list[tuple[str, str, str]]:
    """Who looked, in which role, and why."""
    engine = database.engine(load_settings().consent.database_url)
    with database.reading(engine) as transaction:
        found = access_log.of(transaction, STUDENT)
    engine.dispose()
    return [(look.reader, look.role, look.reason) for look in found]


@pytest.mark.requirement("R9")
@pytest.mark.requirement("R1")
def test_a_look_into_figures_is_shown_to_the_student_and_without_consent_there_is_none(
    stack: KafkaSettings, tmp_path: Path
) -> None:
    assert "No worker has kept anything" in explain(tmp_path).output
    kept, _ = lived()
    put(stack, INDICATORS_STATE, POSITION_KEY, msgspec.json.encode(kept.position))
    for key, state in kept.states.items():
        put(stack, INDICATORS_STATE, key, state)
    for topic, record in ((CONSENT_STATE, CONSENT), (ENROLMENTS, ENROLLED)):
        put(stack, topic, STUDENT.encode(), record.value)
    for wrong, word in (
        (explain(tmp_path, module="OTHER"), "on no module of that name"),
        (explain(tmp_path, reason=" "), "at most 500 characters why you look"),
        (explain(tmp_path, reason="x" * 501), "at most 500 characters why you look"),
    ):
        assert (wrong.exit_code, word in wrong.output) == (1, True), wrong.output
    assert looks() == []

    done, as_json = explain(tmp_path), explain(tmp_path, "--json", student=STUDENT)
    assert (done.exit_code, f"{STUDENT} on {MODULE}" in done.stdout) == (0, True), done.output
    assert json.loads(as_json.stdout)["figures"][0]["name"] == "days-since-last-activity"
    looked = [(Pseudonyms(PSEUDONYMS).of(OFFICER), "data-protection-officer", "contest 12")] * 2
    assert looks() == looked
    shown = Visitor(TestClient(create_app(load_settings())), PERSON).get("/requests").text
    assert f"How one student's figures on a module came about, day by day / {MODULE}" in shown.replace("&#39;", "'")
    assert "contest 12" in shown

    withdrawn = structs.replace(consent(STUDENT, version=2), grants=())
    put(stack, CONSENT_STATE, STUDENT.encode(), encode(withdrawn))
    refused = explain(tmp_path)
    assert (refused.exit_code, MODULE in refused.output) == (1, False)
    assert "This student permits no figures now" in refused.output
    assert looks() == looked
