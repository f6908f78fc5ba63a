"""Sends the messages that are due, one after the other, in a thread of its own."""

from __future__ import annotations

import threading
from collections.abc import Callable
from email.message import EmailMessage

from sqlalchemy import Engine
from sqlalchemy.exc import OperationalError

from services.kernel.background import Background
from services.kernel.errors import TransientError
from services.kernel.events import RenewalRequested
from services.kernel.logs import log
from services.kernel.metrics import NotifyMetrics
from services.notify.adapters.deliveries import Delivery
from services.notify.handlers import delivery as handlers
from services.notify.handlers.gate import Gate, NotNow
from services.notify.handlers.unit import Unit
from services.notify.letters import Letterhead
from services.notify.ports import Mailer, Refused

_QUIET_S = 0.5
_log = log(__name__)


class Courier(Background):
    """Claims a message, checks consent, sends it, notes what came of it; in this order, each step committed."""

    def __init__(
        self, engine: Engine, gate: Gate, mailer: Mailer, letterhead: Letterhead, metrics: NotifyMetrics
    ) -> None:
        super().__init__("notify-courier")
        self._engine, self._gate, self._mailer = engine, gate, mailer
        self._letterhead, self._metrics = letterhead, metrics
        self._work = threading.Event()
        self._waits_for: str | None = None

    def wake(self) -> None:
        """Say that a message may be due."""
        self._work.set()

    def round(self) -> None:
        """Send one message, or wait a little where none may be sent."""
        try:
            claimed = self._claim()
            self._waits_for = None
        except (NotNow, OperationalError) as error:
            self._say_once(type(error).__name__)
            claimed = None
        if claimed is None:
            self._work.wait(_QUIET_S)
            self._work.clear()
        else:
            self._deliver(*claimed)

    def _say_once(self, reason: str) -> None:
        if self._waits_for != reason:
            _log.warning("courier_waits", reason=reason)
        self._waits_for = reason

    def _claim(self) -> tuple[Delivery, EmailMessage] | None:
        with self._engine.begin() as tx:
            return handlers.next_message(Unit.of(tx), self._gate, self._letterhead)

    def _deliver(self, delivery: Delivery, message: EmailMessage) -> None:
        try:
            self._mailer.send(message)
        except TransientError as error:
            _log.warning("message_put_off", delivery=delivery.id, attempt=delivery.attempts, reason=str(error))
            outcome, note = "put-off", handlers.put_off
        except Refused as error:
            _log.error("message_refused", delivery=delivery.id, reason=str(error))
            outcome, note = "refused", handlers.refused
        else:
            outcome, note = "sent", handlers.sent
            if not isinstance(delivery.about, RenewalRequested):
                waited_ms = self._gate.system.now_ms() - delivery.created_ms
                self._metrics.trigger_to_mail.observe(waited_ms / 1000)
        self._note(note, delivery)
        self._metrics.deliveries.labels(outcome).inc()

    def _note(self, note: Callable[[Unit, Gate, Delivery], None], delivery: Delivery) -> None:
        """Note what came of it, however long the database is away: forgetting it would send it twice."""
        while not self.stopping:
            try:
                with self._engine.begin() as tx:
                    note(Unit.of(tx), self._gate, delivery)
            except OperationalError as error:
                self._say_once(type(error).__name__)
                self.pause(_QUIET_S)
            else:
                return
