"""Notify keeps cases and who looked at them as long as the register says, on each database that it supports."""

from __future__ import annotations

from dataclasses import replace

import pytest
from msgspec import structs
from sqlalchemy import Engine, select

from services.kernel.clock import DAY_MS, SystemClock
from services.notify.adapters.tables import case_history, case_reason, delivery, support_case
from services.notify.handlers import casework, retention
from services.notify.handlers.gate import Gate
from services.notify.handlers.unit import Unit
from tests.support import notify as world
from tests.support.students import consent

S1, S2, S3 = (world.student_of(person) for person in ("s1", "s2", "s3"))


class Later:
    """A clock that is ahead of the machine's."""

    def __init__(self, ms: int) -> None:
        self._ms = ms

    def now_ms(self) -> int:
        return SystemClock().now_ms() + self._ms


@pytest.fixture
def engine(notify_engine: Engine) -> Engine:
    return notify_engine


@pytest.fixture
def gate(notify_gate: Gate) -> Gate:
    return notify_gate


@pytest.mark.requirement("R8")
def test_closed_cases_are_forgotten_after_the_days_of_the_register_and_open_ones_are_not(
    engine: Engine, gate: Gate
) -> None:
    days = gate.register.kept["closed-cases"].days
    assert days is not None
    world.take(engine, gate, *map(consent, (S1, S2, S3)), *map(world.trigger, (S1, S2, S3)))
    with engine.begin() as tx:
        unit = Unit.of(tx)
        by_student = {case.student: case.id for case in unit.cases.all_open()}
        casework.close(unit, gate, "t1", by_student[S1], "met")
    world.take(engine, gate, consent(S2, version=2, purposes=()))
    for age_days, left in ((days, set(by_student.values())), (days + 1, {by_student[S3]})):
        gate.clock.advance(world.NOW_MS + age_days * DAY_MS)  # type: ignore[attr-defined]  # the test's clock can
        with engine.begin() as tx:
            retention.forget_old(Unit.of(tx), gate)
            assert set(tx.execute(select(support_case.c.id)).scalars()) == left
            for table in (case_reason, case_history, delivery):
                assert set(tx.execute(select(table.c.case_id)).scalars()) <= left


@pytest.mark.requirement("R8")
def test_looks_are_forgotten_after_the_days_of_the_register(engine: Engine, gate: Gate) -> None:
    days = gate.register.kept["access-log"].days
    assert days is not None
    with engine.begin() as tx:
        Unit.of(tx).access.add("t1", [(S1, "case")], "case", "tutor-notify", gate.system.now_ms())
    for age_days, left in ((days - 1, 1), (days + 1, 0)):
        with engine.begin() as tx:
            retention.forget_old(Unit.of(tx), replace(gate, system=Later(age_days * DAY_MS)))
            assert len(Unit.of(tx).access.of(S1)) == left


@pytest.mark.requirement("R8")
def test_what_the_register_sets_no_days_for_is_kept(engine: Engine, gate: Gate) -> None:
    world.take(engine, gate, consent(S1), world.trigger(S1))
    with engine.begin() as tx:
        unit = Unit.of(tx)
        casework.close(unit, gate, "t1", unit.cases.all_open()[0].id, "met")
    gate.clock.advance(world.NOW_MS + 10_000 * DAY_MS)  # type: ignore[attr-defined]  # the test's clock can
    silent = replace(gate, register=structs.replace(gate.register, retention=()), system=Later(10_000 * DAY_MS))
    with engine.begin() as tx:
        assert retention.forget_old(Unit.of(tx), silent) == (0, 0, 0)
