"""What a student's consent permits here, in the form that the hot path asks for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from sys import intern
from typing import NamedTuple

from services.kernel.consents import COHORT_IMPROVEMENT, INDIVIDUAL_INDICATORS, TUTOR_NOTIFY, permitted_sources
from services.kernel.events import ConsentStateChanged


class Span(NamedTuple):
    """What is kept of a grant: the event times that it covers, [from, until), and the notice that was shown."""

    from_ms: int
    until_ms: int
    notice: str


Spans = Mapping[str, Span]


@dataclass(frozen=True, slots=True)
class Permission:
    """The grants of a student by source that have not expired.

    Attributes:
        version: of the consent that says so.
        indicators: may be computed from.
        tutor: may lead to a case; only sources that may also be computed from.
        cohort: may be counted for the module.
    """

    version: int
    indicators: Spans
    tutor: Spans
    cohort: Spans

    @property
    def cohort_ms(self) -> int | None:
        """From when on what is computed may also be counted for the module: 0 for all of it, None for nothing.

        A grant as old as the one for computing covers all that was computed.
        """
        ours, counted = self.indicators, self.cohort
        if not ours or ours.keys() - counted.keys():
            return None
        if counted is ours:  # as of most students
            return 0
        return max(counted[s].from_ms if counted[s].from_ms > ours[s].from_ms else 0 for s in ours)

    @property
    def expires_ms(self) -> int | None:
        """When the first of the grants ends; None where there are none."""
        spans = (*self.indicators.values(), *self.tutor.values(), *self.cohort.values())
        return min((span.until_ms for span in spans), default=None)

    def at(self, now_ms: int) -> Permission:
        """What is left of it at a later moment."""
        return _permission(self.version, *(_lasting(s, now_ms) for s in (self.indicators, self.tutor, self.cohort)))


NOTHING = Permission(0, {}, {}, {})


def permission(consent: ConsentStateChanged, now_ms: int) -> Permission:
    """What holds at `now_ms`."""
    purposes = (INDIVIDUAL_INDICATORS, TUTOR_NOTIFY, COHORT_IMPROVEMENT)
    kept: dict[Span, Span] = {}  # most grants of a student are alike
    spans: list[Spans] = []
    for purpose in purposes:
        grants = permitted_sources(consent, purpose, now_ms=now_ms)
        made = {s: Span(grant.from_ms, grant.until_ms, intern(grant.notice)) for s, grant in grants.items()}
        spans.append({intern(source): kept.setdefault(span, span) for source, span in made.items()})
    return _permission(consent.version, *spans)


def _permission(version: int, indicators: Spans, tutor: Spans, cohort: Spans) -> Permission:
    both = {source: span for source, span in tutor.items() if source in indicators}
    return Permission(
        version, indicators, indicators if both == indicators else both, indicators if cohort == indicators else cohort
    )


def _lasting(spans: Spans, now_ms: int) -> Spans:
    return {source: span for source, span in spans.items() if now_ms < span.until_ms}
