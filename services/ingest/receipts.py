"""The door's receipts for consents: given once it holds nothing any more that it judged by an older version."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Sequence
from typing import Protocol

from services.ingest.turnstile import Turnstile
from services.kernel.clock import Clock, SystemClock
from services.kernel.errors import TransientError
from services.kernel.events import ConsentApplied, ConsentStateChanged
from services.kernel.logs import log

_log = log(__name__)


class SendsReceipts(Protocol):
    """Where receipts go."""

    async def receipts(self, receipts: Sequence[ConsentApplied]) -> None:
        """Send all, or raise `TransientError`."""


class Receipts:
    """Gives receipts, beside all else that the door does."""

    def __init__(self, turnstile: Turnstile, log: SendsReceipts, clock: Clock | None = None) -> None:
        self._turnstile, self._log, self._clock = turnstile, log, clock or SystemClock()
        self._instance = uuid.uuid4().hex[:8]
        self._since: dict[str, tuple[int, int]] = {}  # version and moment, by student: to say the same when asked again
        self._giving: set[asyncio.Task[None]] = set()

    def give(self, consents: Sequence[ConsentStateChanged]) -> None:
        """Say, as soon as it is true, that the door obeys these."""
        task = asyncio.create_task(self._give(consents))
        self._giving.add(task)  # the loop itself holds tasks only weakly
        task.add_done_callback(self._giving.discard)

    async def _give(self, consents: Sequence[ConsentStateChanged]) -> None:
        await self._turnstile.those_inside_left()
        at_ms = self._clock.now_ms()
        receipts = [
            ConsentApplied(
                student=consent.student,
                version=consent.version,
                consumer="ingest",
                applied_ms=self._since_when(consent, at_ms),
                instance=self._instance,
            )
            for consent in consents
        ]
        try:
            await self._log.receipts(receipts)
        except TransientError:  # the consent service asks again
            _log.warning("consent_receipts_not_sent", number=len(receipts))

    def _since_when(self, consent: ConsentStateChanged, now_ms: int) -> int:
        version, at_ms = self._since.get(consent.student, (0, 0))
        if version == consent.version:
            return at_ms
        self._since[consent.student] = consent.version, now_ms
        return now_ms
