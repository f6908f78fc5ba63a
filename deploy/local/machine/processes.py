"""Child processes: started, watched, started again when they die, and stopped without leaving any behind.

Each child leads a session of its own, so that Ctrl-C in the terminal reaches only the supervisor, which then stops
everything in order. Each leaves a record of its process id and its beginning: should the supervisor be killed, the
next one finds what is still running, and never mistakes a stranger for it.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from deploy.local.machine.interrupts import undisturbed

PATIENCE_S = 20.0
_LOOK_S = 0.3
_LONGEST_BACK_OFF_S = 30.0
_STEADY_S = 60.0  # after so long its earlier deaths are forgotten
_BIGGEST_LOG = 10_000_000

Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Program:
    """What to run.

    Attributes:
        environment: all of it; nothing is inherited beside.
        url: its base address.
    """

    name: str
    command: Sequence[str]
    environment: Mapping[str, str]
    url: str


class Watched(Protocol):
    """Something that should run."""

    @property
    def name(self) -> str:
        """What a person knows it by."""
        ...

    @property
    def running(self) -> bool:
        """Whether it runs."""
        ...

    @property
    def ended(self) -> str:
        """How it ended, in words."""
        ...

    def start(self) -> None:
        """Start it."""
        ...


class Child:
    """A program as a process of ours."""

    def __init__(self, program: Program, logs: Path, pids: Path) -> None:
        self.program = program
        self.log = logs / f"{program.name}.log"
        self._record = pids / f"{program.name}.pid"
        self._process: subprocess.Popen[bytes] | None = None
        self._log_start = 0

    @property
    def name(self) -> str:
        """The program's name."""
        return self.program.name

    @property
    def running(self) -> bool:
        """Whether the process is there."""
        return self._process is not None and self._process.poll() is None

    @property
    def ended(self) -> str:
        """How the process ended, in words."""
        code = None if self._process is None else self._process.poll()
        if code is None:
            return "has not ended"
        return f"ended with code {code}" if code >= 0 else f"was ended by {signal.Signals(-code).name}"

    @property
    def pid(self) -> int | None:
        """The process id while it runs."""
        return self._process.pid if self._process and self.running else None

    def start(self) -> None:
        """Start the program, its output going to the end of its log."""
        if self.log.exists() and self.log.stat().st_size > _BIGGEST_LOG:
            self.log.replace(self.log.with_suffix(".log.1"))
        with self.log.open("ab") as output, undisturbed():
            self._log_start = output.tell()
            self._process = subprocess.Popen(
                list(self.program.command),
                env=dict(self.program.environment),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
            self._record.write_text(f"{self._process.pid} {_identity(self._process.pid)}")

    def ask_to_stop(self) -> None:
        """Send SIGTERM; nothing happens where it does not run."""
        if self._process and self.running:
            self._process.terminate()

    def end(self, deadline: float) -> bool:
        """Wait for it until `deadline` (of the monotonic clock), then kill it; whether it went by itself."""
        if self._process is None:
            return True
        try:
            self._process.wait(max(0.0, deadline - time.monotonic()))
            in_time = True
        except subprocess.TimeoutExpired:
            in_time = False
        _signal_group(self._process.pid, signal.SIGKILL)  # it, or what it may have left of its own
        self._process.wait()
        self._record.unlink(missing_ok=True)
        return in_time

    def said(self, lines: int = 15) -> str:
        """The end of what it has written to its log since it was started."""
        if not self.log.exists():
            return ""
        with self.log.open("rb") as opened:
            opened.seek(max(self._log_start, self.log.stat().st_size - 20_000))
            logged = opened.read().decode(errors="replace").splitlines()
        return "\n".join("\n".join(map(_readable, logged[-lines:])).splitlines()[-lines:])


def _readable(line: str) -> str:
    """A line of a log as a person would have it: a structured one is its event and, in full, its exception."""
    try:
        entry = json.loads(line)
        return "\n".join(str(entry[name]) for name in ("event", "exception") if name in entry)
    except (ValueError, TypeError):
        return line


def end_left_behind(pids: Path, say: Say) -> None:
    """Stop the processes of an earlier run that was killed before it could do so itself."""
    for record in sorted(pids.glob("*.pid")):
        number, _, identity = record.read_text().partition(" ")
        if number.isdigit() and identity and _identity(int(number)) == identity:
            say(f"Stopping {record.stem} (process {number}), which an earlier run has left behind")
            _end_stranger(int(number), identity)
        record.unlink(missing_ok=True)


def stop_all(children: Sequence[Child], say: Say, patience_s: float = PATIENCE_S) -> None:
    """Stop them all at once, and return when none is left."""
    deadline = time.monotonic() + patience_s
    for child in children:
        child.ask_to_stop()
    for child in children:
        if not child.end(deadline):
            say(f"{child.name} did not stop within {patience_s:.0f} s and was killed; its log is {child.log}")


class Supervisor:
    """Starts again what dies, later each time that it dies soon."""

    def __init__(self, watched: Sequence[Watched], say: Say, first_back_off_s: float = 1.0) -> None:
        self._say = say
        self._cares = [_Care(each, first_back_off_s) for each in watched]
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="supervisor", daemon=True)

    def start(self) -> None:
        """Begin to watch; what is watched runs already."""
        self._thread.start()

    def stop(self) -> None:
        """Start nothing any more; what is watched is not stopped by it."""
        self._stopping.set()
        if self._thread.is_alive():
            self._thread.join()

    def _run(self) -> None:
        while not self._stopping.wait(_LOOK_S):
            for care in self._cares:
                if not self._stopping.is_set():
                    care.look(time.monotonic(), self._say)


class _Care:
    """One watched thing's history of deaths."""

    def __init__(self, watched: Watched, first_back_off_s: float) -> None:
        self._watched, self._first = watched, first_back_off_s
        self._back_off = first_back_off_s
        self._started = time.monotonic()
        self._start_at: float | None = None

    def look(self, now: float, say: Say) -> None:
        if self._start_at is not None:
            if now >= self._start_at:
                self._start(say)
        elif not self._watched.running:
            self._died(now, say)

    def _died(self, now: float, say: Say) -> None:
        if now - self._started > _STEADY_S:
            self._back_off = self._first
        say(f"{self._watched.name} {self._watched.ended}; it is started again in {self._back_off:g} s")
        self._start_at = now + self._back_off
        self._back_off = min(self._back_off * 2, _LONGEST_BACK_OFF_S)

    def _start(self, say: Say) -> None:
        self._start_at = None
        self._started = time.monotonic()
        try:
            self._watched.start()
        except Exception as error:  # noqa: BLE001 - whatever it is: the rest must stay watched
            say(f"{self._watched.name} could not be started: {error}")


def _identity(pid: int) -> str:
    """When the process began: no two with the same id began at the same moment; empty where there is none."""
    try:
        state, *fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    except OSError:
        return _identity_by_ps(pid)
    return "" if state in "ZX" else f"{boot} {fields[18]}"


def _identity_by_ps(pid: int) -> str:
    command = ["ps", "-p", str(pid), "-o", "stat=,lstart="]
    state, _, began = subprocess.run(command, capture_output=True, text=True, check=False).stdout.strip().partition(" ")
    return "" if state.startswith("Z") else began.strip()


def _end_stranger(pid: int, identity: str) -> None:
    """End a process that is not our child, so that it cannot be waited for."""
    _signal_group(pid, signal.SIGTERM)
    kill_at = time.monotonic() + PATIENCE_S
    while _identity(pid) == identity:
        if time.monotonic() > kill_at:
            _signal_group(pid, signal.SIGKILL)
        time.sleep(0.1)


def _signal_group(pid: int, number: signal.Signals) -> None:
    """Signal the group that the process leads; nothing happens where nobody is left in it."""
    try:
        os.killpg(pid, number)
    except (ProcessLookupError, PermissionError):  # macOS answers the latter for a group of zombies
        return
