"""Make the topic of consents again what the ledger says."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from services.cli.consent.opening import opened
from services.cli.options import examples

if TYPE_CHECKING:
    from services.consent.handlers.republishing import Republished

_SHOWN = 20


@click.command(
    epilog=examples(
        "signpost consent republish --dry-run",
        "signpost consent republish",
        "signpost provision && signpost consent republish  # the topic was lost",
    )
)
@click.option("--all", "everybody", is_flag=True, help="Also what stands on the topic as it should.")
@click.option("--dry-run", is_flag=True, help="Compare only.")
@click.option("--json", "as_json", is_flag=True, help="For a program.")
def republish(*, everybody: bool, dry_run: bool, as_json: bool) -> None:
    """Rebuild the topic of consents from the ledger.

    Needs the consent database (SIGNPOST_CONSENT__DATABASE_URL) and the broker (SIGNPOST_KAFKA__BOOTSTRAP). The topic is
    read to its end and compared with the ledger; what is missing or differs goes into the outbox, and the running
    service publishes it. Students may decide meanwhile.

    Exits with 1 where something stands on the topic that the ledger does not know. It is left as it is.
    """
    from dataclasses import asdict
    from json import dumps

    from services.cli.consent.progress import progress
    from services.consent.adapters.kafka import consent_topic
    from services.consent.handlers import republishing
    from services.kernel.settings import load_settings

    settings = load_settings()
    with opened(settings) as engine:
        with progress("Records of the topic read", quiet=as_json) as told:
            standing = consent_topic.read(settings.kafka, told)
        with progress("Students compared", quiet=as_json) as told:
            found = republishing.republish(engine, standing, everybody=everybody, dry_run=dry_run, progress=told)
    click.echo(dumps({"ok": found.ok, **asdict(found)}, indent=2) if as_json else _in_words(found, dry_run=dry_run))
    raise SystemExit(0 if found.ok else 1)


def _in_words(found: Republished, *, dry_run: bool) -> str:
    counted = f"{found.students} students in the ledger; of these, {found.missing} were missing on the topic, "
    counted += f"{found.behind} behind and {len(found.altered)} altered."
    if dry_run:
        done = "Nothing was published: this was a dry run."
    elif found.published:
        done = f"{found.published} are in the outbox now; the running consent service publishes them."
    else:
        done = "Nothing had to be published."
    lines = [counted, done]
    lines += _listed(
        "stood on the topic at the ledger's version, but permitting something else. What the ledger says is published, "
        "but whoever has read the other obeys that until the student decides again",
        found.altered,
    )
    lines += _listed(
        "stand on the topic at a version that the ledger has not reached: the ledger lacks decisions. Nothing of these "
        "students was published, since it could bring back what they took back",
        found.ahead,
    )
    lines += _listed(
        "stand on the topic and not in the ledger, and every gate obeys that. Is the database an older copy, or "
        "another's?",
        found.unknown,
    )
    lines += _listed("cannot be read, and every gate halts there", found.unreadable)
    return "\n".join(lines)


def _listed(what: str, found: list[str]) -> list[str]:
    if not found:
        return []
    more = [f"  and {len(found) - _SHOWN} more"] if len(found) > _SHOWN else []
    return ["", f"{len(found)} {what}:", *(f"  {one}" for one in found[:_SHOWN]), *more]
