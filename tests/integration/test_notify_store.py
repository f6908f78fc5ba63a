"""Notify's use cases on each database that it supports."""

from __future__ import annotations

from typing import Any

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Engine

from services.kernel import database
from services.kernel.clock import DAY_MS
from services.notify.adapters.tables import metadata
from services.notify.app import MIGRATIONS
from services.notify.domain import Reason, need
from services.notify.handlers import casework, delivery
from services.notify.handlers.casework import CaseView
from services.notify.handlers.gate import Gate, NotNow
from services.notify.handlers.intake import end_unpermitted
from services.notify.handlers.unit import Unit
from tests.support import notify as world
from tests.support.students import consent

S1, S2, S3 = (world.student_of(person) for person in ("s1", "s2", "s3"))


@pytest.fixture
def engine(notify_engine: Engine) -> Engine:
    return notify_engine


@pytest.fixture
def gate(notify_gate: Gate) -> Gate:
    return notify_gate


def claim(engine: Engine, gate: Gate) -> Any:
    with engine.begin() as tx:
        return delivery.next_message(Unit.of(tx), gate, world.LETTERHEAD)


def later(gate: Gate, ms: int) -> Gate:
    """The same gate at a later moment of the machine's clock."""

    class Later:
        def now_ms(self) -> int:
            return gate.system.now_ms() + ms

    return Gate(gate.register, gate.clock, gate.partitions, Later())


def test_the_migrations_make_what_the_code_speaks_of(engine: Engine) -> None:
    with engine.connect() as connection:
        assert compare_metadata(MigrationContext.configure(connection), metadata) == []
    assert database.is_current(engine, MIGRATIONS)


def test_one_open_case_per_student_and_triggers_join_it(engine: Engine, gate: Gate) -> None:
    world.take(engine, gate, consent(S1))
    result = world.take(
        engine, gate, world.trigger(S1), world.trigger(S1, module="BIOL120"), world.trigger(S1), world.trigger(S1)
    )
    assert dict(result.outcomes) == {
        ("support-triggers", "opened"): 1,
        ("support-triggers", "joined"): 1,
        ("support-triggers", "repeated"): 2,
    }
    with engine.begin() as tx:
        unit = Unit.of(tx)
        [case] = unit.cases.all_open()
        assert {reason.module for reason in unit.cases.reasons([case.id])[case.id]} == {"BIOL120", "HIST101"}
        assert [line.what for line in unit.cases.history(case.id)] == ["opened", "joined"]


def test_a_trigger_seen_again_after_its_case_ended_opens_nothing(engine: Engine, gate: Gate) -> None:
    world.take(engine, gate, consent(S1), consent(S2), world.trigger(S1), world.trigger(S2))
    with engine.begin() as tx:
        unit = Unit.of(tx)
        case = unit.cases.open_of(S1)
        assert case
        casework.close(unit, gate, "t1", case.id, "met")
    world.take(engine, gate, consent(S2, version=2, purposes=()))
    world.take(engine, gate, consent(S2, version=3))  # given again, and back-dated by the registrar
    result = world.take(engine, gate, world.trigger(S1), world.trigger(S2))
    assert dict(result.outcomes) == {("support-triggers", "repeated"): 2}
    with engine.begin() as tx:
        assert Unit.of(tx).cases.count_open() == 0


def test_a_new_episode_after_a_closed_case_opens_another(engine: Engine, gate: Gate) -> None:
    world.take(engine, gate, consent(S1), world.trigger(S1))
    with engine.begin() as tx:
        unit = Unit.of(tx)
        case = unit.cases.open_of(S1)
        assert case
        casework.close(unit, gate, "t1", case.id, "met")
    world.take(engine, gate, world.trigger(S1, id="another"))
    with engine.begin() as tx:
        assert Unit.of(tx).cases.count_open() == 1


@pytest.mark.requirement("R1")
def test_stale_consents_lose(engine: Engine, gate: Gate) -> None:
    world.take(engine, gate, consent(S1, version=2, purposes=()), consent(S1, version=1))
    world.take(engine, gate, consent(S1, version=1))
    result = world.take(engine, gate, world.trigger(S1))
    assert dict(result.outcomes) == {("support-triggers", "not-permitted"): 1}


@pytest.mark.requirement("R1")
def test_what_was_judged_by_a_newer_consent_waits_and_holds_up_its_partition(engine: Engine, gate: Gate) -> None:
    world.take(engine, gate, consent(S1), consent(S2))
    result = world.take(engine, gate, world.trigger(S1), world.trigger(S2, consent_version=2), world.trigger(S1))
    assert result.held == {("support-triggers", 0): 1}
    assert result.outcomes["support-triggers", "opened"] == 1
    assert world.take(engine, gate, world.computed(S3)).held == {("engagement-indicators", 0): 0}


@pytest.mark.requirement("R1")
def test_a_message_is_cancelled_when_consent_has_ended_before_it_is_sent(engine: Engine, gate: Gate) -> None:
    """The grant's date has come, and nothing else has noticed yet."""
    world.take(engine, gate, consent(S1, until_ms=world.NOW_MS + DAY_MS), world.trigger(S1))
    gate.clock.advance(world.NOW_MS + DAY_MS)  # type: ignore[attr-defined]  # the test's clock can
    assert claim(engine, gate) is None
    with engine.begin() as tx:
        assert Unit.of(tx).deliveries.count("cancelled") == 1


@pytest.mark.requirement("R1")
def test_no_message_goes_out_while_the_view_of_consent_may_be_behind(engine: Engine, gate: Gate) -> None:
    world.take(engine, gate, consent(S1), world.trigger(S1))
    with pytest.raises(NotNow):
        claim(engine, later(gate, 20_000))
    assert claim(engine, gate) is not None


def test_a_claimed_message_is_nobody_elses_until_the_claim_lapses_and_comes_out_the_same(
    engine: Engine, gate: Gate
) -> None:
    world.take(engine, gate, consent(S1), world.trigger(S1))
    _, first = claim(engine, gate)
    assert claim(engine, gate) is None
    after_a_crash = later(gate, delivery.CLAIM_MS + 1)
    with engine.begin() as tx:
        Unit.of(tx).snapshots.mark_current("consent-state", range(4), after_a_crash.system.now_ms())
    claimed, second = claim(engine, after_a_crash)
    assert second.as_bytes() == first.as_bytes()
    assert claimed.attempts == 2
    with engine.begin() as tx:
        delivery.sent(Unit.of(tx), gate, claimed)
        case = Unit.of(tx).cases.open_of(S1)
        assert case
        assert case.state == "notified"
    assert claim(engine, after_a_crash) is None


def test_waits_between_attempts_grow_and_are_bounded(engine: Engine, gate: Gate) -> None:
    world.take(engine, gate, consent(S1), world.trigger(S1))
    claimed, _ = claim(engine, gate)
    with engine.begin() as tx:
        delivery.put_off(Unit.of(tx), gate, claimed)
    assert claim(engine, gate) is None
    assert claim(engine, later(gate, 1_100)) is not None


def test_a_student_who_gets_a_tutor_later_is_told_of_then(engine: Engine, gate: Gate) -> None:
    newcomer = {"id": "s9", "name": "Noor Ali", "email": "noor@students.example", "role": "student"}
    world.take(engine, gate, consent(world.student_of("s9")), world.trigger(world.student_of("s9")))
    assert claim(engine, gate) is None
    world.fill_directory(engine, gate, {"people": [newcomer], "tutoring": [{"tutor": "t2", "student": "s9"}]})
    _, message = claim(engine, gate)
    assert message["To"] == "ivo@staff.example"
    world.fill_directory(engine, gate, {"tutoring": [{"tutor": "t2", "student": "s9"}]})
    assert claim(engine, gate) is None


def test_a_tutor_who_no_longer_tutors_the_student_is_not_told(engine: Engine, gate: Gate) -> None:
    world.take(engine, gate, consent(S1), world.trigger(S1))
    world.fill_directory(engine, gate, {"tutoring": [{"tutor": "t2", "student": "s1"}]})
    assert claim(engine, gate) is None


@pytest.mark.requirement("R1")
def test_the_sweep_ends_cases_whose_consent_ended_by_date(engine: Engine, gate: Gate) -> None:
    world.take(
        engine, gate, consent(S1, until_ms=world.NOW_MS + DAY_MS), consent(S2), world.trigger(S1), world.trigger(S2)
    )
    gate.clock.advance(world.NOW_MS + DAY_MS)  # type: ignore[attr-defined]  # the test's clock can
    with engine.begin() as tx:
        unit = Unit.of(tx)
        assert end_unpermitted(unit, gate, unit.cases.all_open()) == 1
        assert [case.student for case in unit.cases.all_open()] == [S2]


def test_the_latest_indicators_of_a_batch_are_kept(engine: Engine, gate: Gate) -> None:
    world.take(engine, gate, consent(S1), world.computed(S1, days=3), world.computed(S1, days=4))
    with engine.begin() as tx:
        kept = Unit.of(tx).snapshots.indicators([S1])[S1]
    assert kept.modules[0].indicators[0].value == 4


def test_the_streams_time_never_goes_back(engine: Engine) -> None:
    with engine.begin() as tx:
        snapshots = Unit.of(tx).snapshots
        assert snapshots.stream_ms() == 0
        snapshots.advance_stream(20)
        snapshots.advance_stream(10)
        assert snapshots.stream_ms() == 20


@pytest.mark.requirement("R1")
def test_a_reason_goes_with_the_last_source_that_it_was_judged_from_and_the_case_with_its_last_reason(
    engine: Engine, gate: Gate
) -> None:
    both = ("vle", "attendance")
    absent = world.trigger(S1, sources=both)
    missed = world.trigger(S1, id="missed", rule="low-attendance", sources=("attendance",), inputs={"expected": 4})
    world.take(engine, gate, consent(S1, sources=both), absent, missed)
    assert sorted(reason.rule for reason in reasons_of(engine, S1)) == ["days-since-last-activity", "low-attendance"]
    world.take(engine, gate, consent(S1, version=2, sources=("vle",)))
    assert [reason.rule for reason in reasons_of(engine, S1)] == ["days-since-last-activity"]
    world.take(engine, gate, consent(S1, version=3, sources=("attendance",), purposes=()))
    assert reasons_of(engine, S1) == []
    with engine.begin() as tx:
        assert Unit.of(tx).cases.count_open() == 0


@pytest.mark.requirement("R1")
def test_a_reason_that_loses_a_source_holds_no_more_until_it_is_judged_anew_without_it(
    engine: Engine, gate: Gate
) -> None:
    """What it came with is forgotten; the case stays, and no second message is sent."""
    told = world.trigger(S1, sources=("library", "vle"), value=14.0, inputs={"half": 7.0})
    world.take(engine, gate, consent(S1, sources=("vle", "library")), told)
    world.take(engine, gate, consent(S1, version=2, sources=("vle",)))
    [reason] = reasons_of(engine, S1)
    assert (reason.value, reason.inputs, reason.sources, reason.ended_why) == (0, {}, ("vle",), "judged-anew")
    assert [need(view.reasons)[0] for view in cases_of(engine, gate)] == [0]
    repeated = world.take(engine, gate, told)
    assert repeated.outcomes["support-triggers", "repeated"] == 1
    anew = world.trigger(S1, sources=("vle",), value=15.0, raised_ms=told.raised_ms + DAY_MS, consent_version=2)
    assert world.take(engine, gate, anew, anew).outcomes == {
        ("support-triggers", "judged-anew"): 1,
        ("support-triggers", "repeated"): 1,
    }
    [reason] = reasons_of(engine, S1)
    assert (reason.value, reason.sources, reason.ended_why, reason.recovered_day) == (15, ("vle",), None, None)
    with engine.begin() as tx:
        assert Unit.of(tx).cases.count_open() == 1


@pytest.mark.requirement("R1")
def test_a_value_that_combines_what_is_shared_no_longer_is_not_shown_even_before_it_is_forgotten(gate: Gate) -> None:
    """As when a grant has just ended by its date; the present value is shown, if there is one."""
    reason = Reason.of(world.trigger(S1, sources=("vle", "library")))
    left = consent(S1, sources=("vle",))
    assert gate.shown(left, [reason], None) == []
    assert [shown.value for shown in gate.shown(left, [reason], world.computed(S1, 15))] == [15]
    assert len(gate.shown(consent(S1, sources=("vle", "library")), [reason], None)) == 1


def test_an_end_is_kept_with_its_reason_and_once(engine: Engine, gate: Gate) -> None:
    over = world.trigger(S1, state="recovered", why="module-over", day="2026-02-11")
    world.take(engine, gate, consent(S1), world.trigger(S1, inputs={"due": 3.0}), over, over)
    [reason] = reasons_of(engine, S1)
    assert (reason.recovered_day, reason.ended_why, reason.inputs) == ("2026-02-11", "module-over", {"due": 3.0})
    with engine.begin() as tx:
        unit = Unit.of(tx)
        [case] = unit.cases.all_open()
        assert [line.what for line in unit.cases.history(case.id)] == ["opened", "module-over"]


def reasons_of(engine: Engine, student: str) -> list[Reason]:
    with engine.begin() as tx:
        unit = Unit.of(tx)
        case = unit.cases.open_of(student)
        return unit.cases.reasons([case.id])[case.id] if case else []


def cases_of(engine: Engine, gate: Gate) -> list[CaseView]:
    with engine.begin() as tx:
        return casework.open_cases(Unit.of(tx), gate, "t1")
