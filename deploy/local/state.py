"""The folder that a run on this machine keeps everything in, by default `.signpost/` in the checkout.

Secrets are made once, readable by their owner only. The addresses are written for `signpost status` and for a second
run, which takes the same ports again.
"""

from __future__ import annotations

import os
import secrets
from collections.abc import Sequence
from pathlib import Path
from typing import Any, TypeVar

import msgspec
from msgspec import Struct

from deploy.demo.university import Demo
from deploy.local.identity.people import Client
from services.kernel.errors import ConfigurationError

SERVICES = ("consent", "ingest", "indicators", "notify")
_T = TypeVar("_T")


class Secrets(Struct, frozen=True, kw_only=True):
    """What must not be guessed; each service is given only the ones that it needs."""

    pseudonym_secret: str
    session_secret: str
    registrar_token: str
    directory_token: str
    sign_in_secret: str
    program_secret: str


class Ports(Struct, frozen=True, kw_only=True):
    """Where everything listens, on 127.0.0.1."""

    consent: int = 8101
    ingest: int = 8102
    indicators: int = 8103
    notify: int = 8104
    mail: int = 8105
    smtp: int = 8025
    broker: int = 9092
    controller: int = 9093
    identity: int = 8106


class RunFile(Struct, frozen=True, kw_only=True):
    """`run.json`: what runs where, or ran when it was last up.

    Attributes:
        cluster: the Kafka cluster's own id; what is in this folder belongs to it.
        services: the base address of each service.
        identity: the base address of the sign-in's provider.
    """

    bootstrap: str
    cluster: str
    clock: str
    services: dict[str, str]
    mail: str
    ports: Ports
    identity: str = ""


class StateFolder:
    """The folder and the files in it."""

    def __init__(self, path: Path) -> None:
        self.path = path.resolve()

    def make(self) -> None:
        """Make it where it is missing; nobody but its owner may look into it."""
        self.path.mkdir(parents=True, exist_ok=True, mode=0o700)
        for folder in (self.logs, self.pids):
            folder.mkdir(exist_ok=True)

    @property
    def logs(self) -> Path:
        """Of the log files, one for each program."""
        return self.path / "logs"

    @property
    def pids(self) -> Path:
        """Of the records by which a later run finds what a killed one has left behind."""
        return self.path / "pids"

    @property
    def stack(self) -> Path:
        """Of the addresses and keys that a replay needs."""
        return self.path / "stack.json"

    @property
    def replays(self) -> Path:
        """Of the terms that were replayed."""
        return self.path / "replays.json"

    @property
    def people(self) -> Path:
        """Of the people to choose from when signing in."""
        return self.path / "people.json"

    @property
    def clients(self) -> Path:
        """Of those who may send people to the sign-in, with their secrets."""
        return self.path / "clients.json"

    @property
    def identity_key(self) -> Path:
        """Of the key that signs who has signed in."""
        return self.path / "identity-key.pem"

    @property
    def sources(self) -> Path:
        """Of the source systems that may send events, with hashes of their keys."""
        return self.path / "sources.json"

    @property
    def register(self) -> Path:
        """Of the demo's own policy register and the versions before it; a folder."""
        return self.path / "register"

    def secrets(self) -> Secrets:
        """The secrets; those that are missing, on a first run all, are made now."""
        known = self._read("secrets.json", dict[str, str]) or {}
        missing = {name: secrets.token_urlsafe(32) for name in Secrets.__struct_fields__ if name not in known}
        if missing:
            self._write("secrets.json", known | missing)
        return msgspec.convert(known | missing, Secrets)

    def run(self) -> RunFile | None:
        """What runs or ran where."""
        return self._read("run.json", RunFile)

    def save_run(self, run: RunFile) -> None:
        """Remember what runs where."""
        self._write("run.json", run)

    def save_clients(self, clients: Sequence[Client]) -> None:
        """Write down who may send people to the sign-in."""
        self._write(self.clients.name, clients)

    def demo(self) -> Demo | None:
        """The demo university that is in there, if any."""
        return self._read("demo.json", Demo)

    def save_demo(self, demo: Demo) -> None:
        """Remember which demo university this is."""
        self._write("demo.json", demo)

    def _read(self, name: str, kind: type[_T]) -> _T | None:
        file = self.path / name
        try:
            return msgspec.json.decode(file.read_bytes(), type=kind)
        except FileNotFoundError:
            return None
        except (OSError, msgspec.MsgspecError) as error:
            raise ConfigurationError(
                f"{file} cannot be read: {error}\nMend it, or begin anew with `make clean` (all that is in"
                f" {self.path} goes)."
            ) from error

    def _write(self, name: str, content: Any) -> None:
        """Whole or not at all, and readable by the owner only."""
        file = self.path / name
        new = file.with_suffix(".new")
        text = msgspec.json.format(msgspec.json.encode(content), indent=2) + b"\n"
        with os.fdopen(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as opened:
            opened.write(text)
        new.replace(file)
