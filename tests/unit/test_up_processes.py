"""Child processes are kept running, and none is ever left behind."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from deploy.local.machine.interrupts import Interrupts, StopAsked
from deploy.local.machine.processes import Child, Program, Supervisor, end_left_behind, stop_all
from tests.support.waiting import eventually

WAITS = "import time; print('here', flush=True); time.sleep(600)"
STUBBORN = "import signal, time; signal.signal(15, signal.SIG_IGN); print('here', flush=True); time.sleep(600)"
WITH_A_CHILD = (
    "import subprocess, sys, time;"
    "print(subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(600)']).pid, flush=True); time.sleep(600)"
)
DIES = "raise SystemExit('I cannot go on')"

NewChild = Callable[[str], Child]


@pytest.fixture
def child(tmp_path: Path) -> Iterator[NewChild]:
    """Makes a child that runs a few lines of Python; what still runs at the end is killed."""
    made: list[Child] = []

    def make(code: str, name: str = "tiny") -> Child:
        program = Program(name, (sys.executable, "-c", code), dict(os.environ), url="")
        made.append(Child(program, tmp_path, tmp_path))
        return made[-1]

    yield make
    for each in made:
        each.end(deadline=0)


def _started(child: Child) -> int:
    child.start()
    eventually(child.said, what="the child to say something")
    assert child.pid
    return child.pid


def _is_there(pid: int) -> bool:
    shown = subprocess.run(["ps", "-p", str(pid), "-o", "stat="], capture_output=True, text=True, check=False).stdout
    return bool(shown.strip()) and not shown.startswith("Z")


def test_a_child_leads_a_group_of_its_own_so_that_ctrl_c_does_not_reach_it(child: NewChild) -> None:
    pid = _started(child(WAITS))
    assert os.getpgid(pid) == pid != os.getpgid(0)


def test_stopping_leaves_nothing_not_even_what_a_child_had_started_itself(child: NewChild) -> None:
    parent = child(WITH_A_CHILD)
    pid = _started(parent)
    grandchild = int(parent.said())
    stop_all([parent], print)
    assert not _is_there(pid)
    eventually(lambda: not _is_there(grandchild))


def test_one_that_does_not_stop_is_killed_and_named(child: NewChild) -> None:
    said: list[str] = []
    stubborn = child(STUBBORN)
    pid = _started(stubborn)
    stop_all([stubborn], said.append, patience_s=0.3)
    assert not _is_there(pid)
    assert "tiny did not stop" in said[0]


def test_one_that_dies_is_started_again_with_a_word_and_ever_later(child: NewChild) -> None:
    said: list[str] = []
    dying = child(DIES)
    dying.start()
    supervisor = Supervisor([dying], said.append, first_back_off_s=0.1)
    supervisor.start()
    eventually(lambda: len(said) >= 3)
    supervisor.stop()
    assert said[:3] == [f"tiny ended with code 1; it is started again in {after} s" for after in ("0.1", "0.2", "0.4")]
    assert dying.said() == "I cannot go on"


def test_one_that_was_killed_runs_again(child: NewChild) -> None:
    said: list[str] = []
    waiting = child(WAITS)
    pid = _started(waiting)
    supervisor = Supervisor([waiting], said.append, first_back_off_s=0.1)
    supervisor.start()
    os.kill(pid, signal.SIGKILL)
    eventually(lambda: waiting.pid not in (None, pid))
    supervisor.stop()
    assert said == ["tiny was ended by SIGKILL; it is started again in 0.1 s"]


def test_after_the_supervisor_has_stopped_nothing_is_started(child: NewChild) -> None:
    waiting = child(WAITS)
    _started(waiting)
    supervisor = Supervisor([waiting], print, first_back_off_s=0)
    supervisor.start()
    supervisor.stop()
    stop_all([waiting], print)
    assert not waiting.running


def test_what_cannot_be_started_does_not_end_the_watch(child: NewChild) -> None:
    said: list[str] = []

    class Broken:
        name, running, ended = "broken", False, "has ended"

        def start(self) -> None:
            raise OSError("no room")

    waiting = child(WAITS)
    pid = _started(waiting)
    supervisor = Supervisor([Broken(), waiting], said.append, first_back_off_s=0.1)
    supervisor.start()
    eventually(lambda: "broken could not be started: no room" in said)
    os.kill(pid, signal.SIGKILL)
    eventually(lambda: waiting.pid not in (None, pid))
    supervisor.stop()


def test_what_a_killed_run_has_left_is_ended_by_the_next(tmp_path: Path, child: NewChild) -> None:
    said: list[str] = []
    pid = _started(child(WAITS))
    # As after a kill -9 of the supervisor, except that the orphan is still our child: somebody must reap it.
    threading.Thread(target=os.waitpid, args=(pid, 0), daemon=True).start()
    end_left_behind(tmp_path, said.append)
    assert not _is_there(pid)
    assert said == [f"Stopping tiny (process {pid}), which an earlier run has left behind"]
    assert not list(tmp_path.glob("*.pid"))


def test_a_stranger_with_a_recorded_id_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "tiny.pid").write_text(f"{os.getpid()} another boot and moment")
    (tmp_path / "half-written.pid").write_text("")
    end_left_behind(tmp_path, pytest.fail)
    assert not list(tmp_path.glob("*.pid"))


def test_the_end_of_a_log_is_of_this_start_and_readable(child: NewChild, tmp_path: Path) -> None:
    (tmp_path / "tiny.log").write_text("from yesterday\n")
    lines = '{"event": "hello", "level": "info"}', '{"event": "broke", "exception": "Traceback:\\n  here"}', "plain"
    one = child(f"print({chr(10).join(lines)!r})")
    one.start()
    eventually(lambda: not one.running)
    assert one.said().splitlines() == ["hello", "broke", "Traceback:", "  here", "plain"]


def test_a_signal_is_raised_once_and_later_ones_change_nothing() -> None:
    with Interrupts() as interrupts, pytest.raises(StopAsked):
        _signal_and_wait(interrupts)
    with Interrupts() as interrupts:
        interrupts.ignore()
        os.kill(os.getpid(), signal.SIGTERM)
        os.kill(os.getpid(), signal.SIGINT)


def test_a_signal_waits_for_what_must_not_be_broken_off() -> None:
    steps: list[str] = []
    with Interrupts() as interrupts, pytest.raises(StopAsked):
        _signal_while_held(interrupts, steps)
    assert steps == ["finished"]


def test_a_run_under_nohup_outlives_its_terminal() -> None:
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    with Interrupts() as interrupts:
        os.kill(os.getpid(), signal.SIGHUP)
        assert not interrupts.asked
    assert signal.signal(signal.SIGHUP, before) == signal.SIG_IGN


def _signal_and_wait(interrupts: Interrupts) -> None:
    os.kill(os.getpid(), signal.SIGTERM)
    interrupts.wait()


def _signal_while_held(interrupts: Interrupts, steps: list[str]) -> None:
    with interrupts.held():
        os.kill(os.getpid(), signal.SIGINT)
        steps.append("finished")
    steps.append("not reached")
