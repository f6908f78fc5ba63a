"""What is said to the outside: a student's indicator record, and the trigger of an episode."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from services.indicators.domain.engagement import FORMULAS, Activity, activity, weekly_active_days
from services.indicators.domain.one_by_one import Change, Situation, judge, level
from services.indicators.domain.permission import Permission
from services.indicators.domain.window import ModuleWindows, StudentState
from services.kernel.clock import day_number, iso_day
from services.kernel.events import (
    Enrolment,
    Grant,
    Indicator,
    IndicatorsComputed,
    ModuleIndicators,
    SupportTriggered,
)
from services.kernel.register import Register


@dataclass(frozen=True, slots=True)
class Subject:
    """All that is known of a student at a moment."""

    student: str
    permitted: Permission
    enrolments: tuple[Enrolment, ...]
    state: StudentState


class Publisher:
    """Judges and describes subjects by one register, in one institution's local days."""

    def __init__(self, register: Register, day_of: Callable[[int], int]) -> None:
        self._register, self._day_of = register, day_of

    def indicators(self, subject: Subject, as_of_ms: int) -> IndicatorsComputed | None:
        """The record to publish; None where nothing may or can be said."""
        today, grants = self._day_of(as_of_ms), subject.permitted.indicators
        modules = tuple(
            self._module(enrolment, what, today) for enrolment, what in self._running(subject, grants, today)
        )
        if not modules:
            return None
        return IndicatorsComputed(
            student=subject.student,
            as_of_ms=as_of_ms,
            day=iso_day(today),
            consent_version=subject.permitted.version,
            register_version=self._register.version,
            sources=tuple(sorted(grants)),
            modules=modules,
        )

    def judge(self, subject: Subject, at_ms: int) -> list[SupportTriggered]:
        """Judge every rule at a tick; opens and ends the subject's episodes in its state."""
        today, grants, triggers = self._day_of(at_ms), subject.permitted.tutor, []
        for enrolment, what in self._running(subject, grants, today):
            windows = subject.state.modules.get(enrolment.module) or ModuleWindows()
            changes = judge(self._register, Situation(subject.student, enrolment, what, today), windows)
            if changes:
                subject.state.modules[enrolment.module] = windows
                triggers += [self._trigger(subject, enrolment.module, change, at_ms) for change in changes]
        return triggers

    def _running(
        self, subject: Subject, grants: Mapping[str, Grant], today: int
    ) -> Iterator[tuple[Enrolment, Activity]]:
        """The modules that run for the student today and could have been seen, with the activity on them."""
        if not grants:
            return
        first_granted = self._day_of(min(grant.from_ms for grant in grants.values()))
        for enrolment in subject.enrolments:
            since = max(day_number(enrolment.start_day), first_granted)
            left = enrolment.left_day is not None and day_number(enrolment.left_day) <= today
            if since <= today <= day_number(enrolment.end_day) and not left:
                yield enrolment, activity(subject.state.modules.get(enrolment.module), grants, since)

    def _module(self, enrolment: Enrolment, what: Activity, today: int) -> ModuleIndicators:
        return ModuleIndicators(
            module=enrolment.module,
            since_day=iso_day(what.since_day),
            last_active_day=None if what.last_day is None else iso_day(what.last_day),
            indicators=tuple(self._figures(what, today, part_time=enrolment.part_time)),
            weekly_active_days=weekly_active_days(what, today),
        )

    def _figures(self, what: Activity, today: int, *, part_time: bool) -> Iterator[Indicator]:
        for entry in (e for e in self._register.indicators if e.name in FORMULAS):
            value = FORMULAS[entry.name](what, today)
            reached, limit = level(entry, value, part_time=part_time)
            yield Indicator(name=entry.name, value=value, window_days=entry.window_days, level=reached, threshold=limit)

    def _trigger(self, subject: Subject, module: str, change: Change, at_ms: int) -> SupportTriggered:
        return SupportTriggered(
            id=change.episode.id,
            student=subject.student,
            module=module,
            rule=change.rule,
            state=change.state,
            value=change.value,
            threshold=change.threshold,
            episode_day=iso_day(change.episode.episode_day),
            day=iso_day(self._day_of(at_ms)),
            raised_ms=at_ms,
            consent_version=subject.permitted.version,
            notice=next(iter(subject.permitted.tutor.values())).notice,
            register_version=self._register.version,
        )
