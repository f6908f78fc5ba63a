"""The ledger is checked by itself: when, and what is left of a check that its process did not survive."""

from __future__ import annotations

from pathlib import Path

import pytest
from sqlalchemy import Engine

from services.consent.handlers.proof.verification import Verifying
from services.kernel.clock import DAY_MS
from tests.support.consent_office import CELLS, SHOWN, STUDENTS, Office, busy_office


@pytest.fixture
def office(consent_engine: Engine, tmp_path: Path) -> Office:
    return busy_office(consent_engine, tmp_path)


def test_it_is_checked_at_the_start_once_a_day_and_when_somebody_asks(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("services.consent.handlers.proof.verification._PAUSE_S", 0)
    verifying = Verifying(office.verification, office.clock, office.metrics)
    assert office.verification.last() is None
    verifying.round()
    first = office.verification.last()
    assert first
    assert first.ok
    office.tamper("UPDATE consent_events SET notice = '2025-1' WHERE sequence = 2")
    verifying.round()
    assert office.verification.last() == first

    verifying.ask()
    verifying.round()
    found = office.verification.last()
    assert found
    assert (found.ok, found.faults, verifying.asked) == (False, 1, False)
    assert office.metrics.registry.get_sample_value("signpost_ledger_faults") == 1
    office.clock.advance(office.clock.now_ms() + DAY_MS)
    verifying.round()
    assert office.verification.last() != found


def test_it_is_checked_again_soon_after_it_has_doubled(
    consent_engine: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A first import is not left unchecked for a day, nor is each decision checked for itself."""
    monkeypatch.setattr("services.consent.handlers.proof.verification._PAUSE_S", 0)
    office = Office(consent_engine, tmp_path)
    verifying = Verifying(office.verification, office.clock, office.metrics)

    def checked() -> int:
        office.clock.advance(office.clock.now_ms() + 60_000)
        verifying.round()
        last = office.verification.last()
        assert last
        return last.events

    assert checked() == 0
    office.consents.answer(STUDENTS[0], {CELLS[0]: True, CELLS[1]: False}, SHOWN)
    assert checked() == 2
    office.consents.withdraw_all(STUDENTS[0], SHOWN)
    assert checked() == 2


def test_a_check_ends_with_its_process(office: Office) -> None:
    """What it had not finished is not taken for a result."""
    verifying = Verifying(office.verification, office.clock, office.metrics)
    verifying.start()
    verifying.stop()

    assert "does not run" in (verifying.problem() or "")
    stopped = Verifying(office.verification, office.clock, office.metrics)
    stopped.stop()
    before = office.verification.last()
    stopped.round()
    assert office.verification.last() == before
