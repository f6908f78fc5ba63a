"""An outbox of the tests' own, and a relay that can be stopped at each of its steps."""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Sequence
from typing import Any

from kafka import KafkaProducer
from sqlalchemy import Engine, MetaData, Row, func, select, update

from services.kernel import database
from services.kernel import outbox as relaying
from services.kernel.events import ConsentStateChanged
from services.kernel.metrics import OutboxMetrics
from services.kernel.outbox import Outbox, OutboxRelay
from services.kernel.settings import KafkaSettings
from services.kernel.topics import CONSENT_STATE
from tests.support.kafka import read_topic

metadata = MetaData()
outbox = Outbox(metadata)


def engine_with_outbox(url: str) -> Engine:
    """A database that holds an outbox."""
    engine = database.engine(url)
    metadata.create_all(engine)
    return engine


def add(engine: Engine, student: str, *versions: int) -> None:
    """Commit a student's states, each in a transaction of its own."""
    for version in versions:
        with engine.begin() as transaction:
            state = ConsentStateChanged(student=student, version=version, changed_ms=version)
            outbox.add(transaction, CONSENT_STATE, student, state)


def waiting(engine: Engine) -> int:
    """How many records are not yet relayed."""
    with database.reading(engine) as transaction:
        return transaction.execute(select(func.count()).select_from(outbox.records)).scalar_one()


def end_lease(engine: Engine) -> None:
    """What the passing of time does to the lease of a relay that was paused."""
    with engine.begin() as transaction:
        transaction.execute(update(outbox.lease).values(until_ms=0))


def raw_values(settings: KafkaSettings) -> list[bytes | None]:
    """The values on the topic, as committed."""
    return [record.value for record in read_topic(settings, CONSENT_STATE)]


def relay(engine: Engine, settings: KafkaSettings) -> OutboxRelay:
    """A relay, not yet started."""
    return OutboxRelay("test", outbox, engine, settings, OutboxMetrics())


class PausedRelay(OutboxRelay):
    """Stands still before one of its steps, as a process does that the machine has suspended."""

    def __init__(self, engine: Engine, settings: KafkaSettings, before: str) -> None:
        self.metrics = OutboxMetrics()
        super().__init__("test", outbox, engine, settings, self.metrics)
        self.reached, self.resume = threading.Event(), threading.Event()
        self._before = before

    def _own_producer(self) -> KafkaProducer:
        self._stand("producer")
        return super()._own_producer()

    def _send(self, producer: KafkaProducer, rows: Sequence[Row[Any]]) -> None:
        self._stand("send")
        super()._send(producer, rows)

    def _delete(self, rows: Sequence[Row[Any]]) -> None:
        self._stand("delete")
        super()._delete(rows)

    def _stand(self, step: str) -> None:
        if step == self._before and not self.reached.is_set():
            self.reached.set()
            assert self.resume.wait(60)


class DoomedRelay(OutboxRelay):
    """Its process is killed before one of its steps, with no chance to tidy up."""

    def __init__(self, engine: Engine, settings: KafkaSettings, before: str) -> None:
        super().__init__("test", outbox, engine, settings, OutboxMetrics())
        self._before = before

    def _send(self, producer: KafkaProducer, rows: Sequence[Row[Any]]) -> None:
        self._die("send")
        super()._send(producer, rows)

    def _delete(self, rows: Sequence[Row[Any]]) -> None:
        self._die("delete")
        super()._delete(rows)
        self._die("next")

    def _die(self, step: str) -> None:
        if step == self._before:
            os.kill(os.getpid(), signal.SIGKILL)


def die_uncommitted(producer: KafkaProducer) -> None:
    """Killed when the broker has the records, in a transaction that nobody has committed."""
    producer.flush()
    os.kill(os.getpid(), signal.SIGKILL)


def main(url: str, settings: str, before: str) -> None:
    """Run a doomed relay; the process that a test kills."""
    if before == "commit":
        relaying._commit = die_uncommitted  # noqa: SLF001 - the step between sending and committing has no other handle
    doomed = DoomedRelay(database.engine(url), KafkaSettings.model_validate_json(settings), before)
    doomed.start()
    threading.Event().wait(60)


if __name__ == "__main__":
    main(*sys.argv[1:])
