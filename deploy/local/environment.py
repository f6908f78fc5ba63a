"""What each program is told: its environment, with the secrets that it needs and no other.

The indicators worker, above all, never gets the secret that would turn a person's id into a pseudonym.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from pathlib import Path

from deploy.local.machine.processes import Program
from deploy.local.state import SERVICES, Ports, RunFile, Secrets, StateFolder

_SECRET_ENDINGS = ("SECRET", "TOKEN", "KEY", "PASSWORD")


def services(folder: StateFolder, run: RunFile, secrets: Secrets) -> list[Program]:
    """The four services, as they run on this machine."""
    shared = _inherited(os.environ) | _everybody(run)
    own = _own(folder, run, secrets)
    return [Program(name, _command(name), shared | own[name], url=run.services[name]) for name in run.services]


def mail_sink(folder: StateFolder, run: RunFile) -> Program:
    """The mail server that delivers to nobody."""
    command = (sys.executable, "-m", "deploy.local.mail.sink", "--folder", str(folder.path / "mail"))
    ports = ("--smtp-port", str(run.ports.smtp), "--port", str(run.ports.mail))
    return Program("mail", (*command, *ports), _inherited(os.environ), url=run.mail)


def addresses(ports: Ports) -> dict[str, str]:
    """The base address of each service."""
    return {name: f"http://127.0.0.1:{getattr(ports, name)}" for name in SERVICES}


def _command(name: str) -> tuple[str, ...]:
    job = "work" if name == "indicators" else "serve"
    return (sys.executable, "-m", "services.cli", job, name)


def _inherited(environment: Mapping[str, str]) -> dict[str, str]:
    """The caller's own environment, which may hold more settings, without any secret of ours."""
    return {
        name: value
        for name, value in environment.items()
        if not (name.startswith("SIGNPOST_") and name.endswith(_SECRET_ENDINGS))
    }


def _everybody(run: RunFile) -> dict[str, str]:
    ports = {f"SIGNPOST_{name.upper()}__PORT": str(getattr(run.ports, name)) for name in SERVICES}
    return ports | {
        "SIGNPOST_CLOCK": run.clock,
        "SIGNPOST_KAFKA__BOOTSTRAP": run.bootstrap,
        "PYTHONUNBUFFERED": "1",
    }


def _own(folder: StateFolder, run: RunFile, secrets: Secrets) -> dict[str, dict[str, str]]:
    pseudonyms = {"SIGNPOST_INSTITUTION__PSEUDONYM_SECRET": secrets.pseudonym_secret}
    pages = {
        "SIGNPOST_SESSION__SECRET": secrets.session_secret,
        "SIGNPOST_SESSION__DEMO_PEOPLE": str(folder.people),
        "SIGNPOST_SESSION__SECURE_COOKIES": "false",
    }
    consent = {
        "SIGNPOST_CONSENT__DATABASE_URL": _sqlite(folder.path / "consent.db"),
        "SIGNPOST_CONSENT__REGISTRAR_TOKEN": secrets.registrar_token,
    }
    ingest = {"SIGNPOST_INGEST__SOURCES_FILE": str(folder.sources)}
    notify = {
        "SIGNPOST_NOTIFY__DATABASE_URL": _sqlite(folder.path / "notify.db"),
        "SIGNPOST_NOTIFY__DIRECTORY_TOKEN": secrets.directory_token,
        "SIGNPOST_NOTIFY__PUBLIC_URL": run.services["notify"],
        "SIGNPOST_NOTIFY__SMTP_HOST": "127.0.0.1",
        "SIGNPOST_NOTIFY__SMTP_PORT": str(run.ports.smtp),
    }
    return {
        "consent": pseudonyms | pages | consent,
        "ingest": pseudonyms | ingest,
        "indicators": {},
        "notify": pseudonyms | pages | notify,
    }


def _sqlite(file: Path) -> str:
    return f"sqlite:///{file}"
