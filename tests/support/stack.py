"""`signpost up` in a test: a process of its own, with a state folder of its own."""

from __future__ import annotations

import datetime as dt
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx2

from deploy.demo.stack import Stack
from deploy.demo.university import Demo
from deploy.local.machine.ports import free_port
from deploy.local.state import RunFile, StateFolder
from deploy.local.summary import READY
from services.kernel.ids import Pseudonyms
from services.kernel.settings import KafkaSettings
from tests.support import CHECKOUT
from tests.support.identity import hidden_fields
from tests.support.waiting import eventually

UP_TIMEOUT_S = 240.0
_BROWSER = {"Accept": "text/html"}
_CACHE = CHECKOUT / ".signpost" / "cache"


class Up:
    """A run; `start` may be called again after it has ended."""

    def __init__(self, folder: Path, students: int) -> None:
        self._folder, self._students = folder, students
        self._base = free_port()
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def state(self) -> StateFolder:
        """Its state folder."""
        return StateFolder(self._folder / "state")

    @property
    def run(self) -> RunFile:
        """What it says about itself."""
        run = self.state.run()
        assert run
        return run

    @property
    def demo(self) -> Demo:
        """Its demo university."""
        demo = self.state.demo()
        assert demo
        return demo

    @property
    def kafka(self) -> KafkaSettings:
        """How to reach its broker."""
        return KafkaSettings(bootstrap=self.run.bootstrap)

    @property
    def pseudonyms(self) -> Pseudonyms:
        """Those of its services."""
        return Pseudonyms(self.state.secrets().pseudonym_secret)

    @property
    def output(self) -> str:
        """What it has printed since its last start."""
        return (self._folder / "output").read_text()

    def start(self) -> None:
        """Start it, and wait until it says that it is up."""
        with (self._folder / "output").open("wb") as output:
            self._process = subprocess.Popen(
                self._command, cwd=CHECKOUT, stdout=output, stderr=subprocess.STDOUT, start_new_session=True
            )
        eventually(self._is_up, UP_TIMEOUT_S, "signpost up")

    def again(self) -> subprocess.CompletedProcess[str]:
        """A second run in the same folder, which is expected to end by itself."""
        return subprocess.run(self._command, cwd=CHECKOUT, capture_output=True, text=True, timeout=60, check=False)

    def stop(self, number: signal.Signals = signal.SIGTERM) -> int:
        """Signal the supervisor alone, and give its exit code."""
        assert self._process
        self._process.send_signal(number)
        return self._process.wait(60)

    def kill_all(self) -> None:
        """End whatever is left, for a test that went wrong."""
        if self._process and self._process.poll() is None:
            self.stop()
        for pid in self.pids():
            os.kill(pid, signal.SIGKILL)

    def pids(self) -> list[int]:
        """Everything that it has started and that still runs, the broker too."""
        records = [*self.state.path.glob("pids/*.pid"), *self.state.path.glob("kafka/*.pid")]
        return [pid for record in records if is_there(pid := int(record.read_text().split()[0]))]

    def pid(self, name: str) -> int:
        """The process id of a service that it runs."""
        return int((self.state.pids / f"{name}.pid").read_text().split()[0])

    def status(self) -> tuple[int, dict[str, Any]]:
        """The exit code of `signpost status --json`, and what it prints."""
        command = [sys.executable, "-m", "services.cli", "status", "--json", "--state", str(self.state.path)]
        done = subprocess.run(command, cwd=CHECKOUT, capture_output=True, text=True, check=False)
        return done.returncode, json.loads(done.stdout)

    def explain(self, person: str, module: str, reason: str) -> str:
        """What `signpost indicators explain` prints of a student."""
        asked = ["indicators", "explain", person, module, "--operator", "d0000001", "--reason", reason]
        command = [sys.executable, "-m", "services.cli", *asked, "--state", str(self.state.path)]
        done = subprocess.run(command, cwd=CHECKOUT, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        return done.stdout

    @contextmanager
    def signed_in(self, service: str, person: str) -> Iterator[httpx2.Client]:
        """A browser, more or less, at a service's pages, signed in as somebody."""
        base = self.run.services[service]
        with httpx2.Client(base_url=base, follow_redirects=True, trust_env=False, headers=_BROWSER) as client:
            page = client.get("/sign-in").raise_for_status()
            chosen = {**hidden_fields(page.text), "person": person}
            client.post(f"{self.run.identity}/authorize", data=chosen).raise_for_status()
            yield client

    def send(self, person: str) -> httpx2.Response:
        """Post an event of somebody, as the demo's source system does, at the moment of the stack's clock."""
        stack = Stack.load(self.state.stack)
        with httpx2.Client(base_url=stack.ingest, auth=(stack.source, stack.source_key), trust_env=False) as client:
            at_ms = client.get("/v1/clock").raise_for_status().json()["at_ms"]
            at = dt.datetime.fromtimestamp(at_ms / 1000, dt.UTC).isoformat()
            event = {"student": person, "module": "HIST101", "activity": "forum", "at": at}
            return client.post("/v1/events", json=event)

    @property
    def _command(self) -> list[str]:
        places = ["--state", str(self.state.path), "--cache", str(_CACHE), "--port-base", str(self._base)]
        return [sys.executable, "-m", "services.cli", "up", *places, "--students", str(self._students)]

    def _is_up(self) -> bool:
        assert self._process
        if self._process.poll() is not None:
            raise RuntimeError(f"signpost up ended with code {self._process.returncode}:\n{self.output}")
        return READY in self.output


def is_there(pid: int) -> bool:
    """Whether a process runs."""
    shown = subprocess.run(["ps", "-p", str(pid), "-o", "stat="], capture_output=True, text=True, check=False)
    return bool(shown.stdout.strip()) and not shown.stdout.startswith("Z")
