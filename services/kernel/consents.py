"""Whether a student's consent permits something: the one rule that all three gates apply.

Only a grant that is listed now, covers the event's time and has not expired permits (R1). Everything else denies:
unknown, refused, withdrawn, expired and invalidated look the same here, as they must.
"""

from __future__ import annotations

from services.kernel.events import ConsentStateChanged, Grant

INDIVIDUAL_INDICATORS = "individual-indicators"
TUTOR_NOTIFY = "tutor-notify"
COHORT_IMPROVEMENT = "cohort-improvement"


def permitting(
    consent: ConsentStateChanged | None, purpose: str, source: str, *, at_ms: int, now_ms: int
) -> Grant | None:
    """The grant that permits using an event of `source` at `at_ms` for `purpose` at the moment `now_ms`, if any."""
    for grant in consent.grants if consent else ():
        if grant.purpose == purpose and grant.source == source:
            return grant if covers(grant, at_ms=at_ms, now_ms=now_ms) else None
    return None


def covers(grant: Grant, *, at_ms: int, now_ms: int) -> bool:
    """Whether a listed grant covers an event at `at_ms` and has not expired at `now_ms`."""
    return grant.from_ms <= at_ms < grant.until_ms and now_ms < grant.until_ms


def permitted_sources(consent: ConsentStateChanged | None, purpose: str, *, now_ms: int) -> dict[str, Grant]:
    """The grants for a purpose that have not expired at `now_ms`, by source."""
    grants = consent.grants if consent else ()
    return {g.source: g for g in grants if g.purpose == purpose and now_ms < g.until_ms}
