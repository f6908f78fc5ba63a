"""Keeps the metrics of requests current: a deadline passes without anything happening."""

from __future__ import annotations

import math
from contextlib import suppress

from services.consent.domain.requests.request import KINDS
from services.consent.handlers.requests.handling import Requests
from services.kernel.background import Background
from services.kernel.clock import DAY_MS
from services.kernel.errors import TransientError
from services.kernel.metrics import ConsentMetrics

EVERY_S = 10.0


class RequestWatch(Background):
    """Counts open and overdue requests again and again; a database that is away leaves the figures as they were."""

    def __init__(self, requests: Requests, metrics: ConsentMetrics) -> None:
        super().__init__("request-watch")
        self._requests, self._metrics = requests, metrics

    def round(self) -> None:
        """Count, and wait."""
        with suppress(TransientError):  # the health check of the database says so
            self.count()
        self.pause(EVERY_S)

    def count(self) -> None:
        """Set the gauges.

        Raises:
            TransientError: the database is away.
        """
        due = [(asked.kind, self._requests.deadline(asked)) for asked in self._requests.standing()]
        for kind in KINDS:
            of_kind = [deadline for name, deadline in due if name == kind]
            self._metrics.requests_open.labels(kind).set(len(of_kind))
            self._metrics.requests_overdue.labels(kind).set(sum(deadline.overdue for deadline in of_kind))
        days = [deadline.days_left + 1 for _, deadline in due if deadline.running]  # the last day is there to its end
        self._metrics.requests_deadline.set(min(days) * DAY_MS / 1000 if days else math.inf)
