"""Ids that come out the same whenever the same thing is seen, and pseudonyms.

Deterministic ids make every replay and every retry harmless. Pseudonyms are HMAC-SHA-256 of the institution's
person id under a secret that the indicators workers never hold.
"""

from __future__ import annotations

import hashlib
import hmac
import json


def deterministic_id(*parts: str | int) -> str:
    """32 hex digits from the parts; ("a", "bc") and ("ab", "c") differ."""
    return hashlib.sha256(json.dumps(parts, ensure_ascii=False).encode()).hexdigest()[:32]


class Pseudonyms:
    """Maps the institution's person ids to pseudonyms."""

    def __init__(self, secret: str) -> None:
        self._keyed = hmac.new(secret.encode(), digestmod=hashlib.sha256)

    def of(self, person_id: str) -> str:
        """The pseudonym, 64 hex digits; case and surrounding blanks of the id do not matter."""
        keyed = self._keyed.copy()
        keyed.update(person_id.strip().casefold().encode())
        return keyed.hexdigest()
