"""Prove that the ledger is what was recorded."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from services.cli.consent.opening import opened, public_keys
from services.cli.options import examples

if TYPE_CHECKING:
    from services.consent.domain.verification import Result


@click.command(
    epilog=examples(
        "signpost consent verify",
        "signpost consent verify --anchor anchor-2026-11-24.jws --anchor consent.log",
        "signpost consent verify --json | jq .findings",
    )
)
@click.option(
    "--anchor",
    "kept",
    multiple=True,
    metavar="FILE",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Anchors that were kept elsewhere; the service's log will do. Repeatable.",
)
@click.option("--key", metavar="FILE|URL", help="The public keys.  [default: the service's own key file]")
@click.option("--record/--no-record", default=True, help="Keep the result for the officer's page.  [default: record]")
@click.option("--json", "as_json", is_flag=True, help="For a program.")
def verify(kept: tuple[Path, ...], key: str | None, *, record: bool, as_json: bool) -> None:
    """Check that the ledger is what was recorded.

    Looks at every event: was any changed, deleted, put in or moved? Needs the consent database
    (SIGNPOST_CONSENT__DATABASE_URL), and the key that its anchors are signed with. Somebody who owns the database can
    cut off its end together with the anchors of it: only an anchor that was kept elsewhere finds that.

    Exits with 0 when all is as it was recorded, with 1 when it is not.
    """
    from services.cli.consent.progress import progress
    from services.consent.handlers.proof.verification import Verification
    from services.kernel.clock import SystemClock
    from services.kernel.errors import ConfigurationError, InvalidMessage
    from services.kernel.settings import load_settings

    settings = load_settings()
    signed = [text for file in kept for text in _anchors_in(file)]
    with opened(settings) as engine, progress("Events looked at, twice", quiet=as_json) as told:
        verification = Verification(engine, public_keys(key, settings), SystemClock())
        try:
            result = verification.run(signed, told)
        except InvalidMessage as error:
            raise ConfigurationError(f"A kept anchor is none of this ledger's. {error}") from error
        if record:
            verification.record(result)
    click.echo(_as_json(result) if as_json else _in_words(result, len(signed)))
    raise SystemExit(0 if result.ok else 1)


@click.command(epilog=examples("signpost consent anchor > anchor-$(date -I).jws"))
def anchor() -> None:
    """Print the newest anchor, to keep elsewhere.

    Needs the consent database (SIGNPOST_CONSENT__DATABASE_URL). An anchor says what the whole ledger was, in 64 digits,
    and names nobody. Keep it where the owner of the database cannot write. The service also writes each one to its log.
    """
    from services.consent.adapters.anchors import last_signed
    from services.kernel.database import reading
    from services.kernel.errors import ConfigurationError
    from services.kernel.settings import load_settings

    with opened(load_settings()) as engine, reading(engine) as transaction:
        signed = last_signed(transaction)
    if signed is None:
        raise ConfigurationError("No anchor was signed yet: the running service does it within a minute.")
    click.echo(signed)


@click.command("rotate-key", epilog=examples("signpost consent rotate-key"))
def rotate_key() -> None:
    """Put a new signing key in the place of the old one.

    Needs SIGNPOST_CONSENT__SIGNING_KEY_FILE, and the right to write it. The old public key stays in the file and is
    still published, so that receipts and anchors of before can be checked. Start the service again afterwards.
    """
    from services.consent.signing import rotate
    from services.kernel.settings import load_settings

    file = load_settings().consent.signing_key_file
    rotate(file)
    click.echo(f"{file} holds a new key. Start the consent service again: until then it signs with the old one.")


def _anchors_in(file: Path) -> list[str]:
    import re

    from services.kernel.errors import ConfigurationError

    found = re.findall(r"\bey[\w-]+\.ey[\w-]+\.[\w-]+", file.read_text("utf-8", errors="replace"))
    if not found:
        raise ConfigurationError(f"{file} holds no anchor: it should be what `signpost consent anchor` printed.")
    return found


def _as_json(result: Result) -> str:
    from dataclasses import asdict
    from json import dumps

    return dumps({"ok": result.ok, **asdict(result)}, indent=2)


def _in_words(result: Result, kept: int) -> str:
    looked = f"{_counted(result.events, 'event')} and {_counted(result.anchors, 'anchor')}"
    looked += f", and {kept} kept elsewhere" if kept else ""
    if result.ok:
        return f"All is as it was recorded: {looked}."
    lines = [f"The ledger is NOT what was recorded: {_counted(result.faults, 'finding')} in {looked}.", ""]
    for found in result.findings:
        lines += [f"  event {found.sequence}: {found.fault}", f"    {found.problem}", f"    {found.mend}"]
    if result.faults > len(result.findings):
        lines.append(f"  and {result.faults - len(result.findings)} more")
    return "\n".join(lines)


def _counted(number: int, what: str) -> str:
    return f"{number} {what}" + ("" if number == 1 else "s")
