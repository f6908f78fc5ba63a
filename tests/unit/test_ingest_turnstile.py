"""The turnstile and the ticks: bounds, order, and a clock that never runs backwards."""

from __future__ import annotations

import asyncio
from typing import Any, Literal

import pytest

from services.ingest.domain import Claim, Secrets
from services.ingest.feeds import Feeds
from services.ingest.handlers import Door
from services.ingest.ticks import TickRefused, Ticks
from services.ingest.turnstile import Turnstile
from services.kernel.clock import HOUR_MS, SystemClock
from services.kernel.errors import TransientError
from services.kernel.events import ClockTicked
from services.kernel.ids import Pseudonyms
from services.kernel.metrics import IngestMetrics
from tests.support.door import AT_MS, SECRET, ConsentsInMemory, LogInMemory, student_of
from tests.support.students import consent
from tests.support.waiting import eventually_async

CLAIM = Claim("1", "31000001", "HIST101", "forum", AT_MS)
FEEDS = Feeds((), IngestMetrics())  # none is connected, so that ticks say nothing of them


def ticks(mode: Literal["live", "replay"] = "replay") -> tuple[Ticks, LogInMemory]:
    """Ticks on a log in memory, with no tick as yet."""
    log = LogInMemory()
    made = Ticks(mode, log, Turnstile(1000), FEEDS, IngestMetrics())
    made.recovered(None)
    return made, log


def door(turnstile: Turnstile, log: LogInMemory, made: Ticks) -> Door:
    """A door that knows one consenting student."""
    return Door(
        consents=ConsentsInMemory(consent(student_of("31000001"))),
        log=log,
        feeds=FEEDS,
        ticks=made,
        turnstile=turnstile,
        metrics=IngestMetrics(),
        pseudonyms=Pseudonyms(SECRET),
        secrets=Secrets(SECRET),
        qualifying={"forum": True},
    )


def test_there_is_room_up_to_the_bound_and_again_after() -> None:
    async def scenario() -> None:
        turnstile = Turnstile(100)
        async with turnstile.room_for(60):
            with pytest.raises(TransientError, match="a little later"):
                async with turnstile.room_for(41):
                    raise AssertionError("there was no room")
            async with turnstile.room_for(40):
                pass
        async with turnstile.room_for(100):
            pass

    asyncio.run(scenario())


def test_a_tick_stands_after_the_events_that_were_taken_before_it_and_before_those_after() -> None:
    async def scenario() -> list[Any]:
        turnstile, log = Turnstile(1000), LogInMemory()
        made = Ticks("replay", log, turnstile, FEEDS, IngestMetrics())
        made.recovered(None)
        entrance = door(turnstile, log, made)
        log.gate = asyncio.Event()
        first = asyncio.create_task(entrance.take("vle", "vle", [CLAIM], sent=1))
        await eventually_async(lambda: _true(turnstile.writing == 1))
        tick = asyncio.create_task(made.set_by_replayer(AT_MS))
        await eventually_async(lambda: _true(turnstile.closed))
        second = asyncio.create_task(entrance.take("vle", "vle", [CLAIM], sent=1))
        log.gate.set()
        await asyncio.gather(first, tick, second)
        return [record if isinstance(record, int) else "event" for record in log.records]

    assert asyncio.run(scenario()) == ["event", AT_MS, "event"]


def test_a_failed_write_lets_the_next_one_in() -> None:
    async def scenario() -> None:
        made, log = ticks()
        log.away = True
        with pytest.raises(TransientError):
            await made.set_by_replayer(AT_MS)
        assert made.last_ms is None
        log.away = False
        await made.set_by_replayer(AT_MS)
        assert made.last_ms == AT_MS

    asyncio.run(scenario())


def test_time_never_runs_backwards_but_may_be_said_twice() -> None:
    async def scenario() -> list[Any]:
        made, log = ticks()
        await made.set_by_replayer(AT_MS)
        await made.set_by_replayer(AT_MS)
        with pytest.raises(TickRefused, match=str(AT_MS)):
            await made.set_by_replayer(AT_MS - 1)
        assert made.clock.now_ms() == AT_MS
        return log.records

    assert asyncio.run(scenario()) == [AT_MS, AT_MS]


def test_live_nobody_but_the_door_sets_the_clock() -> None:
    made, log = ticks("live")
    with pytest.raises(TickRefused, match="SIGNPOST_CLOCK=replay"):
        asyncio.run(made.set_by_replayer(AT_MS))
    assert log.records == []
    assert isinstance(made.clock, SystemClock)


def test_live_the_door_ticks_at_once() -> None:
    async def scenario() -> None:
        made, log = ticks("live")
        running = asyncio.create_task(made.run_live(SystemClock()))
        await eventually_async(lambda: _true(log.records))
        running.cancel()
        assert made.last_ms == log.records[0]
        assert abs(SystemClock().now_ms() - (made.last_ms or 0)) < HOUR_MS

    asyncio.run(scenario())


def test_live_the_door_ticks_at_each_full_hour_and_catches_up_after_a_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("services.ingest.ticks._AGAIN_S", 0)
    monkeypatch.setattr("services.ingest.ticks._LOOK_S", 0)

    class Machine:
        """A clock on which a minute passes whenever one looks and the log is there, up to half past three."""

        at_ms = 0

        def now_ms(self) -> int:
            self.at_ms = min(self.at_ms + (0 if log.away else HOUR_MS // 60), 7 * HOUR_MS // 2)
            return self.at_ms

    made, log = ticks("live")
    log.away = True

    async def scenario() -> list[Any]:
        running = asyncio.create_task(made.run_live(Machine()))
        await eventually_async(lambda: _true(log.attempts))
        log.away = False
        await eventually_async(lambda: _true(made.last_ms == 3 * HOUR_MS))
        running.cancel()
        return log.records

    assert asyncio.run(scenario()) == [0, HOUR_MS, 2 * HOUR_MS, 3 * HOUR_MS]


def test_live_a_log_that_is_ahead_of_the_machine_is_not_set_back() -> None:
    async def scenario() -> None:
        made, log = ticks("live")
        made.recovered(ClockTicked(at_ms=SystemClock().now_ms() + 10 * HOUR_MS))
        running = asyncio.create_task(made.run_live(SystemClock()))
        await asyncio.wait([running], timeout=0.1)
        assert not running.done()
        assert log.records == []
        running.cancel()

    asyncio.run(scenario())


def test_before_the_last_tick_is_known_no_time_is_set_and_nothing_is_taken() -> None:
    async def scenario() -> None:
        turnstile, log = Turnstile(1000), LogInMemory()
        made = Ticks("replay", log, turnstile, FEEDS, IngestMetrics())
        with pytest.raises(TransientError, match="not yet known"):
            await made.set_by_replayer(AT_MS)
        with pytest.raises(TransientError, match="not yet known"):
            await door(turnstile, log, made).take("vle", "vle", [CLAIM], sent=1)
        assert log.records == []

    asyncio.run(scenario())


async def _true(value: object) -> bool:
    return bool(value)
