"""Processes that belong to a folder: one owner at a time, and none left behind by an owner that was killed."""

from __future__ import annotations

import fcntl
import os
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

from services.kernel.errors import ConfigurationError

PATIENCE_S = 40.0


class FolderLock:
    """Held while a process of ours uses a folder; the system lets go of it when that process ends, however."""

    def __init__(self, folder: Path) -> None:
        """Take the lock.

        Raises:
            ConfigurationError: another process holds it.
        """
        self._file = (folder / "lock").open("w")
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            self._file.close()
            raise ConfigurationError(
                f"{folder} is in use by another run on this machine: stop that one first (Ctrl-C where it runs)"
            ) from error

    def release(self) -> None:
        """Let another process have the folder."""
        self._file.close()


def end(process: subprocess.Popen[bytes], *, kill: bool = False, patience_s: float = PATIENCE_S) -> None:
    """Stop a child, or kill it (-9), and wait until it is gone; one that does not stop in time is killed."""
    if process.poll() is None:
        process.send_signal(signal.SIGKILL if kill else signal.SIGTERM)
    try:
        process.wait(patience_s)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def end_left_behind(pid_file: Path, mark: str, say: Callable[[str], None]) -> None:
    """Stop the process of an earlier run that was killed before it could do so itself.

    Only a process whose command line contains `mark` is ours; the system may have given its id to another one.
    """
    try:
        pid = int(pid_file.read_text())
    except (OSError, ValueError):
        return
    if mark in _command_line(pid):
        say(f"Stopping process {pid}, which an earlier run has left behind")
        _stop_stranger(pid, mark)
    pid_file.unlink(missing_ok=True)


def _stop_stranger(pid: int, mark: str) -> None:
    deadline = time.monotonic() + PATIENCE_S
    os.kill(pid, signal.SIGTERM)
    while mark in _command_line(pid):
        if time.monotonic() > deadline:
            os.kill(pid, signal.SIGKILL)
        time.sleep(0.1)


def _command_line(pid: int) -> str:
    """The command line of a process; empty where there is no such process."""
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
    except OSError:
        shown = subprocess.run(["ps", "-p", str(pid), "-o", "command="], capture_output=True, text=True, check=False)
        return shown.stdout
