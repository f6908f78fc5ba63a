"""A transactional outbox: what a database transaction decided is published to Kafka, no more and no less.

A record is added in the same transaction as the change that it speaks of. One relay at a time publishes the records in
their order: a lease in the database chooses it, and Kafka's transactional id fences one that was paused past its
lease. A crash between publishing and deleting publishes again; consumers drop what is not newer by its version.
"""

from __future__ import annotations

import queue
import threading
import uuid
from collections.abc import Sequence
from contextlib import suppress
from typing import Any, Protocol

import msgspec
from kafka import KafkaProducer
from kafka.errors import KafkaError, KafkaTimeoutError
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
from sqlalchemy.exc import DBAPIError, IntegrityError, InterfaceError, OperationalError

from services.kernel.background import Background
from services.kernel.clock import SystemClock
from services.kernel.codec import encode
from services.kernel.database import reading
from services.kernel.kafka import client_id
from services.kernel.logs import log
from services.kernel.metrics import OutboxMetrics
from services.kernel.settings import KafkaSettings
from services.kernel.topics import Topic

LEASE_MS = 5_000
_CLOCKS_DIFFER_MS = 60_000  # those of several instances, at most
BATCH = 500
_QUIET_S = 0.2
_BACK_OFF_S = 1.0
_PATIENCE_MS = 8_000  # with the broker, in one round
_LONGEST_WAIT_S = 60  # of a record, before the service says that it is not ready
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
            # An id that came again could be deleted by a relay that published its first bearer.
            sqlite_autoincrement=True,
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
        self._renew_ms = 0
        self._age_s = 0.0
        self._producer: KafkaProducer | None = None
        self._work = threading.Event()

    def wake(self) -> None:
        """Say that a transaction with records has committed."""
        self._work.set()

    def round(self) -> None:
        """Publish one batch, or wait a little where there is none."""
        try:
            self._measure()
            published = self._hold_lease() and self._publish_batch()
        except (KafkaError, OperationalError, InterfaceError) as error:
            self._metrics.failures.labels(type(error).__name__).inc()
            _log.warning("outbox_round_failed", error=type(error).__name__)
            self._let_go_of_producer()
            self._renew_ms = 0
            self.pause(_BACK_OFF_S)
            return
        if not published:
            self._work.wait(_QUIET_S)
            self._work.clear()

    def close(self) -> None:
        """Let go of the producer, and of the lease, so that the next relay need not wait for its end."""
        self._let_go_of_producer()
        lease = self._outbox.lease
        with suppress(DBAPIError), self._engine.begin() as transaction:
            transaction.execute(update(lease).where(lease.c.holder == self._holder).values(until_ms=0))

    def problem(self, within_s: float = 15) -> str | None:
        """For a health check: the thread's trouble, or that records wait for too long."""
        waiting = f"the oldest record has waited for {self._age_s:.0f} s" if self._age_s > _LONGEST_WAIT_S else None
        return super().problem(within_s) or waiting

    def _measure(self) -> None:
        created_ms = self._outbox.records.c.created_ms
        with reading(self._engine) as transaction:
            waiting, oldest_ms = transaction.execute(select(func.count(), func.min(created_ms))).one()
        self._age_s = (self._clock.now_ms() - oldest_ms) / 1000 if waiting else 0
        self._metrics.backlog.set(waiting)
        self._metrics.age.set(self._age_s)

    def _hold_lease(self) -> bool:
        now_ms, lease = self._clock.now_ms(), self._outbox.lease
        if now_ms < self._renew_ms:
            return True
        mine = {"holder": self._holder, "until_ms": now_ms + LEASE_MS}
        # One that ends later than any can was taken by a clock that ran ahead; if its holder lives, it is fenced.
        free = (lease.c.until_ms < now_ms) | (lease.c.until_ms > now_ms + LEASE_MS + _CLOCKS_DIFFER_MS)
        free_or_mine = free | (lease.c.holder == self._holder)
        try:
            with self._engine.begin() as transaction:
                changed = transaction.execute(update(lease).where(free_or_mine).values(mine)).rowcount
                if not changed and transaction.execute(select(lease.c.name)).first() is None:
                    transaction.execute(insert(lease).values(name="relay", **mine))
                    changed = 1
        except IntegrityError:  # another instance took it first
            changed = 0
        if not changed:
            self._let_go_of_producer()
            return False
        self._renew_ms = now_ms + LEASE_MS // 2
        return True

    def _publish_batch(self) -> bool:
        # The producer comes first: making it fences the relay before, so what is read below can only be older than
        # what the topic holds if this relay is fenced in turn before it sends.
        producer = self._own_producer()
        rows = self._batch()
        if rows:
            self._send(producer, rows)
            self._delete(rows)
        return bool(rows)

    def _batch(self) -> Sequence[Row[Any]]:
        records = self._outbox.records
        with reading(self._engine) as transaction:
            return transaction.execute(select(records).order_by(records.c.id).limit(BATCH)).all()

    def _send(self, producer: KafkaProducer, rows: Sequence[Row[Any]]) -> None:
        producer.begin_transaction()
        prefix = self._kafka.namespace
        sent = [producer.send(prefix + row.topic, key=row.key.encode(), value=row.value) for row in rows]
        _commit(producer)
        for future, row in zip(sent, rows, strict=True):
            future.get(timeout=0)
            self._metrics.published.labels(row.topic).inc()

    def _delete(self, rows: Sequence[Row[Any]]) -> None:
        records = self._outbox.records
        with self._engine.begin() as transaction:
            transaction.execute(delete(records).where(records.c.id.in_([row.id for row in rows])))

    def _own_producer(self) -> KafkaProducer:
        if self._producer is None:
            self._producer = KafkaProducer(
                bootstrap_servers=self._kafka.bootstrap.split(","),
                client_id=client_id(self._service),
                transactional_id=self._kafka.group(f"{self._service}-outbox"),
                transaction_timeout_ms=10_000,
                max_block_ms=_PATIENCE_MS,
                request_timeout_ms=_PATIENCE_MS // 2,
                delivery_timeout_ms=_PATIENCE_MS,
                acks="all",
            )
            self._producer.init_transactions()  # fences a relay that lost its lease without noticing
        return self._producer

    def _let_go_of_producer(self) -> None:
        """An open transaction of it is aborted by the broker; the lease must be asked for again."""
        self._renew_ms = 0
        producer, self._producer = self._producer, None
        if producer is not None:
            with suppress(KafkaError):  # what it could not deliver is still in the database
                producer.close(timeout=_PATIENCE_MS / 1000 + 1)


def _commit(producer: KafkaProducer) -> None:
    """Commit, but not wait for ever, as the client does when the broker's answer to it was lost in a crash.

    A commit that came about after all does no harm: the same records are published again, in the same order.
    """
    ended: queue.SimpleQueue[Exception | None] = queue.SimpleQueue()

    def commit() -> None:
        try:
            producer.commit_transaction()
        except Exception as error:  # noqa: BLE001 - it is raised again below, in the thread that waits
            ended.put(error)
        else:
            ended.put(None)

    threading.Thread(target=commit, name="outbox-commit", daemon=True).start()
    try:
        problem = ended.get(timeout=_PATIENCE_MS / 1000 + 1)
    except queue.Empty:
        problem = KafkaTimeoutError("the broker did not answer the commit")
    if problem is not None:
        raise problem
