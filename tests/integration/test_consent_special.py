"""Special-category data at the ledger, under a register that approves one: no way around an explicit yes (R4)."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import Engine, func, select

from services.consent.adapters.ledger import consent_events
from services.consent.app import create_app
from services.consent.domain.decisions import Decision, Via
from services.consent.domain.special import NotExplicit
from services.consent.handlers.consents import Consents
from services.consent.notices import FOLDER
from services.kernel import database
from services.kernel.clock import StreamClock
from services.kernel.metrics import ConsentMetrics
from services.kernel.register import SHIPPED
from services.kernel.settings import Settings
from tests.support.consent import BEARER, TERMS, Visitor, row, settings

ETHNICITY = "special-category:ethnicity"
CELL, OTHER = (ETHNICITY, "vle"), ("tutor-notify", "vle")
SHOWN = ("2026-1", "en")
STUDENT = "a" * 64
NOW = 1_800_000_000_000
pytestmark = pytest.mark.requirement("R4")


@pytest.fixture
def consents(consent_engine: Engine) -> Consents:
    terms = replace(TERMS, special=frozenset({ETHNICITY}))
    return Consents(consent_engine, StreamClock(NOW), terms, ConsentMetrics(), lambda: None)


def recorded(engine: Engine) -> int:
    with database.reading(engine) as transaction:
        return transaction.execute(select(func.count()).select_from(consent_events)).scalar_one()


def registered(state: Any = "given") -> Decision:
    until_ms = NOW + 1 if state == "given" else None
    return Decision(*CELL, state, NOW, until_ms, *SHOWN, channel="registration", actor="registrar")


def test_a_student_says_yes_and_takes_it_back_with_everything(consents: Consents) -> None:
    assert [event.decision.state for event in consents.answer(STUDENT, {CELL: True}, SHOWN)] == ["given"]
    assert [event.decision.state for event in consents.withdraw_all(STUDENT, SHOWN)] == ["withdrawn"]


def test_a_member_of_staff_records_an_explicit_yes(consents: Consents) -> None:
    via = Via("staff-assisted", "b" * 64, "R-1")

    assert len(consents.answer(STUDENT, {CELL: True}, SHOWN, via)) == 1


@pytest.mark.parametrize("dry_run", [True, False])
def test_an_import_cannot_say_it_and_nothing_of_the_batch_is_kept(
    consents: Consents, consent_engine: Engine, *, dry_run: bool
) -> None:
    with pytest.raises(NotExplicit):
        consents.register({"b" * 64: [registered("refused")], STUDENT: [registered()]}, dry_run=dry_run)

    assert recorded(consent_engine) == 0
    assert consents.register({STUDENT: [registered("refused")]}, dry_run=dry_run).recorded == 1


def test_without_an_approved_benefit_record_there_is_no_yes(consent_engine: Engine) -> None:
    consents = Consents(consent_engine, StreamClock(NOW), TERMS, ConsentMetrics(), lambda: None)
    with pytest.raises(NotExplicit, match="approves no use"):
        consents.answer(STUDENT, {CELL: True, OTHER: True}, SHOWN)

    assert recorded(consent_engine) == 0


def approving(folder: Path, url: str) -> Settings:
    """Settings with a register that approves one special category, and notices that tell of it."""
    text = SHIPPED.read_text("utf-8")
    record = (
        '[special_categories.benefit_record]\nreference = "B-1"\napproved_by = "Education committee"\n'
        'approved_on = 2026-05-01\nfinding = "It shows where support does not arrive."\n\n'
    )
    at = text.index("[special_categories.cy]")
    (folder / "register.toml").write_text(text[:at] + record + text[at:], "utf-8")
    (folder / "registers").mkdir()
    for older in (SHIPPED.parent / "registers").glob("*.toml"):
        (folder / "registers" / older.name).write_text(older.read_text("utf-8"), "utf-8")
    (folder / "notices").mkdir()
    told = "\n".join(f'{name} = "Words."' for name in ("question", "does", "seen_by", "if_no", "now_yes", "now_no"))
    for notice in FOLDER.glob("*.toml"):
        added = f'{notice.read_text("utf-8")}\n[purposes."{ETHNICITY}"]\n{told}\n'
        (folder / "notices" / notice.name).write_text(added, "utf-8")
    found = settings(folder, database_url=url)
    consent = found.consent.model_copy(update={"notices_folder": folder / "notices"})
    return found.model_copy(update={"consent": consent, "register_file": folder / "register.toml"})


@pytest.fixture
def client(tmp_path: Path, database_url: str, consent_engine: Engine, monkeypatch: pytest.MonkeyPatch) -> TestClient:
    monkeypatch.setattr(database, "engine", lambda _url: consent_engine)  # whose connections are closed at the end
    return TestClient(create_app(approving(tmp_path, database_url)))


def test_a_registration_is_told_why_it_cannot_say_it(client: TestClient, consent_engine: Engine) -> None:
    body = {"decisions": [row(), row(purpose=ETHNICITY), row("s2", purpose=ETHNICITY, state="refused")]}
    answer = client.post("/v1/registration", json=body, headers=BEARER).json()

    (error,) = answer["errors"]
    assert (error["index"], error["field"]) == (1, "purpose")
    assert "explicitly" in error["problem"]
    assert "portal" in error["mend"]
    assert recorded(consent_engine) == 0


def test_it_is_asked_in_the_portal_and_one_yes_for_a_whole_purpose_does_not_hold_for_it(client: TestClient) -> None:
    student = Visitor(client, "s0000001")
    page = student.get("/")
    student.post(f"/choices/{ETHNICITY}", all="yes", notice="2026-1", language="en")

    assert ETHNICITY in page.text
    assert student.stands() == {}
