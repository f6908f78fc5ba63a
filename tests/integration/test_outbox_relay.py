"""The transactional outbox over the real broker: nothing lost, nothing invented, never an older state last."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from sqlalchemy import Engine, insert

from services.kernel.clock import HOUR_MS, SystemClock
from services.kernel.codec import decoder
from services.kernel.events import ConsentStateChanged
from services.kernel.outbox import LEASE_MS, OutboxRelay
from services.kernel.settings import KafkaSettings
from services.kernel.topics import CONSENT_STATE
from tests.support import CHECKOUT
from tests.support.brokers import OwnBroker
from tests.support.kafka import fresh_settings, read_topic
from tests.support.outbox import (
    PausedRelay,
    add,
    end_lease,
    engine_with_outbox,
    outbox,
    raw_values,
    relay,
    waiting,
)
from tests.support.waiting import eventually

ANN, BEA = "a" * 64, "b" * 64


@pytest.fixture
def engine(database_url: str) -> Iterator[Engine]:
    made = engine_with_outbox(database_url)
    yield made
    made.dispose()


@contextmanager
def running(started: OutboxRelay) -> Iterator[OutboxRelay]:
    started.start()
    try:
        yield started
    finally:
        started.stop()


def versions(settings: KafkaSettings, student: str) -> list[int]:
    """The student's versions as a reader meets them."""
    read: Callable[[bytes], ConsentStateChanged] = decoder(CONSENT_STATE)
    states = [read(value) for value in raw_values(settings) if value is not None]
    return [state.version for state in states if state.student == student]


def test_what_a_transaction_decided_is_published_in_order_and_nothing_else(
    engine: Engine, kafka_settings: KafkaSettings
) -> None:
    """A rolled back transaction publishes nothing; a tombstone is a record without a value."""
    add(engine, ANN, 1, 2, 3)
    with engine.begin() as transaction:
        outbox.add(transaction, CONSENT_STATE, BEA, None)
    with engine.connect() as connection, connection.begin() as transaction_of_nothing:
        outbox.add(connection, CONSENT_STATE, BEA, ConsentStateChanged(student=BEA, version=9, changed_ms=9))
        transaction_of_nothing.rollback()

    with running(relay(engine, kafka_settings)) as relaying:
        eventually(lambda: waiting(engine) == 0)
        assert relaying.problem() is None

    assert versions(kafka_settings, ANN) == [1, 2, 3]
    records = read_topic(kafka_settings, CONSENT_STATE)
    assert [record.key for record in records if record.value is None] == [BEA.encode()]
    assert len(records) == 4


@pytest.mark.parametrize(
    ("killed_before", "expected"),
    [("send", [1, 2]), ("commit", [1, 2]), ("delete", [1, 2, 1, 2]), ("next", [1, 2])],
)
def test_killed_at_any_step_nothing_is_lost_and_no_version_is_invented(
    database_url: str, engine: Engine, kafka_settings: KafkaSettings, killed_before: str, expected: list[int]
) -> None:
    """Killed between publishing and deleting, the next relay publishes the same again; readers drop what is stale."""
    add(engine, ANN, 1, 2)
    arguments = (database_url, kafka_settings.model_dump_json(), killed_before)
    command = [sys.executable, "-m", "tests.support.outbox", *arguments]
    ended = subprocess.run(command, cwd=CHECKOUT, check=False, timeout=60)
    assert ended.returncode == -signal.SIGKILL

    with running(relay(engine, kafka_settings)):
        eventually(lambda: waiting(engine) == 0)

    assert versions(kafka_settings, ANN) == expected


def test_of_two_relays_one_publishes_and_the_other_follows_at_once(
    engine: Engine, kafka_settings: KafkaSettings
) -> None:
    """Each record comes once; a relay that stops gives its lease back, so nobody waits for its end."""
    first, second = relay(engine, kafka_settings), relay(engine, kafka_settings)
    with running(first), running(second):
        add(engine, ANN, *range(1, 21))
        eventually(lambda: waiting(engine) == 0)
        first.stop()
        add(engine, ANN, 21)
        eventually(lambda: waiting(engine) == 0, LEASE_MS / 1000)
        second.stop()
    with running(relay(engine, kafka_settings)):
        add(engine, ANN, 22)
        eventually(lambda: waiting(engine) == 0, LEASE_MS / 1000)

    assert versions(kafka_settings, ANN) == list(range(1, 23))


@pytest.mark.requirement("R1")
def test_a_lease_from_a_clock_that_was_ahead_keeps_nobody_waiting(
    engine: Engine, kafka_settings: KafkaSettings
) -> None:
    """The machine's clock was put right, and the service started again: a withdrawal cannot wait for an hour."""
    ahead_ms = SystemClock().now_ms() + HOUR_MS
    with engine.begin() as transaction:
        transaction.execute(insert(outbox.lease).values(name="relay", holder="before", until_ms=ahead_ms))
    add(engine, ANN, 1)
    with running(relay(engine, kafka_settings)):
        eventually(lambda: waiting(engine) == 0)


@pytest.mark.requirement("R1")
@pytest.mark.parametrize("paused_before", ["producer", "send", "delete"])
def test_a_relay_paused_past_its_lease_never_puts_an_older_state_last(
    engine: Engine, kafka_settings: KafkaSettings, paused_before: str
) -> None:
    """Compaction keeps the last record of a student: an older one there would bring a withdrawn grant back."""
    add(engine, ANN, 1)
    paused = PausedRelay(engine, kafka_settings, paused_before)
    with running(paused):
        assert paused.reached.wait(30)
        end_lease(engine)
        with running(relay(engine, kafka_settings)):
            add(engine, ANN, 2)
            eventually(lambda: waiting(engine) == 0)
            paused.resume.set()
            add(engine, ANN, 3)
            eventually(lambda: waiting(engine) == 0)

    published = versions(kafka_settings, ANN)
    assert set(published) == {1, 2, 3}
    assert published[-1] == 3
    assert published == sorted(published) or paused_before == "delete"


def test_a_relay_that_was_fenced_says_so_and_lets_go(engine: Engine, kafka_settings: KafkaSettings) -> None:
    add(engine, ANN, 1)
    paused = PausedRelay(engine, kafka_settings, "send")
    with running(paused):
        assert paused.reached.wait(30)
        end_lease(engine)
        with running(relay(engine, kafka_settings)):
            eventually(lambda: waiting(engine) == 0)
            paused.resume.set()
            eventually(lambda: sum(s.value for m in paused.metrics.failures.collect() for s in m.samples) > 0)

    assert versions(kafka_settings, ANN) == [1]


def test_while_the_broker_is_away_records_wait_and_health_says_so(
    tmp_path: Path, own_broker: OwnBroker, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Decisions go on being recorded; when the broker is back they are published, each once and in order."""
    monkeypatch.setattr("services.kernel.outbox._LONGEST_WAIT_S", 0.1)
    engine = engine_with_outbox(f"sqlite:///{tmp_path}/outbox.db")
    broker = own_broker()
    settings = fresh_settings(broker)
    with running(relay(engine, settings)) as relaying:
        add(engine, ANN, 1)
        eventually(lambda: waiting(engine) == 0)
        broker.kill()
        add(engine, ANN, 2, 3)
        eventually(lambda: "waited" in (relaying.problem(within_s=60) or ""))
        broker.start()
        eventually(lambda: waiting(engine) == 0, 60)
        eventually(lambda: relaying.problem() is None)

    found = versions(settings, ANN)
    assert found[-1] == 3
    assert sorted(set(found)) == [1, 2, 3]
    engine.dispose()


def test_a_broker_killed_while_records_flow_costs_nothing(tmp_path: Path, own_broker: OwnBroker) -> None:
    """Killed at any moment of a transaction, twice: every version arrives, and the newest is the last."""
    engine = engine_with_outbox(f"sqlite:///{tmp_path}/outbox.db")
    broker = own_broker()
    settings = fresh_settings(broker)
    versions_to_come = iter(range(1, 10_000))
    stop = threading.Event()
    added: list[int] = []

    def decide() -> None:
        while not stop.wait(0.01):
            version = next(versions_to_come)
            add(engine, ANN, version)
            added.append(version)

    deciding = threading.Thread(target=decide)
    with running(relay(engine, settings)):
        deciding.start()
        for _ in range(2):
            enough = len(added) + 100
            eventually(lambda enough=enough: len(added) > enough)  # type: ignore[misc]  # the default binds the loop's
            broker.restart(kill=True)
        stop.set()
        deciding.join()
        eventually(lambda: waiting(engine) == 0, 90)

    found = versions(settings, ANN)
    assert sorted(set(found)) == added
    assert found[-1] == added[-1]
    engine.dispose()


def test_an_id_never_comes_again(engine: Engine) -> None:
    """A relay that published a record and was paused deletes by id: it must not meet another record there."""
    with engine.begin() as transaction:
        first = transaction.execute(outbox.records.insert().values(topic="t", key="k", created_ms=1))
        transaction.execute(outbox.records.delete())
        second = transaction.execute(outbox.records.insert().values(topic="t", key="k", created_ms=2))

    assert first.inserted_primary_key is not None
    assert second.inserted_primary_key is not None
    assert second.inserted_primary_key[0] > first.inserted_primary_key[0]
