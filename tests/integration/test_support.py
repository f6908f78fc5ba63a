"""The fixtures that other tests stand on."""

from __future__ import annotations

import subprocess
import sys

import pytest
import sqlalchemy as sa
from kafka import KafkaProducer
from playwright.sync_api import Page

from services.kernel.settings import KafkaSettings
from services.kernel.topics import ALL_TOPICS, CONSENT_STATE, DEAD_LETTERS
from tests.support import CHECKOUT
from tests.support.kafka import admin_client, read_topic, write
from tests.support.waiting import eventually


def test_each_test_finds_every_declared_topic_and_no_other_of_its_namespace(kafka_settings: KafkaSettings) -> None:
    with admin_client(kafka_settings) as admin:
        found = {name for name in admin.list_topics() if name.startswith(kafka_settings.namespace)}
    assert found == {kafka_settings.topic(topic) for topic in ALL_TOPICS}


def test_a_topic_is_read_whole_with_keys_values_and_tombstones(kafka_settings: KafkaSettings) -> None:
    assert read_topic(kafka_settings, CONSENT_STATE) == []
    write(kafka_settings, CONSENT_STATE, "a", b"1", partition=3)
    write(kafka_settings, CONSENT_STATE, "a", None, partition=3)
    write(kafka_settings, CONSENT_STATE, "b", b"2", partition=0)
    found = [(r.partition, r.offset, r.key, r.value) for r in read_topic(kafka_settings, CONSENT_STATE)]
    assert found == [(0, 0, b"b", b"2"), (3, 0, b"a", b"1"), (3, 1, b"a", None)]


def test_what_a_transaction_has_not_committed_is_seen_only_on_request(kafka_settings: KafkaSettings) -> None:
    producer = KafkaProducer(bootstrap_servers=kafka_settings.bootstrap, transactional_id=kafka_settings.group("t"))
    producer.init_transactions()
    name = kafka_settings.topic(DEAD_LETTERS)
    producer.begin_transaction()
    producer.send(name, b"committed", partition=0)
    producer.commit_transaction()
    producer.begin_transaction()
    producer.send(name, b"open", partition=0).get(10)
    assert [r.value for r in read_topic(kafka_settings, DEAD_LETTERS)] == [b"committed"]
    seen = [r.value for r in read_topic(kafka_settings, DEAD_LETTERS, committed=False)]
    assert seen == [b"committed", b"open"]
    producer.abort_transaction()
    assert [r.value for r in read_topic(kafka_settings, DEAD_LETTERS)] == [b"committed"]
    producer.close()


@pytest.mark.needs("postgresql")
def test_postgresql_is_a_real_server_with_an_empty_database(postgres_url: str) -> None:
    engine = sa.create_engine(postgres_url)
    with engine.connect() as connection:
        assert str(connection.scalar(sa.text("SELECT version()"))).startswith("PostgreSQL")
    assert sa.inspect(engine).get_table_names() == []
    engine.dispose()


@pytest.mark.needs("chromium")
def test_the_browser_shows_a_page(page: Page) -> None:
    page.set_content("<h1>Nobody needs you right now</h1>")
    assert page.get_by_role("heading").inner_text() == "Nobody needs you right now"


def test_waiting_gives_what_came_and_says_what_did_not() -> None:
    answers = iter([0, 0, 7])
    assert eventually(lambda: next(answers)) == 7
    with pytest.raises(AssertionError, match=r"the moon did not come true in 0\.1 s; last: 0"):
        eventually(lambda: 0, 0.1, "the moon")


def run_one_that_needs_prometheus(**environment: str) -> subprocess.CompletedProcess[str]:
    """A test run on a machine that has neither Prometheus nor a way to install it."""
    test = "tests/integration/test_prometheus.py::test_the_shipped_configuration_is_valid"
    return subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", test],
        cwd=CHECKOUT,
        env={"PATH": "/nonexistent", **environment},
        capture_output=True,
        text=True,
        check=False,
    )


def test_what_a_machine_lacks_is_skipped_and_named_at_the_end() -> None:
    done = run_one_that_needs_prometheus()
    assert done.returncode == 0
    assert "prometheus is not on this machine: put `prometheus` and `promtool` into the PATH" in done.stdout
    assert "1 skipped" in done.stdout.splitlines()[-1]


def test_in_ci_nothing_is_skipped() -> None:
    done = run_one_that_needs_prometheus(CI="true")
    assert done.returncode == 1
    assert "prometheus is not on this machine" in done.stdout
