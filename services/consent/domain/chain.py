"""The seals of the ledger: each event is bound to the student's events before it, and to all events before it.

The *digest* of an event is SHA-256 over every one of its fields and the digest of the same student's event before it.
The *ledger digest* is SHA-256 over the ledger digest before it and the event's digest. So whoever knows the ledger
digest at one place can tell whether anything up to there was changed, left out, put in or put elsewhere.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from services.consent.domain.decisions import ConsentEvent

GENESIS = "0" * 64  # what stands before the first
_FORM = "signpost-consent-event-1"  # of what a digest is made; another form needs another name


@dataclass(frozen=True, slots=True)
class Tail:
    """Where the ledger ends: the last event's sequence and ledger digest."""

    sequence: int = 0
    ledger_digest: str = GENESIS


@dataclass(frozen=True, slots=True)
class Sealed:
    """An event with its sequence and digest, and the ledger digest at its place."""

    event: ConsentEvent
    ledger_digest: str


def digest(event: ConsentEvent, before: str) -> str:
    """The event's digest, 64 hex digits, after the digest of the student's event before it."""
    decision = event.decision
    fields = [
        _FORM,
        before,
        event.sequence,
        event.student,
        event.version,
        event.position,
        event.recorded_ms,
        decision.purpose,
        decision.source,
        decision.state,
        decision.from_ms,
        decision.until_ms,
        decision.notice,
        decision.language,
        decision.channel,
        decision.actor,
        decision.request,
    ]
    return _sha256(json.dumps(fields, separators=(",", ":")))


def ledger_digest(before: str, event_digest: str) -> str:
    """The ledger digest, 64 hex digits, after the one before it."""
    return _sha256(before + event_digest)


def seal(events: Iterable[ConsentEvent], heads: Mapping[str, str], tail: Tail) -> list[Sealed]:
    """Seal new events in their order.

    Args:
        events: new ones, without sequence and digest.
        heads: the digest of each student's last event; a student without events is not in it.
        tail: where the ledger ends before them.
    """
    latest, sealed = dict(heads), []
    for event in events:
        placed = replace(event, sequence=tail.sequence + 1)
        own = digest(placed, latest.get(event.student, GENESIS))
        latest[event.student] = own
        tail = Tail(placed.sequence, ledger_digest(tail.ledger_digest, own))
        sealed.append(Sealed(replace(placed, digest=own), tail.ledger_digest))
    return sealed


def _sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
