"""Issues receipts: the readable document and its signature in one file, the same however often it is asked for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any

from services.consent.domain.chain import GENESIS
from services.consent.domain.decisions import ConsentEvent
from services.consent.receipts.document import Issuer
from services.consent.signing import Keys

KEYS_PATH = "/.well-known/jwks.json"


@dataclass(frozen=True, slots=True)
class Receipts:
    """Makes receipts from a student's history."""

    issuer: Issuer
    keys: Keys

    def of(self, history: Sequence[ConsentEvent], version: int) -> dict[str, Any] | None:
        """The receipt of one batch of decisions; None where there is no such version.

        `receipt` is for reading, `signed` the same as a compact JWS, `check` says how to check it.
        """
        return next((self._issued(*batch) for batch in _batches(history) if batch[0][0].version == version), None)

    def all(self, history: Sequence[ConsentEvent]) -> dict[str, Any]:
        """The receipts of a whole history, oldest first."""
        return {"check": self._how(), "receipts": [self._issued(*batch) for batch in _batches(history)]}

    def _issued(self, events: Sequence[ConsentEvent], before: str) -> dict[str, Any]:
        document = self.issuer.document(events, before)
        return {"check": self._how(), "receipt": document, "signed": self.keys.sign("signpost-receipt", document)}

    def _how(self) -> str:
        return f"signpost consent verify-receipt THIS-FILE --key {self.issuer.url}{KEYS_PATH}"


def _batches(history: Sequence[ConsentEvent]) -> list[tuple[list[ConsentEvent], str]]:
    """The history version by version, each with the digest before it."""
    batches, before = [], GENESIS
    for _, events in groupby(history, key=lambda event: event.version):
        batch = list(events)
        batches.append((batch, before))
        before = batch[-1].digest
    return batches
