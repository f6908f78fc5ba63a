"""What is said to the outside: a student's indicator record, and the trigger of an episode."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from math import isnan
from typing import Any

import numpy as np

from services.indicators.domain.calendar import FEED_STALE, HELD
from services.indicators.domain.formulas import weekly_active_days
from services.indicators.domain.permission import Permission
from services.indicators.domain.places import NEVER, Bools, Figure, Floats, Ints
from services.indicators.domain.rules import LEVELS, Change, Situation, episode_id
from services.kernel.clock import iso_day
from services.kernel.events import Indicator, IndicatorsComputed, ModuleIndicators, SupportTriggered
from services.kernel.register import IndicatorEntry, Register

NO_SOURCE = "no-source"
_iso = lru_cache(maxsize=1 << 12)(iso_day)


@dataclass(frozen=True, slots=True)
class Subject:
    """Whom a trigger is about, and when."""

    student: str
    module: str
    permitted: Permission
    register: Register
    at_ms: int
    today: int


def triggered(change: Change, subject: Subject) -> SupportTriggered:
    """The trigger that says what changed."""
    register, tutor = subject.register, subject.permitted.tutor
    rule = register.rule.get(change.rule)
    reads = register.indicator[rule.indicator].sources if rule else ()
    return SupportTriggered(
        id=episode_id(subject.student, subject.module, change.rule, change.episode_day),
        student=subject.student,
        module=subject.module,
        rule=change.rule,
        state=change.state,
        value=change.value,
        threshold=change.threshold,
        episode_day=iso_day(change.episode_day),
        day=iso_day(subject.today),
        raised_ms=subject.at_ms,
        consent_version=subject.permitted.version,
        notice=tutor[min(tutor)].notice,
        register_version=register.version,
        sources=tuple(sorted(source for source in reads if source in tutor)),
        inputs={name: value for name, value in change.inputs.items() if value == value},  # noqa: PLR0124 - NaN is none
        why=change.why,
    )


class Publication:
    """Describes places by one register.

    Args:
        register: of the indicators.
        cohort_day: gives the day of a module's norms.
    """

    def __init__(self, register: Register, cohort_day: Callable[[str], int | None]) -> None:
        self._register, self._cohort_day = register, cohort_day
        self._sources = tuple(register.source)
        self._reads: dict[bytes, tuple[tuple[str, ...], ...]] = {}

    def modules(
        self, situation: Situation, figures: Mapping[str, Figure], levels: tuple[Ints, Floats]
    ) -> list[ModuleIndicators]:
        """What is said of each place.

        Args:
            situation: of n places.
            figures: by name, all of the register.
            levels: [n, i] each; levels and the thresholds that they compare with, in the register's order.
        """
        places, today = situation.places, situation.places.today
        columns = [
            _Column(entry, figures[entry.name], levels[0][:, number], levels[1][:, number])
            for number, entry in enumerate(self._register.indicators)
        ]
        weeks = weekly_active_days(places).tolist()
        last_days, since_days = places.last_day.tolist(), places.since_day.tolist()
        held = self._held(situation)
        reads = [self._readable(permitted) for permitted in situation.permitted]
        said = []
        for row, module in enumerate(situation.module.tolist()):
            name = situation.modules[module]
            indicators, unsaid = _told(columns, row, reads[row])
            cohort_day = self._cohort_day(name)
            said.append(
                ModuleIndicators(
                    module=name,
                    since_day=_iso(min(since_days[row], today)),
                    last_active_day=None if last_days[row] == NEVER else _iso(last_days[row]),
                    indicators=indicators,
                    weekly_active_days=tuple(weeks[row]),
                    unsaid=unsaid,
                    held=held[row],
                    cohort_day=None if cohort_day is None else _iso(cohort_day),
                )
            )
        return said

    def record(
        self, student: str, permitted: Permission, as_of_ms: int, today: int, modules: Sequence[ModuleIndicators]
    ) -> IndicatorsComputed:
        """The record of a student of whose modules this is said."""
        return IndicatorsComputed(
            student=student,
            as_of_ms=as_of_ms,
            day=_iso(today),
            consent_version=permitted.version,
            register_version=self._register.version,
            sources=tuple(sorted(permitted.indicators)),
            modules=tuple(modules),
        )

    def _held(self, situation: Situation) -> list[str | None]:
        stale: list[bool] = np.any(situation.permitted & situation.stale, axis=1).tolist()
        return [
            HELD[code] or (FEED_STALE if silent else None)
            for code, silent in zip(situation.held.tolist(), stale, strict=True)
        ]

    def _readable(self, permitted: Bools) -> tuple[tuple[str, ...], ...]:
        """For each indicator, the permitted sources that it reads; most students permit alike."""
        key = permitted.tobytes()
        reads = self._reads.get(key)
        if reads is None:
            names = {name for name, yes in zip(self._sources, permitted.tolist(), strict=True) if yes}
            reads = self._reads[key] = tuple(
                tuple(source for source in sorted(entry.sources) if source in names)
                for entry in self._register.indicators
            )
        return reads


class _Column:
    """One indicator of n places, as plain lists."""

    def __init__(self, entry: IndicatorEntry, figure: Figure, levels: Ints, thresholds: Floats) -> None:
        self.entry, self.figure = entry, figure
        self.values, self.said = figure.values.tolist(), figure.said.tolist()
        self.levels: list[Any] = [LEVELS[level] for level in levels.tolist()]
        self.thresholds: list[Any] = [None if limit != limit else limit for limit in thresholds.tolist()]  # noqa: PLR0124 - NaN is none
        inputs = {name: np.asarray(values, np.float64) for name, values in figure.inputs.items()}
        rows = zip(*(values.tolist() for values in inputs.values()), strict=True)
        self.inputs = [dict(zip(inputs, row, strict=True)) for row in rows]
        if any(np.isnan(values).any() for values in inputs.values()):  # JSON has no word for it
            self.inputs = [{name: value for name, value in row.items() if not isnan(value)} for row in self.inputs]


def _told(
    columns: Sequence[_Column], row: int, reads: Sequence[tuple[str, ...]]
) -> tuple[tuple[Indicator, ...], dict[str, str]]:
    told, unsaid = [], {}
    for column, sources in zip(columns, reads, strict=True):
        if not sources:
            unsaid[column.entry.name] = NO_SOURCE
        elif not column.said[row]:
            unsaid[column.entry.name] = column.figure.reason(row)
        else:
            told.append(
                Indicator(
                    name=column.entry.name,
                    value=column.values[row],
                    window_days=column.entry.window_days,
                    level=column.levels[row],
                    threshold=column.thresholds[row],
                    inputs=column.inputs[row] if column.inputs else {},
                    sources=sources,
                )
            )
    return tuple(told), unsaid
