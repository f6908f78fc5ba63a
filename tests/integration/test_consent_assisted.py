"""Decisions that staff record for a student: only under that student's open request, and never half."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest
from sqlalchemy import Engine, event, select

from services.consent.adapters.ledger import MIGRATIONS, outbox
from services.consent.domain.decisions import ConsentEvent
from services.consent.domain.requests.request import NotPossible, Request, RequestEvent, Step
from services.consent.handlers.consents import Consents
from services.consent.handlers.requests.assistance import Assistance, Assisted
from services.consent.handlers.requests.handling import ChangedMeanwhile, Reader, Requests
from services.kernel import database
from services.kernel.clock import StreamClock
from services.kernel.codec import decoder
from services.kernel.metrics import ConsentMetrics
from services.kernel.topics import CONSENT_STATE
from tests.support.consent import TERMS
from tests.support.consent_requests import NOW, RULES, STAFF, STUDENT

SHOWN = ("2026-2", "cy")
VLE, LIBRARY = ("tutor-notify", "vle"), ("tutor-notify", "library")
YES = Assisted({VLE: True, LIBRARY: False}, SHOWN, read=True, explicit=False, text="By telephone, notice read out.")
READER = Reader(STAFF, "administrator")


class Desk:
    """An administrator's desk with one request of a student on it."""

    def __init__(self, engine: Engine, about: Sequence[str] = ("tutor-notify",)) -> None:
        clock = StreamClock(NOW)
        self.woken: list[None] = []
        self.engine = engine
        terms = replace(TERMS, special=frozenset({"special-category:health"}))
        self.consents = Consents(engine, clock, terms, ConsentMetrics(), lambda: self.woken.append(None))
        self.requests = Requests(engine, clock, RULES)
        self.assistance = Assistance(self.consents, self.requests, clock, terms)
        opened = RequestEvent(0, NOW, "opened", STAFF, "administrator", "Rang: yes to the tutor.")
        self.request = self.requests.open(
            Request("7KQ3-M2XD", "consent-change", STUDENT, "s1", "phone", "cy", "2026-11-24", tuple(about), (opened,))
        )

    def record(self, said: Assisted = YES, seen: int = 1, reader: Reader = READER) -> tuple[ConsentEvent, ...]:
        return self.assistance.record(self.request, seen, reader, said)

    def published(self) -> int:
        """The number of snapshots in the outbox."""
        read = decoder(CONSENT_STATE)
        with database.reading(self.engine) as transaction:
            return len([read(value) for value in transaction.execute(select(outbox.records.c.value)).scalars()])


@pytest.mark.requirement("R2")
@pytest.mark.requirement("R3")
def test_what_staff_record_says_who_for_which_request_and_which_words_were_read(consent_engine: Engine) -> None:
    desk = Desk(consent_engine)
    recorded = desk.record()

    assert [e.decision for e in desk.consents.history(STUDENT)] == [e.decision for e in recorded]
    assert {(e.decision.cell, e.decision.state) for e in recorded} == {(VLE, "given"), (LIBRARY, "refused")}
    for decision in (e.decision for e in recorded):
        assert (decision.channel, decision.actor, decision.request) == ("staff-assisted", STAFF, "7KQ3-M2XD")
        assert (decision.notice, decision.language) == SHOWN
    assert desk.published() == len(desk.woken) == 1
    assert desk.requests.get("7KQ3-M2XD").events[-1].what == "decided"


@pytest.mark.requirement("R3")
def test_the_student_can_change_it_at_once(consent_engine: Engine) -> None:
    desk = Desk(consent_engine)
    desk.record()
    changed = desk.consents.answer(STUDENT, {VLE: False}, SHOWN)

    assert [(e.decision.state, e.decision.channel) for e in changed] == [("withdrawn", "portal")]


@pytest.mark.requirement("R1")
@pytest.mark.parametrize(
    ("said", "problem"),
    [
        (replace(YES, read=False), "told what it means"),
        (replace(YES, choices={}), "at least one"),
        (replace(YES, choices={("student-view", "vle"): True}), "only to what the request is about"),
        (replace(YES, text=" "), "how the student told you"),
    ],
)
def test_what_is_not_said_or_not_confirmed_is_not_recorded(
    consent_engine: Engine, said: Assisted, problem: str
) -> None:
    desk = Desk(consent_engine)
    with pytest.raises(NotPossible, match=problem):
        desk.record(said)

    assert desk.consents.history(STUDENT) == []
    assert desk.requests.get("7KQ3-M2XD") == desk.request


@pytest.mark.requirement("R4")
def test_a_yes_to_special_category_data_must_be_explicit(consent_engine: Engine) -> None:
    desk = Desk(consent_engine, about=("special-category:health",))
    said = replace(YES, choices={("special-category:health", "vle"): True})
    with pytest.raises(NotPossible, match="must be explicit"):
        desk.record(said)

    assert len(desk.record(replace(said, explicit=True))) == 1


@pytest.mark.requirement("R4")
def test_a_category_that_the_register_has_dropped_is_not_permitted_by_an_old_request(consent_engine: Engine) -> None:
    desk = Desk(consent_engine, about=("special-category:religion",))
    said = replace(YES, choices={("special-category:religion", "vle"): True}, explicit=True)

    with pytest.raises(NotPossible, match="approves no use"):
        desk.record(said)
    assert desk.requests.get("7KQ3-M2XD") == desk.request


def test_a_no_needs_no_confirmation(consent_engine: Engine) -> None:
    desk = Desk(consent_engine)
    recorded = desk.record(replace(YES, choices={VLE: False}, read=False))

    assert [e.decision.state for e in recorded] == ["refused"]


@pytest.mark.requirement("R3")
def test_a_student_who_takes_the_request_back_a_moment_before_has_decided_nothing(consent_engine: Engine) -> None:
    desk = Desk(consent_engine)
    desk.requests.step("7KQ3-M2XD", Step("withdrawn", "student", "student"), student=STUDENT)

    with pytest.raises(ChangedMeanwhile):
        desk.record()
    with pytest.raises(NotPossible, match="withdrawn already"):
        desk.record(seen=2)
    assert (desk.consents.history(STUDENT), desk.published(), desk.woken) == ([], 0, [])


@pytest.mark.needs("postgresql")
def test_a_request_that_changes_while_decisions_are_written_undoes_them(postgres_url: str) -> None:
    """The other step is committed between our look at the request and our own line in its history.

    On PostgreSQL: SQLite lets one write at a time.
    """
    engine, other = database.engine(postgres_url), database.engine(postgres_url)
    database.migrate(engine, MIGRATIONS)
    desk, others = Desk(engine), Requests(other, StreamClock(NOW), RULES)
    steps = [Step("withdrawn", "student", "student")]

    @event.listens_for(engine, "before_cursor_execute")
    def between(_c: object, _cursor: object, statement: str, *_: object) -> None:
        if statement.startswith("INSERT INTO request_events") and steps:
            others.step("7KQ3-M2XD", steps.pop(), student=STUDENT)

    with pytest.raises(ChangedMeanwhile):
        desk.record()
    assert (desk.consents.history(STUDENT), desk.published()) == ([], 0)
    engine.dispose()
    other.dispose()


def test_recording_what_holds_already_changes_nothing_and_says_so(consent_engine: Engine) -> None:
    desk = Desk(consent_engine)
    desk.record()
    with pytest.raises(NotPossible, match="decided already"):
        desk.record(seen=2)

    assert len(desk.requests.get("7KQ3-M2XD").events) == 2


def test_nobody_of_the_staff_decides_for_themselves(consent_engine: Engine) -> None:
    desk = Desk(consent_engine)
    with pytest.raises(NotPossible, match="your own request"):
        desk.record(reader=Reader(STUDENT, "administrator"))
    assert desk.consents.history(STUDENT) == []
