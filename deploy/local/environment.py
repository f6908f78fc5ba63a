"""What each program is told: its environment, with the secrets that it needs and no other.

The indicators worker, above all, never gets the secret that would turn a person's id into a pseudonym.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from pathlib import Path

from deploy.local.identity.people import Client, Somebody
from deploy.local.machine.processes import Program
from deploy.local.state import SERVICES, Ports, RunFile, Secrets, StateFolder
from services.kernel.register import SHIPPED
from services.kernel.settings import SignInSettings
from services.kernel.web.signin import CALLBACK, SIGNED_OUT

_WITH_PAGES = ("consent", "notify")
_THIS_MACHINE = "127.0.0.1"
_REGISTER = "SIGNPOST_REGISTER_FILE"
_CONTACT = "SIGNPOST_INSTITUTION__DATA_PROTECTION_CONTACT"
_PROGRAM = Somebody("signpost-program", "A program of the demonstration", ("data-protection-officer", "administrator"))
_SECRET_ENDINGS = ("SECRET", "TOKEN", "KEY", "PASSWORD")


def register(folder: StateFolder) -> Path | None:
    """The policy register of this run: the caller's own, else the demo's; None is the one that is shipped."""
    if own := os.environ.get(_REGISTER):
        return Path(own)
    demo = folder.register / SHIPPED.name
    return demo if demo.is_file() else None


def services(folder: StateFolder, run: RunFile, secrets: Secrets) -> list[Program]:
    """The four services, as they run on this machine."""
    shared = _inherited(os.environ) | _everybody(run)
    if file := register(folder):
        shared[_REGISTER] = str(file)
    own = _own(folder, run, secrets)
    return [Program(name, _command(name), shared | own[name], url=run.services[name]) for name in run.services]


def mail_sink(folder: StateFolder, run: RunFile) -> Program:
    """The mail server that delivers to nobody."""
    command = (sys.executable, "-m", "deploy.local.mail.sink", "--folder", str(folder.path / "mail"))
    ports = ("--smtp-port", str(run.ports.smtp), "--port", str(run.ports.mail))
    return Program("mail", (*command, *ports), _inherited(os.environ), url=run.mail)


def identity(folder: StateFolder, run: RunFile) -> Program:
    """The sign-in where one chooses who to be."""
    command = (sys.executable, "-m", "deploy.local.identity.server", "--port", str(run.ports.identity))
    files = ("--people", str(folder.people), "--clients", str(folder.clients), "--key", str(folder.identity_key))
    audience = ("--audience", SignInSettings().audience)
    return Program("identity", (*command, *files, *audience), _inherited(os.environ), url=run.identity)


def clients(run: RunFile, secrets: Secrets) -> tuple[Client, ...]:
    """Who may ask that sign-in: the services with pages, and a program that needs a token for their APIs."""
    pages = [run.services[name] for name in _WITH_PAGES]
    return (
        Client(
            id=SignInSettings().client_id,
            secret=secrets.sign_in_secret,
            redirect_uris=tuple(f"{url}{CALLBACK}" for url in pages),
            after_sign_out=tuple(f"{url}{SIGNED_OUT}" for url in pages),
        ),
        Client(id=_PROGRAM.id, secret=secrets.program_secret, program=_PROGRAM),
    )


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
        "SIGNPOST_SESSION__SECURE_COOKIES": "false",
        "SIGNPOST_SIGN_IN__ISSUER": run.identity,
        "SIGNPOST_SIGN_IN__CLIENT_SECRET": secrets.sign_in_secret,
        "NO_PROXY": ",".join(filter(None, (os.environ.get("NO_PROXY") or os.environ.get("no_proxy"), _THIS_MACHINE))),
    }
    consent = {
        _CONTACT: os.environ.get(_CONTACT, "data-protection@university.example"),
        "SIGNPOST_CONSENT__DATABASE_URL": _sqlite(folder.path / "consent.db"),
        "SIGNPOST_CONSENT__REGISTRAR_TOKEN": secrets.registrar_token,
        "SIGNPOST_CONSENT__PUBLIC_URL": run.services["consent"],
        "SIGNPOST_CONSENT__SIGNING_KEY_FILE": str(folder.path / "consent-key.json"),
    }
    ingest = {"SIGNPOST_INGEST__SOURCES_FILE": str(folder.sources)}
    notify = {
        "SIGNPOST_NOTIFY__DATABASE_URL": _sqlite(folder.path / "notify.db"),
        "SIGNPOST_NOTIFY__DIRECTORY_TOKEN": secrets.directory_token,
        "SIGNPOST_NOTIFY__PUBLIC_URL": run.services["notify"],
        "SIGNPOST_CONSENT__PUBLIC_URL": run.services["consent"],  # where reminders lead
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
