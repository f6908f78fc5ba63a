"""The clock in the log: who may say what time it is, and that it never runs backwards."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Literal, Protocol

from services.ingest.feeds import Feeds
from services.ingest.turnstile import Turnstile
from services.kernel.clock import HOUR_MS, Clock, StreamClock, service_clock
from services.kernel.errors import SignpostError, TransientError
from services.kernel.events import ClockTicked
from services.kernel.logs import log
from services.kernel.metrics import IngestMetrics

_LOOK_S = 30.0
_AGAIN_S = 2.0
_log = log(__name__)


class WritesTicks(Protocol):
    """Where ticks go."""

    async def tick(self, tick: ClockTicked) -> None:
        """Write a tick into every partition, or raise `TransientError`."""


class TickRefused(SignpostError):  # noqa: N818 - it is the tick that is refused
    """Time may not be set so; the message says why."""


class Ticks:
    """The ticks of one door, and the clock that it judges grants by."""

    def __init__(
        self,
        mode: Literal["live", "replay"],
        log_: WritesTicks,
        turnstile: Turnstile,
        feeds: Feeds,
        metrics: IngestMetrics,
    ) -> None:
        self.mode = mode
        self.last_ms: int | None = None
        self._stream = StreamClock()
        self.clock: Clock = service_clock(mode, self._stream)
        self._log, self._turnstile, self._feeds, self._metrics = log_, turnstile, feeds, metrics
        self._recovered = False
        metrics.live.set(mode == "live")

    def problem(self) -> str | None:
        """For a health check."""
        return None if self._recovered else "the last tick is not yet known"

    def recovered(self, last: ClockTicked | None) -> None:
        """The log's last tick is known; None where it has none."""
        self._recovered = True
        if last is not None:
            self._feeds.recovered(last.heard)
            self._stand_at(last.at_ms)

    async def set_by_replayer(self, at_ms: int, heard: Mapping[str, int] | None = None) -> None:
        """Write the tick that a replayer asks for; the same one twice is harmless.

        What the door hears in a replay, it hears at the machine's time: so the replayer says what it had sent by then.

        Raises:
            TickRefused: the door itself keeps the clock, or time would run backwards.
            TransientError: it could not be written everywhere.
        """
        if self.mode == "live":
            raise TickRefused("In live mode the door itself writes the ticks; set SIGNPOST_CLOCK=replay to replay.")
        await self._write(ClockTicked(at_ms=at_ms, heard=dict(heard or {})))

    async def run_live(self, machine: Clock) -> None:
        """Write a tick at once and at each full hour of the machine's clock, until cancelled."""
        due_ms = machine.now_ms()
        while True:
            if machine.now_ms() >= due_ms:
                try:
                    await self._write(ClockTicked(at_ms=due_ms, heard=self._feeds.last(due_ms)))
                except TickRefused:
                    _log.warning("tick_skipped", reason="the machine's clock is behind the log's last tick")
                except TransientError:
                    await asyncio.sleep(_AGAIN_S)
                    continue
                due_ms = (machine.now_ms() // HOUR_MS + 1) * HOUR_MS
            await asyncio.sleep(min(_LOOK_S, max(0, due_ms - machine.now_ms()) / 1000))

    async def _write(self, tick: ClockTicked) -> None:
        if problem := self.problem():
            raise TransientError(problem)
        async with self._turnstile.alone():
            if self.last_ms is not None and tick.at_ms < self.last_ms:
                raise TickRefused(
                    f"The clock stands at {self.last_ms} and never runs backwards. "
                    "Go on from there, or start anew with an empty log."
                )
            await self._log.tick(tick)
            self._feeds.said(tick.heard)
            self._stand_at(tick.at_ms)

    def _stand_at(self, at_ms: int) -> None:
        self.last_ms = at_ms
        self._stream.advance(at_ms)
        self._metrics.tick.set(at_ms / 1000)
