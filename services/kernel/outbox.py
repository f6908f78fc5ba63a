"""A transactional outbox: what a database transaction decided is published to Kafka, no more and no less.

A record is added in the same transaction as the change that it speaks of. One relay at a time publishes the records in
their order: a lease in the database chooses it, and Kafka's transactional id fences one that was paused past its
lease. A crash between publishing and deleting publishes again; consumers drop what is not newer by its version.
"""

from __future__ import annotations

import threading
import uuid
from collections.abc import Sequence
from typing import Any, Protocol

import msgspec
from kafka import KafkaProducer
from kafka.errors import KafkaError
from sqlalchemy import (
    BigInteger,
    Column,
    Engine,
    Executable,
    Integer,
    LargeBinary,
    MetaData,
    Row,
    String,
    Table,
    delete,
    func,
    insert,
    select,
    update,
)
from sqlalchemy.exc import IntegrityError, OperationalError

from services.kernel.background import Background
from services.kernel.clock import SystemClock
from services.kernel.codec import encode
from services.kernel.kafka import client_id
from services.kernel.logs import log
from services.kernel.metrics import OutboxMetrics
from services.kernel.settings import KafkaSettings
from services.kernel.topics import Topic

LEASE_MS = 5_000
BATCH = 500
_QUIET_S = 0.2
_BACK_OFF_S = 1.0
_log = log(__name__)


class Executes(Protocol):
    """A SQLAlchemy session or connection."""

    def execute(self, statement: Executable, /) -> Any:
        """Run a statement in the current transaction."""
        ...


class Outbox:
    """The outbox's tables, as part of a service's metadata, and the way to add a record."""

    def __init__(self, metadata: MetaData) -> None:
        self.records = Table(
            "outbox",
            metadata,
            Column("id", BigInteger().with_variant(Integer, "sqlite"), primary_key=True, autoincrement=True),
            Column("topic", String(100), nullable=False),
            Column("key", String(100), nullable=False),
            Column("value", LargeBinary, nullable=True),
            Column("created_ms", BigInteger, nullable=False),
        )
        self.lease = Table(
            "outbox_lease",
            metadata,
            Column("name", String(20), primary_key=True),
            Column("holder", String(40), nullable=False),
            Column("until_ms", BigInteger, nullable=False),
        )

    def add(self, transaction: Executes, topic: Topic, key: str, event: msgspec.Struct | None) -> None:
        """Publish `event` (None: a tombstone) under `key` if, and only if, the transaction commits."""
        value = None if event is None else encode(event)
        now_ms = SystemClock().now_ms()
        row = {"topic": topic.name, "key": key, "value": value, "created_ms": now_ms}
        transaction.execute(insert(self.records).values(row))


class OutboxRelay(Background):
    """Publishes the outbox's records while it holds the lease."""

    def __init__(
        self, service: str, outbox: Outbox, engine: Engine, kafka: KafkaSettings, metrics: OutboxMetrics
    ) -> None:
        super().__init__(f"{service}-outbox-relay")
        self._service, self._outbox, self._engine = service, outbox, engine
        self._kafka, self._metrics = kafka, metrics
        self._holder = uuid.uuid4().hex
        self._clock = SystemClock()
        self._producer: KafkaProducer | None = None
        self._work = threading.Event()

    def wake(self) -> None:
        """Say that a transaction with records has committed."""
        self._work.set()

    def round(self) -> None:
        """Publish one batch, or wait a little where there is none."""
        try:
            published = self._hold_lease() and self._publish_batch()
        except (KafkaError, OperationalError) as error:
            self._metrics.failures.labels(type(error).__name__).inc()
            _log.warning("outbox_round_failed", error=repr(error))
            self.close()
            self.pause(_BACK_OFF_S)
            return
        if not published:
            self._work.wait(_QUIET_S)
            self._work.clear()

    def close(self) -> None:
        """Let go of the producer; an open transaction of it is aborted by the broker."""
        if self._producer is not None:
            self._producer.close(timeout=5)
            self._producer = None

    def _hold_lease(self) -> bool:
        now_ms, lease = self._clock.now_ms(), self._outbox.lease
        mine = {"holder": self._holder, "until_ms": now_ms + LEASE_MS}
        free_or_mine = (lease.c.holder == self._holder) | (lease.c.until_ms < now_ms)
        try:
            with self._engine.begin() as transaction:
                changed = transaction.execute(update(lease).where(free_or_mine).values(mine)).rowcount
                if not changed and transaction.execute(select(lease.c.name)).first() is None:
                    transaction.execute(insert(lease).values(name="relay", **mine))
                    changed = 1
        except IntegrityError:  # another instance took it first
            changed = 0
        if not changed:
            self.close()
        return bool(changed)

    def _publish_batch(self) -> bool:
        records = self._outbox.records
        with self._engine.begin() as transaction:
            rows = transaction.execute(select(records).order_by(records.c.id).limit(BATCH)).all()
            waiting = transaction.execute(select(func.count()).select_from(records)).scalar_one()
        self._metrics.backlog.set(waiting)
        self._metrics.age.set((self._clock.now_ms() - rows[0].created_ms) / 1000 if rows else 0)
        if not rows:
            return False
        self._send(rows)
        with self._engine.begin() as transaction:
            transaction.execute(delete(records).where(records.c.id.in_([row.id for row in rows])))
        return True

    def _send(self, rows: Sequence[Row[Any]]) -> None:
        producer = self._own_producer()
        producer.begin_transaction()
        prefix = self._kafka.namespace
        sent = [producer.send(prefix + row.topic, key=row.key.encode(), value=row.value) for row in rows]
        producer.commit_transaction()
        for future, row in zip(sent, rows, strict=True):
            future.get(timeout=0)
            self._metrics.published.labels(row.topic).inc()

    def _own_producer(self) -> KafkaProducer:
        if self._producer is None:
            self._producer = KafkaProducer(
                bootstrap_servers=self._kafka.bootstrap.split(","),
                client_id=client_id(self._service),
                transactional_id=self._kafka.group(f"{self._service}-outbox"),
                transaction_timeout_ms=10_000,
                acks="all",
            )
            self._producer.init_transactions()  # fences a relay that lost its lease without noticing
        return self._producer
