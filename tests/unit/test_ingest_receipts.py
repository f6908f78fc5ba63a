"""The door's receipts: true when they are given, and the same when they are asked for again."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence

from services.ingest.receipts import Receipts
from services.ingest.turnstile import Turnstile
from services.kernel.clock import StreamClock
from services.kernel.errors import TransientError
from services.kernel.events import ConsentApplied
from tests.support.students import consent
from tests.support.waiting import eventually_async

ADA = "a" * 64


class ReceiptsInMemory:
    """Keeps receipts in a list, and can be away."""

    def __init__(self) -> None:
        self.sent: list[ConsentApplied] = []
        self.away = False

    async def receipts(self, receipts: Sequence[ConsentApplied]) -> None:
        """Keep them."""
        if self.away:
            raise TransientError("the log is away")
        self.sent.extend(receipts)


def test_a_receipt_waits_for_the_requests_that_were_judged_before_and_for_no_other() -> None:
    """Otherwise an event judged by the version before could come after the receipt."""

    async def scenario() -> list[ConsentApplied]:
        turnstile, log, clock = Turnstile(1000), ReceiptsInMemory(), StreamClock(1_000)
        receipts, written, held = Receipts(turnstile, log, clock), asyncio.Event(), asyncio.Event()

        async def request(until: asyncio.Event) -> None:
            async with turnstile.with_others():
                await until.wait()

        before = asyncio.create_task(request(written))
        await eventually_async(_is(lambda: turnstile.writing == 1))
        receipts.give([consent(ADA, 2)])
        await asyncio.sleep(0)
        after = asyncio.create_task(request(held))
        await eventually_async(_is(lambda: turnstile.writing == 2))
        assert log.sent == []
        clock.advance(5_000)
        written.set()
        await eventually_async(_is(lambda: bool(log.sent)))
        assert turnstile.writing == 1
        held.set()
        await asyncio.gather(before, after)
        return log.sent

    (sent,) = asyncio.run(scenario())
    assert (sent.student, sent.version, sent.consumer, sent.applied_ms) == (ADA, 2, "ingest", 5_000)


def test_asked_again_it_says_since_when_it_has_obeyed() -> None:
    async def scenario() -> list[ConsentApplied]:
        log, clock = ReceiptsInMemory(), StreamClock(1_000)
        receipts = Receipts(Turnstile(1000), log, clock)
        for number, version in enumerate((1, 1, 2), 1):
            receipts.give([consent(ADA, version)])
            await eventually_async(_is(lambda number=number: len(log.sent) == number))  # type: ignore[misc]  # the default binds the loop's
            clock.advance(clock.now_ms() + 1_000)
        return log.sent

    assert [(sent.version, sent.applied_ms) for sent in asyncio.run(scenario())] == [(1, 1_000), (1, 1_000), (2, 3_000)]


def test_a_receipt_that_cannot_be_sent_is_left_to_be_asked_for() -> None:
    async def scenario() -> list[ConsentApplied]:
        log = ReceiptsInMemory()
        receipts = Receipts(Turnstile(1000), log, StreamClock(1_000))
        log.away = True
        receipts.give([consent(ADA)])
        await asyncio.sleep(0.01)
        log.away = False
        receipts.give([consent(ADA)])
        await eventually_async(_is(lambda: bool(log.sent)))
        return log.sent

    assert len(asyncio.run(scenario())) == 1


def _is(condition: Callable[[], bool]) -> Callable[[], Awaitable[bool]]:
    async def ask() -> bool:
        return condition()

    return ask
