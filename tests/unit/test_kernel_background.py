"""A thread that a service depends on: it can be stopped and asked, and it never fails in silence."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading

import pytest

from services.kernel import background
from services.kernel.background import Background
from tests.support import CHECKOUT
from tests.support.waiting import eventually

_FAILING = """
import threading
from services.kernel.background import Background

class Failing(Background):
    def round(self):
        raise RuntimeError("nobody foresaw this")

    def close(self):
        print("closed", flush=True)

Failing("relay-of-the-test").start()
threading.Event().wait(60)
"""


class Counting(Background):
    """Counts its rounds, and notes its end."""

    def __init__(self) -> None:
        super().__init__("counting")
        self.rounds = 0
        self.held = threading.Event()
        self.held.set()
        self.ended_in = ""

    def round(self) -> None:
        """Count, unless it is held."""
        self.held.wait()
        self.rounds += 1
        self.pause(0.001)

    def wake(self) -> None:
        """Let go."""
        super().wake()
        self.held.set()

    def close(self) -> None:
        """Note where it ended."""
        super().close()
        self.ended_in = threading.current_thread().name


def test_rounds_follow_each_other_until_it_is_stopped() -> None:
    counting = Counting()
    counting.start()
    eventually(lambda: counting.rounds > 2)
    assert counting.problem() is None
    counting.stop()
    rounds = counting.rounds
    assert counting.stopping
    assert counting.ended_in == "counting"
    assert counting.problem() == "its thread does not run"
    assert counting.rounds == rounds


def test_a_stop_ends_a_long_pause() -> None:
    class Pausing(Counting):
        def round(self) -> None:
            self.rounds += 1
            self.pause(600)

    pausing = Pausing()
    pausing.start()
    eventually(lambda: pausing.rounds)
    pausing.stop()
    assert pausing.rounds == 1
    assert pausing.ended_in == "counting"


def test_it_has_a_problem_before_it_runs_and_may_be_stopped_without_running() -> None:
    counting = Counting()
    assert counting.problem() == "its thread does not run"
    counting.stop()
    assert counting.rounds == 0


def test_a_round_that_does_not_end_is_a_problem(monkeypatch: pytest.MonkeyPatch) -> None:
    counting = Counting()
    counting.start()
    counting.held.clear()
    now = background.time.monotonic() + 20  # type: ignore[attr-defined]  # its clock
    try:
        with monkeypatch.context() as later:
            later.setattr("services.kernel.background.time.monotonic", lambda: now)
            problem = counting.problem()
    finally:
        counting.stop()
    assert problem in {"no round ended for 20 s", "no round ended for 19 s"}


def test_a_round_that_fails_ends_the_process_and_says_why() -> None:
    done = subprocess.run(
        [sys.executable, "-c", _FAILING], cwd=CHECKOUT, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == -signal.SIGTERM
    assert "background_failed" in done.stdout + done.stderr
    assert "relay-of-the-test" in done.stdout + done.stderr
    assert "nobody foresaw this" in done.stdout + done.stderr


def test_a_failure_asks_the_process_to_end_and_closes(monkeypatch: pytest.MonkeyPatch) -> None:
    class Failing(Counting):
        def round(self) -> None:
            raise RuntimeError("nobody foresaw this")

    signals: list[int] = []
    uncaught: list[BaseException | None] = []
    monkeypatch.setattr("services.kernel.background.os.kill", lambda _pid, number: signals.append(number))
    monkeypatch.setattr(threading, "excepthook", lambda failure: uncaught.append(failure.exc_value))
    failing = Failing()
    failing.start()
    eventually(lambda: uncaught)
    assert signals == [signal.SIGTERM]
    assert failing.ended_in == "counting"
    assert [str(error) for error in uncaught] == ["nobody foresaw this"]
