"""The life cycle over a database, with a clock of its own, and what is seen of it from outside."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from sqlalchemy import Engine, select

from services.consent.adapters import ledger
from services.consent.adapters.ledger import outbox
from services.consent.domain import chain
from services.consent.domain.decisions import Decision
from services.consent.domain.renewals import Schedule
from services.consent.handlers.consents import Consents
from services.consent.handlers.life_cycle import LifeCycle
from services.consent.notices import FOLDER, Notices, load_notices
from services.kernel import database
from services.kernel.clock import DAY_MS, StreamClock
from services.kernel.codec import decoder
from services.kernel.metrics import ConsentMetrics
from services.kernel.register import load_register
from services.kernel.topics import CONSENT_STATE, RENEWALS
from tests.support.consent import TERMS

START = 1_790_000_000_000  # 21 September 2026
UNTIL = START + 365 * DAY_MS
VLE, LIBRARY = ("individual-indicators", "vle"), ("individual-indicators", "library")
HEAD = "in_force_from = 2026-01-01\nmaterial = true\n"
REGISTER = load_register()


def students(count: int) -> list[str]:
    return [f"{number:064x}" for number in range(count)]


class Service:
    """The life cycle over one database, with its own clock."""

    def __init__(self, engine: Engine, now_ms: int = START, folder: Path = FOLDER, per_minute: int = 10_000) -> None:
        self.engine, self.clock = engine, StreamClock(now_ms)
        self.consents = Consents(engine, self.clock, TERMS, ConsentMetrics(), lambda: None)
        schedule = Schedule(TERMS.zone, TERMS.renewal_days, 7, per_minute)
        self.life = LifeCycle(engine, self.clock, schedule, self.notices(folder), self.consents)

    def notices(self, folder: Path) -> Notices:
        return load_notices(REGISTER, folder, self.clock, TERMS.zone)

    def give(self, names: Sequence[str], until_ms: int = UNTIL, **changes: Any) -> None:
        grants = [registered(cell, until_ms=until_ms, **changes) for cell in (VLE, LIBRARY)]
        self.consents.register(dict.fromkeys(names, grants))

    def settle(self, now_ms: int | None = None) -> Counter[str]:
        """Go on until nothing is left to do at that moment; gives the kinds of reminders that were sent."""
        self.clock.advance(now_ms or 0)
        kinds: Counter[str] = Counter()
        busy = True
        while busy:
            busy = self.life.follow()
            while (reminded := self.life.look()) is not None:
                kinds.update(reminder.kind for reminder in reminded)
                busy = True
        return kinds


def registered(cell: tuple[str, str], until_ms: int = UNTIL, notice: str = "2026-1", from_ms: int = START) -> Decision:
    return Decision(*cell, "given", from_ms, until_ms, notice, "cy", channel="registration", actor="registrar")


def published(engine: Engine, topic: str) -> list[Any]:
    read = decoder(RENEWALS if topic == RENEWALS.name else CONSENT_STATE)
    query = select(outbox.records.c.value).where(outbox.records.c.topic == topic).order_by(outbox.records.c.id)
    with database.reading(engine) as transaction:
        return [read(value) for value in transaction.execute(query).scalars()]


def states(engine: Engine) -> Counter[str]:
    with database.reading(engine) as transaction:
        return Counter(transaction.execute(select(ledger.consent_events.c.state)).scalars())


def assert_sealed(engine: Engine) -> None:
    with database.reading(engine) as transaction:
        sealed = [of for chunk in ledger.in_sequence(transaction, 1000) for of in chunk]
    assert sealed == chain.seal([of.event for of in sealed], {}, chain.Tail())


def first_notice(folder: Path) -> Path:
    """The shipped notices as they began, so that no text of later years ends anything."""
    for language in ("en", "cy"):
        text = (FOLDER / f"2026-1.{language}.toml").read_text("utf-8")
        (folder / f"2026-1.{language}.toml").write_text(text, "utf-8")
    return folder


def another_notice(folder: Path, version: str, day: str, *, material: bool) -> Path:
    """The same, and one more version in both languages."""
    first_notice(folder)
    for language in ("en", "cy"):
        text = (folder / f"2026-1.{language}.toml").read_text("utf-8")
        head = f'in_force_from = {day}\nmaterial = {str(material).lower()}\nchanged = "News."\n'
        (folder / f"{version}.{language}.toml").write_text(text.replace(HEAD, head), "utf-8")
    return folder
