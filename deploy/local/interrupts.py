"""Ctrl-C, SIGTERM, a closed terminal: each asks the run to stop, but never between two steps that belong together."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any, Self

_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class StopAsked(KeyboardInterrupt):
    """Raised in the main thread when somebody wants the run to end; of the kind that asyncio lets through."""


class Interrupts:
    """While open, the signals raise `StopAsked` in the main thread, once; further ones change nothing."""

    def __init__(self) -> None:
        self._asked = threading.Event()
        self._held = False
        self._before: dict[signal.Signals, Any] = {}

    def __enter__(self) -> Self:
        self._before = {number: signal.signal(number, self._on_signal) for number in _SIGNALS}
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    @contextmanager
    def held(self) -> Iterator[None]:
        """A stop that is asked for in the block is raised at its end: nothing is started and then forgotten."""
        self._held = True
        try:
            yield
        finally:
            self._held = False
        self.check()

    def ignore(self) -> None:
        """From now on nothing is raised: what has to be stopped is being stopped already."""
        self._held = True

    def check(self) -> None:
        """Raise `StopAsked` where somebody has asked in the meantime."""
        if self._asked.is_set():
            raise StopAsked

    def wait(self) -> None:
        """Sleep until somebody asks."""
        while True:
            signal.pause()

    def _on_signal(self, _number: int, _frame: FrameType | None) -> None:
        first = not self._asked.is_set()
        self._asked.set()
        if first and not self._held:
            raise StopAsked
