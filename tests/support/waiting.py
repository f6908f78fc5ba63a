"""Waiting on conditions, never for a time."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import TypeVar

T = TypeVar("T")
TIMEOUT_S = 30.0
_PAUSE_S = 0.05


def eventually(condition: Callable[[], T], timeout_s: float = TIMEOUT_S, what: str = "") -> T:
    """Call `condition` until it gives something true, and return that; `AssertionError` when the time is over.

    An `AssertionError` in it counts as not yet; the last one is shown when the time is over.
    """
    deadline = time.monotonic() + timeout_s
    while True:
        found, problem = _attempt(condition)
        if found:
            return found
        if time.monotonic() > deadline:
            raise AssertionError(_explain(what, timeout_s, found, problem)) from problem
        time.sleep(_PAUSE_S)


async def eventually_async(condition: Callable[[], Awaitable[T]], timeout_s: float = TIMEOUT_S, what: str = "") -> T:
    """As `eventually`, for a condition that has to be awaited."""
    deadline = time.monotonic() + timeout_s
    while True:
        found = await condition()
        if found:
            return found
        if time.monotonic() > deadline:
            raise AssertionError(_explain(what, timeout_s, found, None))
        await asyncio.sleep(_PAUSE_S)


def _attempt(condition: Callable[[], T]) -> tuple[T | None, AssertionError | None]:
    try:
        return condition(), None
    except AssertionError as problem:
        return None, problem


def _explain(what: str, timeout_s: float, found: object, problem: AssertionError | None) -> str:
    return f"{what or 'the condition'} did not come true in {timeout_s:g} s; last: {problem or found!r}"
