"""A thread that a service's life depends on: when it fails for a reason nobody foresaw, the process ends loudly."""

from __future__ import annotations

import os
import signal
import threading
import time
from abc import ABC, abstractmethod

from services.kernel.logs import log

_log = log(__name__)


class Background(ABC):
    """Runs `round` again and again in a thread until stopped."""

    def __init__(self, name: str) -> None:
        self._stopping = threading.Event()
        self._beat = time.monotonic()
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)

    @abstractmethod
    def round(self) -> None:
        """One short piece of work, seconds at most; wait with `pause`, not with sleep."""

    def close(self) -> None:  # noqa: B027 - most have nothing to let go of
        """Let go of what the thread holds; called in the thread, at its end."""

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def stop(self, timeout_s: float = 10) -> None:
        """Ask the thread to end, and wait for it."""
        self._stopping.set()
        self.wake()
        if self._thread.is_alive():
            self._thread.join(timeout_s)

    def wake(self) -> None:  # noqa: B027 - most have nothing to wait for but time
        """End a `pause` early, where the work can know that there is something to do."""

    def pause(self, seconds: float) -> None:
        """Wait, but not past a stop."""
        self._stopping.wait(seconds)

    @property
    def stopping(self) -> bool:
        """Whether `stop` was called."""
        return self._stopping.is_set()

    def problem(self, within_s: float = 15) -> str | None:
        """For a health check: what is wrong, or None while rounds keep ending."""
        silent = time.monotonic() - self._beat
        if not self._thread.is_alive():
            return "its thread does not run"
        return f"no round ended for {silent:.0f} s" if silent > within_s else None

    def _run(self) -> None:
        try:
            while not self.stopping:
                self.round()
                self._beat = time.monotonic()
        except BaseException:
            _log.exception("background_failed", thread=self._thread.name)
            os.kill(os.getpid(), signal.SIGTERM)  # a supervisor starts us again; going on could do harm
            raise
        finally:
            self.close()
