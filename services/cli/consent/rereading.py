"""Build again what the officer's coverage stands on."""

from __future__ import annotations

import click

from services.cli.consent.opening import opened
from services.cli.options import examples


@click.command("reread-enrolments", epilog=examples("signpost consent reread-enrolments"))
def reread_enrolments() -> None:
    """Read all enrolments again, from the start of the log.

    Needs the consent database (SIGNPOST_CONSENT__DATABASE_URL). For coverage only: who is on which module, and the
    table made of it, are forgotten and filled again by the consent service, at once where it runs, else when it starts.
    No decision is touched.
    """
    from services.consent.adapters import places
    from services.consent.adapters.kafka import log_reader
    from services.kernel.settings import load_settings
    from services.kernel.topics import ENROLMENTS

    with opened(load_settings()) as engine, engine.begin() as transaction:
        places.forget(transaction)
        log_reader.read_again(transaction, ENROLMENTS)
    click.echo("The enrolments are read again as soon as the consent service runs; coverage follows within seconds.")
