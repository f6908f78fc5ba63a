"""Fixtures: a real broker for the whole run, own ones for tests that kill theirs, fresh topics for each test."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from deploy.local.kafka.broker import Broker
from deploy.local.machine.ports import free_port
from services.kernel.settings import KafkaSettings
from tests.support import CHECKOUT
from tests.support.kafka import delete_topics, fresh_settings

JARS = CHECKOUT / ".signpost" / "cache" / "kafka"
# Short time-outs, so that a test that takes a worker or the broker away does not wait long.
_IMPATIENT = {
    "group.min.session.timeout.ms": "500",
    "broker.session.timeout.ms": "3000",
    "broker.heartbeat.interval.ms": "500",
    "log.initial.task.delay.ms": "1000",
    "log.cleaner.backoff.ms": "1000",
    "log.retention.check.interval.ms": "5000",
    "transaction.abort.timed.out.transaction.cleanup.interval.ms": "1000",
}
# Starts in two thirds of the time; a test broker does not live long enough for the better compiler to pay.
_HASTY = ("-Xmx512m", "-XX:TieredStopAtLevel=1")

OwnBroker = Callable[..., Broker]


def new_broker(folder: Path, **settings: str) -> Broker:
    """A broker in `folder` on free ports, not yet started; a setting's dots are written as underscores."""
    port = free_port()
    given = {name.replace("_", "."): value for name, value in settings.items()}
    return Broker(folder, JARS, port, free_port(exclude=[port]), settings=_IMPATIENT | given, jvm=_HASTY)


@pytest.fixture(scope="session")
def broker() -> Iterator[Broker]:
    """One real broker for the whole run; do not stop it, others use it."""
    with tempfile.TemporaryDirectory(prefix="signpost-broker-") as folder:
        running = new_broker(Path(folder))
        running.start()
        yield running
        running.stop()


@pytest.fixture
def kafka_settings(broker: Broker) -> Iterator[KafkaSettings]:
    """How to reach the broker, with a namespace of this test alone and its topics made."""
    settings = fresh_settings(broker)
    yield settings
    delete_topics(settings)


@pytest.fixture
def own_broker() -> Iterator[OwnBroker]:
    """Starts a broker that the test may kill: `own_broker()`, or with settings, `own_broker(log_segment_ms="1000")`."""
    with tempfile.TemporaryDirectory(prefix="signpost-broker-") as folder:
        started: list[Broker] = []

        def start(**settings: str) -> Broker:
            started.append(new_broker(Path(folder) / str(len(started)), **settings))
            started[-1].start()
            return started[-1]

        yield start
        for running in started:
            running.stop()
