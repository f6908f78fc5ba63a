"""What the door decides: the latest time it believes, and what consent lets through."""

from __future__ import annotations

from typing import Any

import pytest

from services.ingest.domain import Claim, Secrets, latest_allowed_ms, recorded
from services.kernel.clock import DAY_MS
from services.kernel.consents import INDIVIDUAL_INDICATORS, TUTOR_NOTIFY
from services.kernel.events import ActivityRecorded, ConsentStateChanged
from tests.support.students import consent, student_of

STUDENT = student_of("31000001")
AT_MS = 1_768_904_100_000
CONSENT = consent(STUDENT, version=7, from_ms=AT_MS - DAY_MS, until_ms=AT_MS + DAY_MS)


def judged(state: ConsentStateChanged | None, at_ms: int = AT_MS, now_ms: int = AT_MS, **changes: Any) -> Any:
    """What becomes of a claim."""
    claim = Claim("1", "31000001", "HIST101", "forum", at_ms, 3)
    facts: dict[str, Any] = {
        "event_id": "e1",
        "student": STUDENT,
        "source": "vle",
        "qualifying": True,
        "received_ms": AT_MS + 1,
    }
    return recorded(claim, consent=state, now_ms=now_ms, **(facts | changes))


def test_the_event_says_by_which_consent_it_passed() -> None:
    assert judged(CONSENT) == ActivityRecorded(
        id="e1",
        student=STUDENT,
        source="vle",
        module="HIST101",
        activity="forum",
        qualifying=True,
        occurred_ms=AT_MS,
        received_ms=AT_MS + 1,
        consent_version=7,
        weight=3,
    )


@pytest.mark.requirement("R1")
@pytest.mark.parametrize(
    ("state", "at_ms", "now_ms", "source"),
    [
        (None, AT_MS, AT_MS, "vle"),
        (consent(STUDENT, purposes=()), AT_MS, AT_MS, "vle"),
        (consent(STUDENT, purposes=(TUTOR_NOTIFY,)), AT_MS, AT_MS, "vle"),
        (CONSENT, AT_MS, AT_MS, "library"),
        (CONSENT, AT_MS - DAY_MS - 1, AT_MS, "vle"),
        (CONSENT, AT_MS + DAY_MS, AT_MS, "vle"),
        (CONSENT, AT_MS, AT_MS + DAY_MS, "vle"),
    ],
)
def test_without_a_grant_for_purpose_source_time_and_now_nothing_passes(
    state: ConsentStateChanged | None, at_ms: int, now_ms: int, source: str
) -> None:
    assert judged(state, at_ms, now_ms, source=source) is None


@pytest.mark.requirement("R1")
def test_a_grant_counts_for_its_own_source_only() -> None:
    state = consent(STUDENT, purposes=(INDIVIDUAL_INDICATORS,), sources=("library",))
    assert judged(state, source="library") is not None
    assert judged(state, source="vle") is None


def test_live_a_day_ahead_is_believed_and_in_a_replay_two_beyond_the_last_tick() -> None:
    assert latest_allowed_ms("live", AT_MS) == AT_MS + DAY_MS
    assert latest_allowed_ms("replay", AT_MS) == AT_MS + 2 * DAY_MS
    assert latest_allowed_ms("replay", 0) is None


def test_event_ids_are_stable_and_need_the_secret() -> None:
    secrets = Secrets("one")
    assert secrets.event_id("vle", "a", 1) == Secrets("one").event_id("vle", "a", 1)
    others = {Secrets("two").event_id("vle", "a", 1), secrets.event_id("vle", "a", "1"), secrets.event_id("vlea", 1)}
    assert len(others | {secrets.event_id("vle", "a", 1)}) == 4
