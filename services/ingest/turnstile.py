"""How much the door holds at once, and who is inside.

So a tick of the clock never overtakes an event accepted before it, and the door does not say that it obeys a withdrawal
while a request that it judged before is still writing.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from services.kernel.errors import TransientError


class Turnstile:
    """Bounds the bytes of requests inside, and lets one visitor in alone.

    Attributes:
        closed: whether someone is inside alone, or waits to be.
    """

    def __init__(self, capacity_bytes: int) -> None:
        self._capacity = capacity_bytes
        self._inside_bytes = 0
        self._turn = 0
        self._writing: Counter[int] = Counter()  # by the turn in which they came in
        self.closed = False
        self._changed = asyncio.Condition()

    @property
    def writing(self) -> int:
        """How many are writing events."""
        return self._writing.total()

    @asynccontextmanager
    async def room_for(self, size: int) -> AsyncIterator[None]:
        """Hold room for a request of `size` bytes.

        Raises:
            TransientError: there is none.
        """
        if self._inside_bytes + size > self._capacity:
            raise TransientError("Too many events are on their way; send this again a little later.")
        self._inside_bytes += size
        try:
            yield
        finally:
            self._inside_bytes -= size

    @asynccontextmanager
    async def with_others(self) -> AsyncIterator[None]:
        """Judge and write events, beside others who do."""
        async with self._changed:
            await self._changed.wait_for(lambda: not self.closed)
            turn = self._turn
            self._writing[turn] += 1
        try:
            yield
        finally:
            async with self._changed:
                self._writing[turn] -= 1
                self._changed.notify_all()

    async def those_inside_left(self) -> None:
        """Wait until all who are writing now are done; others may come in meanwhile."""
        last, self._turn = self._turn, self._turn + 1
        async with self._changed:
            await self._changed.wait_for(lambda: not any(n for turn, n in self._writing.items() if turn <= last))
            self._writing = Counter({turn: number for turn, number in self._writing.items() if number})

    @asynccontextmanager
    async def alone(self) -> AsyncIterator[None]:
        """Wait until all who write are done, and keep others waiting meanwhile."""
        async with self._changed:
            await self._changed.wait_for(lambda: not self.closed)
            self.closed = True
        try:
            async with self._changed:
                await self._changed.wait_for(lambda: not self.writing)
            yield
        finally:
            async with self._changed:
                self.closed = False
                self._changed.notify_all()
