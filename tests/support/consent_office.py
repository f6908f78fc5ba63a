"""A ledger with its keys and clock, as those see it who prove it and those who tamper with it."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import product
from pathlib import Path

import sqlalchemy as sa
from sqlalchemy import Engine

from services.consent.adapters import ledger
from services.consent.domain import chain
from services.consent.domain.verification import Result
from services.consent.handlers.consents import Consents
from services.consent.handlers.proof.anchoring import Anchoring
from services.consent.handlers.proof.verification import Verification
from services.consent.signing import Keys, PublicKeys
from services.kernel import database
from services.kernel.clock import StreamClock
from services.kernel.metrics import ConsentMetrics
from tests.support.consent import TERMS

NOW = 1_800_000_000_000
SHOWN = ("2026-2", "en")
STUDENTS = [letter * 64 for letter in "abcd"]
CELLS = list(product(["student-view", "tutor-notify"], ["vle", "library"]))
_KEPT = ("consent_events", "anchors")
_TRIGGERS = {
    "sqlite": [f"DROP TRIGGER {t}_keep_{w}" for t, w in product(_KEPT, ("updates", "deletes", "replaces"))],
    "postgresql": [f"DROP FUNCTION {table}_keep() CASCADE" for table in _KEPT],
}


class Office:
    """A ledger with its keys and clock."""

    def __init__(self, engine: Engine, folder: Path) -> None:
        self.engine, self.clock, self.metrics = engine, StreamClock(NOW), ConsentMetrics()
        self.file = folder / "key.json"
        self.keys = Keys.of_file(self.file)
        self.consents = Consents(engine, self.clock, TERMS, self.metrics, lambda: None)

    @property
    def anchoring(self) -> Anchoring:
        return Anchoring(self.engine, self.keys, self.clock, self.metrics)

    @property
    def verification(self) -> Verification:
        return Verification(self.engine, PublicKeys(self.keys.public), self.clock)

    def anchor(self) -> str:
        """A minute later."""
        self.clock.advance(self.clock.now_ms() + 60_000)
        signed = self.anchoring.anchor()
        assert signed
        return signed

    def check(self, *kept: str) -> Result:
        return self.verification.run(kept)

    def tamper(self, *statements: str) -> None:
        """As somebody who owns the database."""
        with self.engine.begin() as transaction:
            for statement in [*_TRIGGERS[self.engine.name], *statements]:
                transaction.execute(sa.text(statement))

    def rewrite(self, story: Iterable[chain.Sealed], *statements: str) -> None:
        """Put another ledger in the place of this one, sealed without a fault."""
        events = [sealed.event for sealed in story]
        self.tamper("DELETE FROM consent_events", *statements)
        with self.engine.begin() as transaction:
            ledger.append(transaction, events)

    def rows(self) -> list[chain.Sealed]:
        with database.reading(self.engine) as transaction:
            return [of for chunk in ledger.in_sequence(transaction, 100) for of in chunk]


def busy_office(engine: Engine, folder: Path) -> Office:
    """Twelve events of four students, anchored after each student."""
    office = Office(engine, folder)
    for student in STUDENTS:
        office.consents.answer(student, {CELLS[0]: True, CELLS[1]: False}, SHOWN)
        office.consents.withdraw_all(student, SHOWN)
        office.anchor()
    return office
