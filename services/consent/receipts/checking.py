"""Checks a receipt with nothing but the public keys, and says in plain words what it proves."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import msgspec

from services.consent.domain import chain
from services.consent.domain.decisions import ConsentEvent, State
from services.consent.domain.permitted import moment
from services.consent.signing import PublicKeys
from services.kernel.errors import InvalidMessage

_SAID: dict[State, str] = {
    "requested": "was asked about",
    "given": "said YES to",
    "refused": "said NO to",
    "withdrawn": "took back the yes to",
    "expired": "had no valid yes any more, by date, to",
    "invalidated": "had no valid yes any more, as the notice had changed, to",
}


@dataclass(frozen=True, slots=True)
class Checked:
    """A receipt that is genuine: who signed it, and the events that it is about."""

    institution: str
    events: tuple[ConsentEvent, ...]

    def in_words(self) -> str:
        """What it proves."""
        first = self.events[0]
        whose = f"decision {first.version} of the student {first.student[:12]}…"
        head = f"Genuine: {self.institution} signed this receipt for {whose}"
        return "\n".join([head, *map(_line, self.events)])


def check(text: str, keys: PublicKeys) -> list[Checked]:
    """The receipts of a file: one, or a whole history of them; a bare compact JWS will do.

    Raises:
        InvalidMessage: one of them is not what was signed, or its seals do not fit; the message says which and what.
    """
    return [_checked(number, one, keys) for number, one in enumerate(_receipts(text), 1)]


def _receipts(text: str) -> Sequence[Any]:
    try:
        content = json.loads(text)
    except ValueError:
        return [{"signed": text.strip()}]
    found = content.get("receipts", [content]) if isinstance(content, dict) else content
    if not isinstance(found, list) or not found:
        raise InvalidMessage("no-receipt", "The file holds no receipt.")
    return found


def _checked(number: int, one: Any, keys: PublicKeys) -> Checked:
    signed = one.get("signed") if isinstance(one, dict) else None
    if not isinstance(signed, str):
        raise InvalidMessage("no-receipt", f"Receipt {number} has no signature: nothing says who made it.")
    try:
        document = keys.content("signpost-receipt", signed)
    except InvalidMessage as error:
        raise InvalidMessage(error.reason, f"Receipt {number} is not genuine. {error}") from error
    if "receipt" in one and one["receipt"] != document:
        raise InvalidMessage("changed", f"What can be read in receipt {number} is not what was signed: it was changed.")
    try:
        record = document["dpv:hasRecordOfActivity"]
        sealed = [msgspec.convert(event["ledger"], _InLedger) for event in record["dpv:hasConsent"]]
        institution = str(record["dpv:hasDataController"]["schema:name"])
    except (KeyError, TypeError, msgspec.ValidationError) as error:
        raise InvalidMessage("unknown-form", f"Receipt {number} is of a form that this release cannot read.") from error
    for of in sealed:
        if chain.digest(of.event, of.before) != of.event.digest:
            problem = f"The seal of event {of.event.sequence} in receipt {number} does not fit: it was sealed wrongly."
            raise InvalidMessage("seal", problem)
    return Checked(institution, tuple(of.event for of in sealed))


class _InLedger(msgspec.Struct, frozen=True):
    before: str
    event: ConsentEvent


def _line(event: ConsentEvent) -> str:
    decision = event.decision
    until = "" if decision.until_ms is None else f", until {moment(decision.until_ms)}"
    how = decision.channel + (f" (request {decision.request})" if decision.request else "")
    what = f"{_SAID[decision.state]} {decision.purpose} from {decision.source}{until}"
    told = f"told by notice {decision.notice} in {decision.language}; through {how}"
    recorded = f"recorded {moment(event.recorded_ms)} as event {event.sequence} of the ledger"
    return f"  {moment(event.made_ms)}  the student {what}\n      {told}; {recorded}"
