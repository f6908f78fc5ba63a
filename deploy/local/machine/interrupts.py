"""Ctrl-C, SIGTERM, a closed terminal: each asks the run to stop, but never between two steps that belong together."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any, ClassVar, Self

_SIGNALS = {signal.SIGINT, signal.SIGTERM, signal.SIGHUP}


class StopAsked(KeyboardInterrupt):
    """Raised in the main thread when somebody wants the run to end; of the kind that asyncio lets through."""


class Interrupts:
    """While open, the signals raise `StopAsked` in the main thread, once; further ones change nothing."""

    current: ClassVar[Interrupts | None] = None  # signals are the process's, so there is one at a time

    def __init__(self) -> None:
        self._asked = threading.Event()
        self._held = 0
        self._before: dict[signal.Signals, Any] = {}

    def __enter__(self) -> Self:
        ignored = {signal.SIGHUP} if signal.getsignal(signal.SIGHUP) == signal.SIG_IGN else set()  # nohup
        self._before = {number: signal.signal(number, self._on_signal) for number in _SIGNALS - ignored}
        Interrupts.current = self
        return self

    def __exit__(self, *_: object) -> None:
        Interrupts.current = None
        for number, handler in self._before.items():
            signal.signal(number, handler)

    @property
    def asked(self) -> bool:
        """Whether somebody wants the run to end."""
        return self._asked.is_set()

    @contextmanager
    def held(self) -> Iterator[None]:
        """A stop that is asked for in the block is raised at its end."""
        self._held += 1
        try:
            yield
        finally:
            self._held -= 1
        if self.asked and not self._held:
            raise StopAsked

    def ignore(self) -> None:
        """From now on nothing is raised: what has to be stopped is being stopped already."""
        self._held += 1

    def wait(self) -> None:
        """Sleep until somebody asks."""
        while True:
            signal.pause()

    def _on_signal(self, _number: int, _frame: FrameType | None) -> None:
        first = not self.asked
        self._asked.set()
        if first and not self._held:
            raise StopAsked


@contextmanager
def undisturbed() -> Iterator[None]:
    """Put off an interrupt to the end of the block, so that nothing is started and then forgotten."""
    interrupts = Interrupts.current
    if interrupts is None or threading.current_thread() is not threading.main_thread():
        yield  # nothing is ever raised here
    else:
        with interrupts.held():
            yield
