"""Anchors and the check of the whole ledger, on SQLite and on PostgreSQL, against somebody who owns the database."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import sqlalchemy as sa
from sqlalchemy import Engine
from sqlalchemy.exc import DBAPIError

from services.consent.adapters import anchors
from services.consent.domain.verification import Result
from services.consent.handlers.consents import Consents
from services.consent.handlers.proof.anchoring import Anchoring, LedgerChanged
from services.consent.signing import Keys, rotate
from services.kernel import database
from services.kernel.clock import DAY_MS, StreamClock
from services.kernel.errors import InvalidMessage
from tests.support.consent import TERMS
from tests.support.consent_office import CELLS, SHOWN, STUDENTS, Office, busy_office

_INSERT = (
    "INSERT INTO consent_events SELECT 'e', 1, 0, recorded_ms, channel, purpose, source, state, from_ms, until_ms, "
    "notice, language, actor, request, 0, digest, ledger_digest FROM consent_events WHERE sequence = 1"
)


@pytest.fixture
def office(consent_engine: Engine, tmp_path: Path) -> Office:
    return busy_office(consent_engine, tmp_path)


def faults(result: Result) -> list[tuple[str, int]]:
    return [(found.fault, found.sequence) for found in result.findings]


def test_a_ledger_that_nobody_touched_is_whole(office: Office) -> None:
    result = office.check()

    assert result.ok
    assert (result.events, result.anchors, result.findings) == (12, 4, ())
    assert result.anchored_ms == office.clock.now_ms()


@pytest.mark.parametrize(
    ("statement", "where"),
    [
        ("UPDATE consent_events SET state = 'given', until_ms = 9999999999999 WHERE sequence = 5", ("changed", 5)),
        ("UPDATE consent_events SET until_ms = until_ms + 1 WHERE sequence = 1", ("changed", 1)),
        ("UPDATE consent_events SET recorded_ms = recorded_ms - 1 WHERE sequence = 6", ("changed", 6)),
        ("UPDATE consent_events SET notice = '2025-1' WHERE sequence = 2", ("changed", 2)),
        ("UPDATE consent_events SET request = 'r1' WHERE sequence = 3", ("changed", 3)),
        ("UPDATE consent_events SET student = 'e' WHERE sequence = 4", ("changed", 4)),
        ("UPDATE consent_events SET digest = 'x' WHERE sequence = 7", ("changed", 7)),
        ("UPDATE consent_events SET ledger_digest = 'x' WHERE sequence = 8", ("changed", 8)),
        ("UPDATE consent_events SET sequence = 40 WHERE sequence = 8", ("missing", 9)),
        ("DELETE FROM consent_events WHERE sequence = 9", ("missing", 10)),
        ("DELETE FROM consent_events WHERE sequence > 10", ("missing", 12)),
        (f"DELETE FROM consent_events WHERE student = '{STUDENTS[1]}'", ("missing", 7)),
        ("DELETE FROM consent_events", ("missing", 12)),
        (_INSERT, ("misplaced", 0)),
    ],
)
def test_each_way_to_change_the_past_is_found_where_it_was_done(
    office: Office, statement: str, where: tuple[str, int]
) -> None:
    office.tamper(statement)
    result = office.check()

    assert not result.ok
    assert where in faults(result)
    assert all(found.problem and found.mend for found in result.findings)


def test_a_ledger_written_anew_is_found_by_its_anchors(office: Office) -> None:
    office.rewrite(of for of in office.rows() if of.event.student != STUDENTS[1])

    assert {fault for fault, _ in faults(office.check())} == {"replaced", "missing"}


def test_a_ledger_written_anew_with_its_anchors_is_found_by_their_signature(office: Office, tmp_path: Path) -> None:
    forger = Keys.of_file(tmp_path / "other.json")
    office.rewrite((of for of in office.rows() if of.event.student != STUDENTS[1]), "DELETE FROM anchors")
    Anchoring(office.engine, forger, office.clock, office.metrics).anchor()

    assert ("not-signed", 9) in faults(office.check())


def test_what_was_cut_off_with_its_anchors_is_found_by_an_anchor_that_was_kept(office: Office) -> None:
    with database.reading(office.engine) as transaction:
        kept = anchors.last_signed(transaction) or ""
    office.tamper("DELETE FROM consent_events WHERE sequence > 9", "DELETE FROM anchors WHERE sequence > 9")

    assert office.check().ok
    result = office.check(kept)
    assert faults(result) == [("missing", 12)]
    assert "kept elsewhere" in result.findings[0].problem


def test_a_kept_anchor_that_is_none_is_refused(office: Office) -> None:
    receipt = office.keys.sign("signpost-receipt", {"sequence": 1})
    for wrong in ("", "a.b.c", receipt):
        with pytest.raises(InvalidMessage):
            office.check(wrong)


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE consent_events SET ledger_digest = 'x' WHERE sequence = 12",
        "UPDATE consent_events SET digest = 'x' WHERE sequence = 13",
        "DELETE FROM consent_events WHERE sequence = 13",
        "DELETE FROM consent_events WHERE sequence > 11",
        "UPDATE anchors SET signed = 'x' WHERE sequence = 12",
    ],
)
def test_no_anchor_covers_up_a_change(office: Office, statement: str) -> None:
    for cell in (CELLS[0], CELLS[2]):
        office.consents.answer(STUDENTS[0], {cell: True}, SHOWN)
    office.tamper(statement)
    office.clock.advance(office.clock.now_ms() + 60_000)

    with pytest.raises(LedgerChanged):
        office.anchoring.anchor()
    thread = office.anchoring
    thread.stop()
    thread.round()
    refused = ("signpost_anchoring_failures_total", {"reason": "ledger-changed"})
    assert office.metrics.registry.get_sample_value(*refused) == 1


def test_anchors_come_about_once_a_minute_while_the_ledger_grows(office: Office) -> None:
    assert office.anchoring.anchor() is None  # nothing new
    office.consents.answer(STUDENTS[0], {CELLS[0]: True}, SHOWN)
    assert office.anchoring.anchor() is None  # not a minute yet
    assert office.anchor()


def test_a_clock_that_was_ahead_keeps_no_anchor_back(office: Office) -> None:
    office.consents.answer(STUDENTS[0], {CELLS[0]: True}, SHOWN)
    put_right = office.clock
    office.clock = StreamClock(put_right.now_ms() + 30 * DAY_MS)
    assert office.anchor()
    office.clock = put_right
    office.consents.withdraw_all(STUDENTS[0], SHOWN)

    assert office.anchoring.anchor()


def test_of_instances_that_anchor_at_once_one_does(database_url: str, office: Office) -> None:
    office.consents.answer(STUDENTS[0], {CELLS[0]: True}, SHOWN)
    office.clock.advance(office.clock.now_ms() + 60_000)
    second = database.engine(database_url)
    both = [office.anchoring, Anchoring(second, office.keys, office.clock, office.metrics)]
    start = threading.Barrier(2)

    def anchor(one: Anchoring) -> str | None:
        start.wait()
        return one.anchor()

    with ThreadPoolExecutor(2) as pool:
        assert sum(signed is not None for signed in pool.map(anchor, both)) == 1
    second.dispose()
    assert office.check().ok


def test_the_database_refuses_to_change_or_delete_an_anchor(office: Office) -> None:
    for change in ("UPDATE anchors SET signed = 'x'", "DELETE FROM anchors"):
        with pytest.raises(DBAPIError, match="append-only"), office.engine.begin() as transaction:
            transaction.execute(sa.text(change))


def test_a_key_in_the_place_of_another_still_vouches_for_what_the_old_one_signed(office: Office) -> None:
    office.keys = rotate(office.file)
    office.consents.answer(STUDENTS[0], {CELLS[0]: True}, SHOWN)
    office.anchor()

    assert office.check().ok
    assert len(office.keys.public["keys"]) == 2


def test_decisions_go_on_while_the_ledger_is_checked(database_url: str, office: Office) -> None:
    """The check sees the ledger as it was when it began."""
    second = database.engine(database_url)
    writer = Consents(second, office.clock, TERMS, office.metrics, lambda: None)

    def write(_seen: int, _of: int) -> None:
        office.clock.advance(office.clock.now_ms() + 1)
        writer.answer(STUDENTS[0], {CELLS[0]: True}, SHOWN)
        writer.withdraw_all(STUDENTS[0], SHOWN)

    result = office.verification.run(progress=write)

    assert (result.ok, result.events) == (True, 12)
    assert office.check().events == 16
    second.dispose()
