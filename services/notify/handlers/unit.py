"""One unit of work: everything in the database, within one transaction, one commit."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import Connection

from services.notify.adapters.cases import Cases
from services.notify.adapters.deliveries import AccessLog, Deliveries
from services.notify.adapters.directory import Directory
from services.notify.adapters.snapshots import Snapshots


@dataclass(frozen=True, slots=True)
class Unit:
    """The stores of one transaction, and the transaction itself for the outbox."""

    tx: Connection
    cases: Cases
    directory: Directory
    snapshots: Snapshots
    deliveries: Deliveries
    access: AccessLog

    @classmethod
    def of(cls, tx: Connection) -> Unit:
        """The stores of this transaction."""
        return cls(tx, Cases(tx), Directory(tx), Snapshots(tx), Deliveries(tx), AccessLog(tx))
