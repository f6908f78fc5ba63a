"""The rules of a case."""

from __future__ import annotations

import dataclasses

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import structs

from services.kernel.consents import INDIVIDUAL_INDICATORS, TUTOR_NOTIFY
from services.kernel.events import ConsentStateChanged, Grant
from services.notify import domain
from services.notify.domain import Case, NotPossible, Reason

STUDENT = "ab" * 32
OPEN = Case("c", STUDENT, "opened", 1)


def consent(*grants: tuple[str, str], from_ms: int = 0, until_ms: int = 100, version: int = 1) -> ConsentStateChanged:
    listed = tuple(
        Grant(purpose=purpose, source=source, from_ms=from_ms, until_ms=until_ms, notice="n")
        for purpose, source in grants
    )
    return ConsentStateChanged(student=STUDENT, version=version, changed_ms=0, grants=listed)


def both(source: str) -> tuple[tuple[str, str], tuple[str, str]]:
    return (INDIVIDUAL_INDICATORS, source), (TUTOR_NOTIFY, source)


def reason(value: float = 14, recovered_day: str | None = None, trigger_id: str = "t") -> Reason:
    return Reason(trigger_id, "M", "rule", value, 14, "2026-01-01", "2026-01-15", 1, recovered_day)


def test_a_case_goes_from_opened_to_closed() -> None:
    case = OPEN.notified().acknowledge().close("met")
    assert (case.state, case.outcome) == ("closed", "met")


def test_a_message_that_arrives_late_does_not_take_a_case_back() -> None:
    assert OPEN.acknowledge().notified().state == "acknowledged"


def test_no_step_is_taken_twice() -> None:
    with pytest.raises(NotPossible, match="already acknowledged"):
        OPEN.acknowledge().acknowledge()
    closed = OPEN.close("referred")
    for step in (closed.acknowledge, lambda: closed.close("met")):
        with pytest.raises(NotPossible, match="already closed"):
            step()


def test_a_case_is_closed_with_a_coded_outcome_only() -> None:
    for outcome in ("", "because", domain.WITHDRAWN):
        with pytest.raises(NotPossible, match="Choose one of the outcomes"):
            OPEN.close(outcome)


@pytest.mark.requirement("R1")
def test_a_withdrawal_ends_a_case_in_any_state() -> None:
    for case in (OPEN, OPEN.notified(), OPEN.acknowledge(), OPEN.close("met")):
        assert (case.withdraw().state, case.withdraw().outcome) == ("closed", "withdrawn")


@pytest.mark.requirement("R1")
@pytest.mark.parametrize(
    "known",
    [
        None,
        consent(),
        consent((TUTOR_NOTIFY, "vle")),
        consent((INDIVIDUAL_INDICATORS, "vle")),
        consent((INDIVIDUAL_INDICATORS, "vle"), (TUTOR_NOTIFY, "library")),
        consent(*both("attendance")),
        consent(*both("vle"), from_ms=11),
        consent(*both("vle"), until_ms=20),
    ],
    ids=["unknown", "nothing", "not-computed", "not-told", "different", "other-source", "later", "expired"],
)
def test_whatever_is_not_granted_for_both_purposes_is_not_shared(known: ConsentStateChanged | None) -> None:
    assert not domain.shared(known, ["vle", "library"], at_ms=10, now_ms=20)


@pytest.mark.requirement("R1")
def test_figures_are_shown_only_where_each_source_in_them_is_shared() -> None:
    known = consent(*both("vle"), (INDIVIDUAL_INDICATORS, "library"))
    assert domain.shared(known, ["vle", "library"], at_ms=10, now_ms=20) == {"vle"}
    assert domain.may_show(known, ["vle"], at_ms=10, now_ms=20)
    assert not domain.may_show(known, ["vle", "library"], at_ms=10, now_ms=20)
    assert not domain.may_show(known, [], at_ms=10, now_ms=20)


@pytest.mark.requirement("R1")
def test_figures_are_shown_only_where_the_tutor_may_know_all_that_they_rest_on() -> None:
    """They tell of what came before the tutor's grant, where computing was permitted earlier."""
    earlier, later = consent((INDIVIDUAL_INDICATORS, "vle")), consent((TUTOR_NOTIFY, "vle"), from_ms=5)
    known = structs.replace(earlier, grants=earlier.grants + later.grants)
    assert domain.shared(known, ["vle"], at_ms=10, now_ms=20) == {"vle"}
    assert not domain.may_show(known, ["vle"], at_ms=10, now_ms=20)


@pytest.mark.requirement("R1")
def test_figures_are_kept_only_where_each_source_in_them_is_permitted() -> None:
    known = consent((INDIVIDUAL_INDICATORS, "vle"))
    assert domain.may_keep(known, ["vle"], at_ms=10, now_ms=20)
    assert not domain.may_keep(known, ["vle", "library"], at_ms=10, now_ms=20)
    assert not domain.may_keep(known, [], at_ms=10, now_ms=20)
    assert not domain.may_keep(None, ["vle"], at_ms=10, now_ms=20)


@given(st.lists(st.integers(1, 20), min_size=1))
def test_in_whatever_order_snapshots_come_the_newest_stays(versions: list[int]) -> None:
    known = None
    for version in versions:
        snapshot = consent(version=version)
        known = snapshot if domain.is_newer(snapshot, known) else known
    assert known is not None
    assert known.version == max(versions)


def test_a_consent_version_is_seen_when_ours_is_as_new() -> None:
    assert domain.has_seen(consent(version=3), 3)
    assert not domain.has_seen(consent(version=3), 4)
    assert not domain.has_seen(None, 1)


def test_need_counts_what_still_holds_and_how_far_it_goes() -> None:
    elsewhere = dataclasses.replace(reason(14), module="BIOL120")
    assert domain.need([reason(28), reason(14), elsewhere, reason(99, recovered_day="2026-01-16")]) == (2, 2.0)
    assert domain.need([reason(recovered_day="2026-01-16")]) == (0, 0.0)
