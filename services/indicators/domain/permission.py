"""What a student's consent permits here, in the form that the hot path asks for."""

from __future__ import annotations

from dataclasses import dataclass

from services.indicators.domain.window import StudentState, drop_source
from services.kernel.consents import COHORT_IMPROVEMENT, INDIVIDUAL_INDICATORS, TUTOR_NOTIFY, permitted_sources
from services.kernel.events import ConsentStateChanged, Grant


@dataclass(frozen=True, slots=True)
class Permission:
    """The grants of a student by source, for computing and for telling the tutor.

    Attributes:
        version: of the consent that says so.
        indicators: may be computed from; expired ones are left out.
        tutor: may lead to a case; only sources that may also be computed from.
        cohort_ms: from when on what is computed may also be counted for the module: 0 for all of it, None for nothing.
        expires_ms: when the first of them ends; None where there are none.
    """

    version: int
    indicators: dict[str, Grant]
    tutor: dict[str, Grant]
    cohort_ms: int | None
    expires_ms: int | None


def permission(consent: ConsentStateChanged, now_ms: int) -> Permission:
    """What holds at `now_ms`."""
    indicators = permitted_sources(consent, INDIVIDUAL_INDICATORS, now_ms=now_ms)
    tutor = permitted_sources(consent, TUTOR_NOTIFY, now_ms=now_ms)
    both = {source: grant for source, grant in tutor.items() if source in indicators}
    cohort = permitted_sources(consent, COHORT_IMPROVEMENT, now_ms=now_ms)
    ends = [grant.until_ms for grant in (*indicators.values(), *both.values(), *cohort.values())]
    return Permission(consent.version, indicators, both, _countable(indicators, cohort), min(ends, default=None))


def _countable(indicators: dict[str, Grant], cohort: dict[str, Grant]) -> int | None:
    """From when on all that is computed from may be counted too; a grant as old as the other's covers all of it."""
    if not indicators or indicators.keys() - cohort.keys():
        return None
    return max(cohort[s].from_ms if cohort[s].from_ms > grant.from_ms else 0 for s, grant in indicators.items())


def enforce(state: StudentState, permitted: Permission) -> bool:
    """Drop what is no longer permitted; gives whether anything was.

    A grant that begins later than the one that the data was counted under is a new one: it starts from nothing.
    """
    dropped = False
    for source, counted_from_ms in list(state.granted.items()):
        grant = permitted.indicators.get(source)
        if grant is None or grant.from_ms > counted_from_ms:
            drop_source(state, source)
            dropped = True
    if not permitted.tutor:
        for module in state.modules.values():
            dropped = dropped or bool(module.episodes)
            module.episodes.clear()
    return dropped
