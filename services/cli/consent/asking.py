"""Ask the ledger what was permitted, and a receipt what it proves."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from services.cli.consent.opening import opened, public_keys
from services.cli.options import examples

if TYPE_CHECKING:
    from services.consent.domain.permitted import Answer


@click.command(
    epilog=examples(
        "signpost consent permitted s0000001 tutor-notify vle \\",
        '    --at 2026-11-24T10:00:00Z --reason "complaint 12"',
    )
)
@click.argument("person")
@click.argument("purpose")
@click.argument("source")
@click.option("--at", required=True, metavar="MOMENT", help="Of the use: ISO 8601, with its offset.")
@click.option(
    "--known-at", default="", metavar="MOMENT", help="Only what was recorded by then counts.  [default: --at]"
)
@click.option("--reason", required=True, help="Why you ask; the student can read it.")
@click.option("--json", "as_json", is_flag=True, help="For a program.")
def permitted(*, as_json: bool, **asked: str) -> None:
    """Say whether a student had permitted something, and how.

    Needs the consent database (SIGNPOST_CONSENT__DATABASE_URL) and, for the institution's id of a PERSON,
    SIGNPOST_INSTITUTION__PSEUDONYM_SECRET; a pseudonym will do instead. That it was asked is written down, and shown to
    the student.

    Exits with 0 whether or not it was permitted.
    """
    from json import dumps

    from services.consent.handlers.proof import permitted as handler
    from services.kernel.clock import SystemClock
    from services.kernel.errors import ConfigurationError
    from services.kernel.ids import Pseudonyms
    from services.kernel.register import load_register
    from services.kernel.settings import load_settings, required

    settings = load_settings()
    register = load_register(settings.register_file)
    secret = settings.institution.pseudonym_secret
    known = handler.is_pseudonym(asked["person"])
    pseudonyms = Pseudonyms("" if known else required(secret, "SIGNPOST_INSTITUTION__PSEUDONYM_SECRET"))
    with opened(settings) as engine:
        point_in_time = handler.PointInTime(engine, register, pseudonyms, SystemClock())
        try:
            question = point_in_time.read(asked, reader="command line", role="administrator")
        except handler.WrongQuestion as error:
            raise ConfigurationError("\n".join(f"{e.field}: {e.problem}; {e.mend}." for e in error.errors)) from error
        answer = point_in_time.answer(question)
    click.echo(dumps(handler.as_json(question, answer), indent=2) if as_json else _in_words(answer))


@click.command(
    "verify-receipt",
    epilog=examples(
        "signpost consent verify-receipt receipts.json",
        "signpost consent verify-receipt receipt-3.json \\",
        "    --key https://consent.example/.well-known/jwks.json",
    ),
)
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--key", metavar="FILE|URL", help="The public keys.  [default: the service's own key file]")
def verify_receipt(file: Path, key: str | None) -> None:
    """Check a receipt, and say what it proves.

    Needs the receipt as it was downloaded, and the public keys that the consent service publishes. It asks no database.

    Exits with 0 when it is genuine, with 1 when it is not.
    """
    from services.consent.receipts.checking import check
    from services.kernel.errors import ConfigurationError, InvalidMessage
    from services.kernel.settings import load_settings

    keys = public_keys(key, load_settings())
    try:
        checked = check(file.read_text("utf-8"), keys)
    except (InvalidMessage, UnicodeDecodeError) as error:
        raise ConfigurationError(f"{file} proves nothing. {error}") from error
    for receipt in checked:
        click.echo(receipt.in_words())
    click.echo("The university recorded exactly this. Whether something was decided since, a receipt cannot say.")


def _in_words(answer: Answer) -> str:
    lines = ["YES, it was permitted." if answer.permitted else "NO, it was not permitted.", answer.why]
    if event := answer.event:
        from services.consent.domain.permitted import moment

        decision = event.decision
        place = (
            f"version {event.version}, position {event.position} of the student; event {event.sequence} of the ledger"
        )
        lines += [
            f"By {place}, recorded {moment(event.recorded_ms)}",
            f"  through {decision.channel}, told by notice {decision.notice} in {decision.language}",
            f"  sealed as {event.digest}",
        ]
    return "\n".join(lines)
