"""Explain how one student's figures came about, to an operator who says why they look."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from services.cli.options import STATE, examples

if TYPE_CHECKING:
    from services.consent.adapters.access_log import Access
    from services.indicators.explanation.told import Explanation
    from services.kernel.register import Register
    from services.kernel.settings import Settings

ROLE, WHAT = "data-protection-officer", "figures-explained"  # who may look, and the register's name of what is seen


@click.group()
def indicators() -> None:
    """Look into the indicators."""


@indicators.command(
    epilog=examples(
        "signpost indicators explain s0012345 HIST101 --operator d0000001 \\",
        '    --reason "request 7KQ3-M2XD"',
        "signpost indicators explain s0012345 HIST101 --operator d0000001 \\",
        '    --reason "complaint 12" --json',
    )
)
@click.argument("student")
@click.argument("module")
@click.option("--operator", required=True, metavar="ID", help="The institution's id of you, who look.")
@click.option("--reason", required=True, help="Why you look; the student can read it.")
@click.option("--json", "as_json", is_flag=True, help="For a program.")
@STATE
def explain(state: Path, student: str, module: str, operator: str, reason: str, *, as_json: bool) -> None:  # noqa: PLR0913 - what the command takes
    """Say how each figure of a STUDENT on a MODULE came about.

    For the data protection officer, who answers a student's question. Needs a Kafka broker,
    SIGNPOST_INSTITUTION__PSEUDONYM_SECRET and the consent database (SIGNPOST_CONSENT__DATABASE_URL), or the folder of
    a run on this machine; STUDENT is the institution's id, a pseudonym will do instead. That you looked is written
    down before anything is shown, and the student can read it. Where a student does not permit figures there are none:
    nothing is shown, and nothing written down.

    Exits with 0 when it is explained, with 1 when it may not be or there is nothing.
    """
    from services.indicators.explanation.inspection import Inspection
    from services.indicators.explanation.kept import read
    from services.kernel.clock import StreamClock, service_clock
    from services.kernel.errors import ConfigurationError
    from services.kernel.register import load_register

    settings = _settings(state)
    register = load_register(settings.register_file)
    access = _access(settings, student, module, operator, reason)
    now_ms = service_clock(settings.clock, StreamClock()).now_ms()
    inspection = Inspection(register, settings, read(settings.kafka, access.student), now_ms)
    if not inspection.permitted:
        raise ConfigurationError("This student permits no figures now, so none are worked out, and nothing is kept.")
    explanation = inspection.explain(module)
    _note(settings, access)
    _print(explanation, register, settings, as_json=as_json)


def _settings(state: Path) -> Settings:
    """How to reach the stack in the folder or, where it never was up, the one of the settings."""
    from pydantic import SecretStr

    from deploy.local.state import StateFolder
    from services.cli.histories import settings_of

    settings, folder = settings_of(state), StateFolder(state)
    if folder.run() is None:
        return settings
    secret = SecretStr(folder.secrets().pseudonym_secret)
    institution = settings.institution.model_copy(update={"pseudonym_secret": secret})
    consent = settings.consent.model_copy(update={"database_url": f"sqlite:///{folder.path / 'consent.db'}"})
    return settings.model_copy(update={"institution": institution, "consent": consent})


def _access(settings: Settings, student: str, module: str, operator: str, reason: str) -> Access:
    from services.consent.adapters.access_log import Access
    from services.consent.handlers.proof.permitted import LONGEST_REASON, is_pseudonym
    from services.kernel.clock import SystemClock
    from services.kernel.errors import ConfigurationError
    from services.kernel.ids import Pseudonyms
    from services.kernel.settings import required

    why, who = reason.replace("\0", "").strip(), operator.strip()
    if not 0 < len(why) <= LONGEST_REASON:
        raise ConfigurationError(f"--reason: say in at most {LONGEST_REASON} characters why you look.")
    if not who:
        raise ConfigurationError("--operator: give the institution's id of the person who looks.")
    pseudonyms = Pseudonyms(required(settings.institution.pseudonym_secret, "SIGNPOST_INSTITUTION__PSEUDONYM_SECRET"))
    return Access(
        student=student if is_pseudonym(student) else pseudonyms.of(student),
        reader=pseudonyms.of(who),
        role=ROLE,
        what=f"{WHAT} / {module}",
        reason=why,
        at_ms=SystemClock().now_ms(),
    )


def _note(settings: Settings, access: Access) -> None:
    from services.cli.consent.opening import opened
    from services.consent.adapters import access_log
    from services.kernel.database import unless_away

    with opened(settings) as engine, unless_away(), engine.begin() as transaction:
        access_log.note(transaction, access)


def _print(explanation: Explanation, register: Register, settings: Settings, *, as_json: bool) -> None:
    from dataclasses import asdict
    from json import dumps

    from rich.console import Console

    from services.cli.explaining.tables import tables

    if as_json:
        click.echo(dumps(asdict(explanation), indent=2))
    else:
        Console(highlight=False).print(*tables(explanation, register, settings.institution.zone), sep="\n")
