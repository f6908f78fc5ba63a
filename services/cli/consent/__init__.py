"""The consent ledger from the command line: prove it, ask it, and care for it."""

from __future__ import annotations

import click

from services.cli.consent.asking import permitted, verify_receipt
from services.cli.consent.importing import import_
from services.cli.consent.proof import anchor, rotate_key, verify
from services.cli.consent.republish import republish
from services.cli.consent.rereading import reread_enrolments


@click.group()
def consent() -> None:
    """Prove the consent ledger, ask it and care for it."""


for _command in (verify, verify_receipt, permitted, anchor, rotate_key, republish, reread_enrolments, import_):
    consent.add_command(_command)
