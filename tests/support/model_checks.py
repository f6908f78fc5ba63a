"""What a partition has made durable, compared with what the oracle says may and must stand."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TypeVar

import msgspec

from services.indicators.domain.activity.state import StudentState, decode_state
from services.indicators.handlers import Partition
from services.indicators.ports import Position
from services.kernel.clock import day_number, iso_day
from services.kernel.events import (
    CohortClosed,
    CohortCounted,
    IndicatorsComputed,
    ModuleIndicators,
    SupportTriggered,
)
from tests.support.model_oracle import INDIVIDUAL, MARKS, TUTOR, Day, Oracle, Sums

LOOK_BACK_DAYS = 28  # of the figures compared here; older days may be forgotten, but not made up
Key = TypeVar("Key", str, bytes)
read_indicators = msgspec.json.Decoder(IndicatorsComputed).decode


@dataclass(slots=True)
class Durable:
    """What Kafka would hold after the flushes: last values by student, and the triggers of the last flush."""

    states: dict[str, bytes] = field(default_factory=dict)
    indicators: dict[str, bytes] = field(default_factory=dict)
    cohorts: dict[bytes, bytes] = field(default_factory=dict)
    norms: list[CohortCounted | CohortClosed] = field(default_factory=list)
    position: Position = field(default_factory=Position)
    triggers: list[SupportTriggered] = field(default_factory=list)

    def flush(self, partition: Partition, offset: int = 0) -> None:
        """What a shard does, in one transaction."""
        changes = partition.changes()
        _take(self.states, changes.states)
        _take(self.indicators, changes.indicators)
        _take(self.cohorts, changes.cohorts)
        self.norms += changes.norms
        self.position = partition.position(offset)
        self.triggers = list(changes.triggers)
        partition.flushed()

    @property
    def kept(self) -> dict[bytes, bytes]:
        """What a restart reads."""
        return {student.encode(): value for student, value in self.states.items()} | self.cohorts

    def check(self, oracle: Oracle) -> None:
        """Compare.

        Raises:
            AssertionError: something stands that may not, or something is missing that must stand.
        """
        assert not (self.states.keys() | self.indicators.keys()) - oracle.students.keys()
        for student in oracle.students:
            self._check_state(oracle, student)
            self._check_published(oracle, student)
        self._check_triggers(oracle)

    def _check_state(self, oracle: Oracle, student: str) -> None:
        if not oracle.permitted(student, INDIVIDUAL):
            assert student not in self.states, "a state outlived its consent"
            return
        state = decode_state(self.states[student]) if student in self.states else StudentState()
        for held, allowed in (
            (activity_in(state), oracle.sums(student)),
            (marks_in(state), oracle.marks(student)),
        ):
            assert held.items() <= allowed.items(), "a state holds what may not count"
            recent = {key: weight for key, weight in allowed.items() if key[2] > oracle.today - LOOK_BACK_DAYS}
            assert recent.items() <= held.items(), "a state has lost what was permitted"
        assert handed_in(state) == oracle.handed(student), "hand-ins are not those that count"

    def _check_published(self, oracle: Oracle, student: str) -> None:
        expected = [
            module_figures(oracle, *running, module=running[0].module)
            for running in sorted(oracle.running(student, INDIVIDUAL), key=lambda running: running[0].module)
        ]
        value = self.indicators.get(student)
        if not expected or not oracle.clock_ms:
            assert value is None, "figures are published that may not be"
            return
        if oracle.memory.waiting:
            return  # the day's figures come after the comparison
        assert value is not None, "figures are missing"
        said, latest = read_indicators(value), oracle.latest(student)
        assert latest is not None
        assert said.consent_version == latest.version
        assert said.sources == tuple(sorted(oracle.permitted(student, INDIVIDUAL)))
        assert said.day == iso_day(oracle.today)
        assert [published_figures(module) for module in said.modules] == expected

    def _check_triggers(self, oracle: Oracle) -> None:
        said = [(t.student, t.module, t.state, day_number(t.episode_day), t.sources) for t in self.triggers]
        assert sorted(said) == sorted(oracle.said), "triggers are missing, or there are some that may not be"
        for trigger in self.triggers:
            latest, permitted = oracle.latest(trigger.student), oracle.permitted(trigger.student, TUTOR)
            assert latest is not None
            assert set(trigger.sources) <= permitted.keys()
            assert trigger.notice in {grant.notice for grant in permitted.values()}


def _take(held: dict[Key, bytes], changed: Mapping[Key, bytes | None]) -> None:
    for key, value in changed.items():
        if value is None:
            held.pop(key, None)
        else:
            held[key] = value


def activity_in(state: StudentState) -> Sums:
    """The days of activity that a state holds."""
    return {
        (row.module, row.source, day): weight
        for row in state.windows
        for day, weight, _ in zip(*(column.tolist() for column in row.days.columns()), strict=True)
    }


def marks_in(state: StudentState) -> Sums:
    """The marks of attendance that a state holds."""
    return {
        (row.module, kind, day): number
        for row in state.marks
        for day, *numbers in zip(*(column.tolist() for column in row.days.columns()), strict=True)
        for kind, number in zip(MARKS, numbers, strict=True)
        if number
    }


def handed_in(state: StudentState) -> dict[tuple[str, str], int]:
    """The pieces of work of which a state says that they were handed in."""
    return {(module, name): at_ms for module, handed in state.handed.items() for name, at_ms in handed.items()}


def module_figures(
    oracle: Oracle, _enrolment: object, since: Day, days: dict[Day, int], *, module: str
) -> dict[str, object]:
    """The figures of one module as they must be published."""
    today, last = oracle.today, max(days, default=None)

    def within(window: int) -> list[int]:
        return [weight for day, weight in days.items() if today - window < day <= today]

    return {
        "module": module,
        "since": iso_day(since),
        "last": None if last is None else iso_day(last),
        "days-since-last-activity": max(0, today - max((since, *days))),
        "active-days-7": len(within(7)),
        "active-days-14": len(within(14)),
        "active-days-28": len(within(28)),
        "volume-7": sum(within(7)),
        "volume-28": sum(within(28)),
    }


COMPARED = ("days-since-last-activity", "active-days-7", "active-days-14", "active-days-28", "volume-7", "volume-28")


def published_figures(said: ModuleIndicators) -> dict[str, object]:
    """The same of a published record."""
    values = {i.name: i.value for i in said.indicators if i.name in COMPARED}
    return {"module": said.module, "since": said.since_day, "last": said.last_active_day, **values}
