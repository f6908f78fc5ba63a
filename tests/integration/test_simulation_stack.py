"""`signpost simulate` over a real broker and a database of tutors: nothing is written, and retention is minded."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from kafka import KafkaConsumer, TopicPartition

from deploy.local.kafka.broker import Broker
from services.cli import main
from services.kernel import database
from services.kernel.clock import DAY_MS
from services.kernel.settings import KafkaSettings
from services.kernel.topics import ACTIVITY_EVENTS, ALL_TOPICS
from services.notify.adapters.directory import Directory
from services.notify.app import MIGRATIONS
from tests.support.kafka import admin_client, delete_topics, fresh_settings, read_topic
from tests.support.students import START_MS, Writer, activity, consent, enrolled, student_of

DAYS = 30
SILENT, LIVELY, REFUSING = (student_of(name) for name in ("silent", "lively", "refusing"))
EARLIER = '[[indicators]]\nname = "days-since-last-activity"\nalert = 10'


@pytest.fixture(scope="module")
def kafka(broker: Broker) -> Any:
    """A term in which one student is silent, one is active each day, and one permits nothing."""
    settings = fresh_settings(broker, partitions=2)
    writer = Writer(settings)
    writer.consents([consent(SILENT), consent(LIVELY)])
    writer.enrolments([enrolled(student) for student in (SILENT, LIVELY, REFUSING)])
    for day in range(DAYS):
        writer.activity([activity(LIVELY, START_MS + day * DAY_MS + 1)])
        writer.tick(START_MS + (day + 1) * DAY_MS)
    writer.close()
    yield settings
    delete_topics(settings)


@pytest.fixture(scope="module")
def tutors(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Notify's database: the silent student has a tutor, the lively one has none."""
    url = f"sqlite:///{tmp_path_factory.mktemp('notify')}/notify.db"
    engine = database.engine(url)
    database.migrate(engine, MIGRATIONS)
    with engine.begin() as transaction:
        directory = Directory(transaction)
        directory.put_people(
            [
                {"id": "t1", "pseudonym": student_of("t1"), "name": "T", "email": "t@x.example", "role": "tutor"},
                {"id": "s1", "pseudonym": SILENT, "name": "S", "email": "s@x.example", "role": "student"},
            ]
        )
        directory.set_tutors("s1", ["t1"])
    engine.dispose()
    return url


def simulate(kafka: KafkaSettings, tutors: str, folder: Path, *arguments: str) -> Result:
    file = folder / "earlier.toml"
    file.write_text(EARLIER)
    environment = {
        "SIGNPOST_KAFKA__BOOTSTRAP": kafka.bootstrap,
        "SIGNPOST_KAFKA__NAMESPACE": kafka.namespace,
        "SIGNPOST_KAFKA__PARTITIONS": str(kafka.partitions),
        "SIGNPOST_NOTIFY__DATABASE_URL": tutors,
    }
    command = ["simulate", "--thresholds", str(file), "--state", str(folder / "none"), *arguments]
    return CliRunner().invoke(main, command, env=environment)


def ends(kafka: KafkaSettings) -> dict[TopicPartition, int]:
    """Where each partition of each topic ends."""
    consumer = KafkaConsumer(bootstrap_servers=kafka.bootstrap, enable_auto_commit=False)
    try:
        found: dict[TopicPartition, int] = consumer.end_offsets(
            [TopicPartition(kafka.topic(topic), number) for topic in ALL_TOPICS for number in range(kafka.partitions)]
        )
        return found
    finally:
        consumer.close()


def alerts(found: dict[str, Any], tutor: str) -> dict[str, tuple[int, int]]:
    weeks = found["tutors"].get(tutor, [])
    return {w["week"]: (w["present"], w["proposed"]) for w in weeks if w["present"] or w["proposed"]}


def test_the_tutors_loads_of_both_and_nothing_written(kafka: KafkaSettings, tutors: str, tmp_path: Path) -> None:
    before = ends(kafka)
    done = simulate(kafka, tutors, tmp_path, "--json")
    assert done.exit_code == 0, done.output
    assert "History is whole; it begins on 2026-01-13." in done.stderr
    found = json.loads(done.stdout)
    assert found["rules"]["days-since-last-activity"] == {"present": 1, "proposed": 1}
    assert found["newly_flagged"] == found["no_longer_flagged"] == 0
    assert alerts(found, "t1")["2026-01-19"][1] > 0  # ten days after the start
    assert alerts(found, "t1")["2026-01-26"][0] > 0  # fourteen
    assert alerts(found, "(no tutor)") == {}
    assert ends(kafka) == before


def test_what_retention_deleted_is_not_taken_for_silence(kafka: KafkaSettings, tutors: str, tmp_path: Path) -> None:
    """After the first ten days are gone, the silent student counts from the first tick that all partitions have."""
    name = kafka.topic(ACTIVITY_EVENTS)
    records = read_topic(kafka, ACTIVITY_EVENTS)
    with admin_client(kafka) as admin:
        admin.delete_records(
            {TopicPartition(name, n): [r.offset for r in records if r.partition == n][10] for n in range(2)}
        )
    done = simulate(kafka, tutors, tmp_path, "--json")
    assert done.exit_code == 0, done.output
    assert "History is retained from 2026-01-23." in done.stderr
    found = json.loads(done.stdout)
    assert found["first_week"] == "2026-01-19"
    assert found["rules"]["days-since-last-activity"] == {"present": 1, "proposed": 1}
    assert min(alerts(found, "t1")) == "2026-01-26"  # no rule looks back less than a week


@pytest.mark.parametrize("missing", ["database", "broker", "topics"])
def test_what_is_missing_is_named(
    kafka: KafkaSettings, tutors: str, tmp_path: Path, missing: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if missing == "database":
        done = simulate(kafka, f"sqlite:///{tmp_path}/none.db", tmp_path)
        assert (done.exit_code, "SIGNPOST_NOTIFY__DATABASE_URL" in done.output) == (1, True)
    elif missing == "broker":
        monkeypatch.setattr("services.indicators.simulation.history._BOOTSTRAP_MS", 300)
        done = simulate(kafka.model_copy(update={"bootstrap": "127.0.0.1:9"}), tutors, tmp_path)
        assert (done.exit_code, "Is the stack running?" in done.output) == (2, True)
    else:
        done = simulate(kafka.model_copy(update={"namespace": "nobodys-"}), tutors, tmp_path)
        assert (done.exit_code, "There is no topic nobodys-activity-events" in done.output) == (1, True)
