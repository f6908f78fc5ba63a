"""The one rule of consent: only a listed grant that covers the event and still runs permits; all else denies."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.kernel.consents import INDIVIDUAL_INDICATORS, TUTOR_NOTIFY, covers, permitted_sources, permitting
from services.kernel.events import ConsentStateChanged, Grant

pytestmark = pytest.mark.requirement("R1")

STUDENT = "a" * 64
FROM_MS, UNTIL_MS = 1_000, 2_000
MOMENTS = st.integers(0, 30)


def grant(
    purpose: str = INDIVIDUAL_INDICATORS, source: str = "vle", from_ms: int = FROM_MS, until_ms: int = UNTIL_MS
) -> Grant:
    """A grant, of the figures from the VLE where nothing else is said."""
    return Grant(purpose=purpose, source=source, from_ms=from_ms, until_ms=until_ms, notice="2026-1")


def consent(*grants: Grant) -> ConsentStateChanged:
    """A student's consent state with these grants."""
    return ConsentStateChanged(student=STUDENT, version=1, changed_ms=FROM_MS, grants=grants)


def permits(state: ConsentStateChanged | None, at_ms: int = 1_500, now_ms: int = 1_600) -> bool:
    """Whether the state permits an event of the VLE to be counted."""
    return permitting(state, INDIVIDUAL_INDICATORS, "vle", at_ms=at_ms, now_ms=now_ms) is not None


def test_a_grant_that_covers_the_event_and_still_runs_permits() -> None:
    other, wanted = grant(TUTOR_NOTIFY), grant()
    found = permitting(consent(other, wanted), INDIVIDUAL_INDICATORS, "vle", at_ms=1_500, now_ms=1_600)
    assert found is wanted


@pytest.mark.parametrize(
    "state",
    [
        pytest.param(None, id="nothing is known of the student"),
        pytest.param(consent(), id="refused, withdrawn or never asked: nothing is listed"),
        pytest.param(consent(grant(TUTOR_NOTIFY)), id="granted for another purpose only"),
        pytest.param(consent(grant(source="library")), id="granted for another source only"),
        pytest.param(consent(grant(TUTOR_NOTIFY), grant(source="library")), id="purpose and source, but not together"),
        pytest.param(consent(grant(from_ms=1_501)), id="the event came before the grant"),
        pytest.param(consent(grant(until_ms=1_400)), id="the event came after the grant"),
        pytest.param(consent(grant(until_ms=1_550)), id="the grant covered the event and has expired"),
        pytest.param(consent(grant(from_ms=1_500, until_ms=1_500)), id="the grant's span is empty"),
    ],
)
def test_whatever_else_denies(state: ConsentStateChanged | None) -> None:
    assert not permits(state)


@pytest.mark.parametrize(
    ("at_ms", "now_ms", "expected"),
    [
        (FROM_MS - 1, FROM_MS, False),
        (FROM_MS, FROM_MS, True),
        (UNTIL_MS - 1, UNTIL_MS - 1, True),
        (UNTIL_MS, UNTIL_MS - 1, False),
        (FROM_MS, UNTIL_MS - 1, True),
        (FROM_MS, UNTIL_MS, False),
        (UNTIL_MS - 1, FROM_MS, True),  # the event is ahead of the clock
    ],
)
def test_a_span_holds_its_first_moment_and_not_its_end(at_ms: int, now_ms: int, expected: bool) -> None:  # noqa: FBT001 - a table's column
    assert covers(grant(), at_ms=at_ms, now_ms=now_ms) is expected
    assert permits(consent(grant()), at_ms, now_ms) is expected


@given(from_ms=MOMENTS, until_ms=MOMENTS, at_ms=MOMENTS, now_ms=MOMENTS, later_ms=MOMENTS)
def test_what_has_expired_never_permits_again(
    from_ms: int, until_ms: int, at_ms: int, now_ms: int, later_ms: int
) -> None:
    state = consent(grant(from_ms=from_ms, until_ms=until_ms))
    assert permits(state, at_ms, now_ms) == (at_ms in range(from_ms, until_ms) and now_ms < until_ms)
    if permits(state, at_ms, now_ms + later_ms):
        assert permits(state, at_ms, now_ms)


GRANTS = st.lists(
    st.builds(grant, st.sampled_from("pq"), st.sampled_from("st"), MOMENTS, MOMENTS),
    unique_by=lambda g: (g.purpose, g.source),
)


@given(grants=GRANTS, purpose=st.sampled_from("pq"), source=st.sampled_from("st"), at_ms=MOMENTS, now_ms=MOMENTS)
def test_each_grant_speaks_for_itself_alone(
    grants: list[Grant], purpose: str, source: str, at_ms: int, now_ms: int
) -> None:
    expected = [g for g in grants if (g.purpose, g.source) == (purpose, source)]
    expected = [g for g in expected if covers(g, at_ms=at_ms, now_ms=now_ms)]
    assert permitting(consent(*grants), purpose, source, at_ms=at_ms, now_ms=now_ms) == next(iter(expected), None)
    assert permitting(consent(), purpose, source, at_ms=at_ms, now_ms=now_ms) is None


@given(grants=GRANTS, purpose=st.sampled_from("pq"), source=st.sampled_from("st"), at_ms=MOMENTS, now_ms=MOMENTS)
def test_a_source_that_is_not_permitted_now_permits_no_event(
    grants: list[Grant], purpose: str, source: str, at_ms: int, now_ms: int
) -> None:
    sources = permitted_sources(consent(*grants), purpose, now_ms=now_ms)
    permitted = permitting(consent(*grants), purpose, source, at_ms=at_ms, now_ms=now_ms)
    if permitted:
        assert sources[source] == permitted
    if source not in sources:
        assert permitted is None


def test_permitted_sources_are_those_that_run_now_for_the_purpose() -> None:
    runs, ended, other = grant(), grant(source="library", until_ms=1_600), grant(TUTOR_NOTIFY, "attendance")
    assert permitted_sources(consent(runs, ended, other), INDIVIDUAL_INDICATORS, now_ms=1_600) == {"vle": runs}
    assert permitted_sources(None, INDIVIDUAL_INDICATORS, now_ms=1_600) == {}
