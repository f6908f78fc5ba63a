"""What decisions mean, from a student's history alone."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.consent.domain import decisions as domain
from services.consent.domain.decisions import ConsentEvent, Decision, State
from services.kernel.clock import DAY_MS
from services.kernel.consents import permitting

ZONE = ZoneInfo("Europe/London")
TERMS = domain.Terms(ZONE, renewal_days=42)
STUDENT = "a" * 64
NOW = 1_800_000_000_000
HOUR = 3_600_000
VLE = ("individual-indicators", "vle")
SHOWN = ("2026-1", "en")
GIVEN = Decision(*VLE, "given", NOW, NOW + 100 * HOUR, *SHOWN, channel="registration")
WITHDRAWN = replace(GIVEN, state="withdrawn", until_ms=None, channel="portal")


@st.composite
def decisions(draw: st.DrawFn) -> Decision:
    """Any decision about a few cells, within a few hours."""
    state: State = draw(st.sampled_from(["given", "refused", "withdrawn"]))
    from_ms = NOW + draw(st.integers(-5, 5)) * HOUR
    return Decision(
        purpose=draw(st.sampled_from(["individual-indicators", "tutor-notify"])),
        source=draw(st.sampled_from(["vle", "library"])),
        state=state,
        from_ms=from_ms,
        until_ms=from_ms + draw(st.integers(1, 4)) * HOUR if state == "given" else None,
        notice="2026-1",
        language="en",
        channel=draw(st.sampled_from(["portal", "registration"])),
    )


batches = st.lists(st.lists(decisions(), min_size=1, max_size=4), min_size=1, max_size=6)


def history_of(*said: list[Decision]) -> list[ConsentEvent]:
    """The ledger after these batches, an hour apart."""
    history: list[ConsentEvent] = []
    for number, batch in enumerate(said):
        history += domain.decide(STUDENT, history, batch, NOW + number * HOUR).recorded
    return history


@pytest.mark.requirement("R1")
@given(batches)
def test_the_snapshot_lists_exactly_the_cells_whose_latest_decision_is_a_yes(said: list[list[Decision]]) -> None:
    history = history_of(*said)
    latest: dict[tuple[str, str], Decision] = {}
    for event in history:
        latest[event.decision.cell] = event.decision
    state = domain.snapshot(history)

    assert {(g.purpose, g.source): g.until_ms for g in state.grants} == {
        cell: decision.until_ms for cell, decision in latest.items() if decision.state == "given"
    }
    assert (state.student, state.version) == (STUDENT, history[-1].version)


@given(batches)
def test_versions_grow_by_one_and_positions_by_one_within(said: list[list[Decision]]) -> None:
    history = history_of(*said)

    versions = sorted({event.version for event in history})
    assert versions == list(range(1, len(versions) + 1))
    for version in versions:
        positions = [event.position for event in history if event.version == version]
        assert positions == list(range(len(positions)))


@given(batches)
def test_the_same_decisions_again_change_nothing(said: list[list[Decision]]) -> None:
    """However often, in whatever order, and whatever was said after them."""
    history = history_of(*said)
    taken = [event.decision for event in history]

    again = domain.decide(STUDENT, history, reversed(taken), NOW + 1000 * HOUR)

    assert again.recorded == ()
    assert again.unchanged == len(taken)


@given(batches, decisions())
def test_nothing_is_permitted_outside_what_some_grant_said(said: list[list[Decision]], probe: Decision) -> None:
    """Joining grants that follow each other never covers a moment that no grant covered."""
    history = history_of(*said)
    at_ms = probe.from_ms
    allowed = permitting(domain.snapshot(history), *probe.cell, at_ms=at_ms, now_ms=at_ms)

    covering = [
        event
        for event in history
        if event.decision.cell == probe.cell
        and event.decision.until_ms is not None
        and event.decision.from_ms <= at_ms < event.decision.until_ms
    ]
    assert allowed is None or covering


def test_unknown_is_not_refused() -> None:
    refused = history_of([replace(GIVEN, state="refused", until_ms=None)])

    assert domain.standing(domain.ruling([]).get(VLE), NOW) == "unknown"
    assert domain.standing(domain.ruling(refused)[VLE], NOW) == "refused"
    assert domain.snapshot(refused).grants == ()


def test_a_yes_ends_at_its_end_for_the_student_but_stays_listed_for_gates_with_their_own_clock() -> None:
    """A term of the past can be replayed: each gate judges the end by the stream's clock."""
    history = history_of([GIVEN])
    end = NOW + 100 * HOUR

    assert domain.standing(domain.ruling(history)[VLE], end - 1) == "given"
    assert domain.standing(domain.ruling(history)[VLE], end) == "expired"
    state = domain.snapshot(history)
    assert permitting(state, *VLE, at_ms=NOW, now_ms=end - 1)
    assert not permitting(state, *VLE, at_ms=NOW, now_ms=end)


@pytest.mark.requirement("R1")
def test_a_late_import_never_undoes_a_withdrawal() -> None:
    history = history_of([GIVEN], [replace(WITHDRAWN, from_ms=NOW + HOUR)])
    late = replace(GIVEN, from_ms=NOW + HOUR - 1)

    outcome = domain.decide(STUDENT, history, [late, GIVEN], NOW + 20 * HOUR)

    assert (outcome.recorded, outcome.overtaken, outcome.unchanged) == ((), 1, 1)


def test_a_new_registration_after_a_withdrawal_counts() -> None:
    history = history_of([GIVEN], [replace(WITHDRAWN, from_ms=NOW + HOUR)])

    outcome = domain.decide(STUDENT, history, [replace(GIVEN, from_ms=NOW + 9 * HOUR)], NOW + 10 * HOUR)

    assert [event.version for event in outcome.recorded] == [3]


@pytest.mark.requirement("R3")
@pytest.mark.parametrize("said", [WITHDRAWN, replace(WITHDRAWN, state="refused", channel="staff-assisted")])
def test_an_import_that_is_dated_ahead_never_undoes_what_the_student_said(said: Decision) -> None:
    """When it was said is not known; that it was said before is as likely."""
    history = history_of([GIVEN], [replace(said, from_ms=NOW + HOUR)])
    ahead = replace(GIVEN, from_ms=NOW + 500 * HOUR, until_ms=NOW + 900 * HOUR)
    outcome = domain.decide(STUDENT, history, [ahead], NOW + 20 * HOUR)

    assert (outcome.recorded, outcome.overtaken) == ((), 1)


def test_a_grant_that_begins_later_can_be_taken_back_before_it_begins() -> None:
    begins_later = replace(GIVEN, from_ms=NOW + 50 * HOUR)
    history = history_of([begins_later])
    taken_back = replace(WITHDRAWN, channel="registration", from_ms=NOW + HOUR)

    outcome = domain.decide(STUDENT, history, [taken_back], NOW + HOUR)

    assert domain.snapshot([*history, *outcome.recorded]).grants == ()


def test_a_renewal_continues_a_grant_that_still_holds() -> None:
    """Events between the two beginnings stay covered; after a gap, or a withdrawal, they do not."""
    renewed = replace(GIVEN, from_ms=NOW + 50 * HOUR, until_ms=NOW + 500 * HOUR)
    after_gap = replace(renewed, from_ms=NOW + 101 * HOUR)
    back = replace(WITHDRAWN, from_ms=NOW + 10 * HOUR)

    assert domain.snapshot(history_of([GIVEN], [renewed])).grants[0].from_ms == NOW
    assert domain.snapshot(history_of([GIVEN], [after_gap])).grants[0].from_ms == NOW + 101 * HOUR
    again = replace(renewed, channel="portal")
    assert domain.snapshot(history_of([GIVEN], [back], [again])).grants[0].from_ms == NOW + 50 * HOUR


@pytest.mark.requirement("R3")
def test_an_answer_becomes_a_decision_only_where_it_changes_something() -> None:
    cells = {VLE: True, ("tutor-notify", "vle"): False}
    first = domain.answers({}, cells, SHOWN, NOW, TERMS)
    rules = domain.ruling(history_of(first))
    turned = {cell: not yes for cell, yes in cells.items()}

    assert [decision.state for decision in first] == ["given", "refused"]
    assert domain.answers(rules, cells, SHOWN, NOW + HOUR, TERMS) == []
    assert [d.state for d in domain.answers(rules, turned, SHOWN, NOW + HOUR, TERMS)] == ["withdrawn", "given"]


@pytest.mark.requirement("R3")
def test_a_yes_after_its_end_is_a_new_yes_for_a_year() -> None:
    (first,) = domain.answers({}, {VLE: True}, SHOWN, NOW, TERMS)
    assert first.until_ms is not None
    (again,) = domain.answers(domain.ruling(history_of([first])), {VLE: True}, SHOWN, first.until_ms, TERMS)

    assert (again.state, again.from_ms) == ("given", first.until_ms)


@pytest.mark.requirement("R3")
def test_a_yes_near_its_end_is_renewed_for_a_year_from_now_and_earlier_it_changes_nothing() -> None:
    (first,) = domain.answers({}, {VLE: True}, SHOWN, NOW, TERMS)
    assert first.until_ms is not None
    rules = domain.ruling(history_of([first]))
    opens_ms = first.until_ms - TERMS.renewal_days * DAY_MS

    assert domain.answers(rules, {VLE: True}, SHOWN, opens_ms - 1, TERMS) == []
    (renewed,) = domain.answers(rules, {VLE: True}, SHOWN, opens_ms, TERMS)
    assert (renewed.state, renewed.until_ms) == ("given", domain.a_year_later(opens_ms, ZONE))
    (grant,) = domain.snapshot(history_of([first], [renewed])).grants
    assert (grant.from_ms, grant.until_ms) == (first.from_ms, renewed.until_ms)


def test_being_asked_changes_nothing_that_was_decided() -> None:
    asked = replace(GIVEN, state="requested", until_ms=None, from_ms=NOW + HOUR)
    only_asked, decided = history_of([asked]), history_of([GIVEN], [asked])

    assert domain.standing(domain.ruling(only_asked)[VLE], NOW) == "requested"
    assert domain.snapshot(only_asked).grants == ()
    assert domain.standing(domain.ruling(decided)[VLE], NOW + HOUR) == "given"
    assert domain.snapshot(decided).grants == domain.snapshot(history_of([GIVEN])).grants
    assert domain.decide(STUDENT, only_asked, [replace(GIVEN, from_ms=NOW - HOUR)], NOW).overtaken == 0


def test_an_end_that_was_recorded_leaves_the_grant_to_each_gates_clock_and_can_be_taken_back() -> None:
    end = NOW + 100 * HOUR
    ended = history_of([GIVEN], [replace(GIVEN, state="expired", from_ms=end, until_ms=None, channel="life-cycle")])

    assert domain.standing(domain.ruling(ended)[VLE], end) == "expired"
    assert domain.snapshot(ended).grants == domain.snapshot(history_of([GIVEN])).grants
    assert domain.granted(domain.ruling(ended)) == [VLE]
    assert [d.state for d in domain.answers(domain.ruling(ended), {VLE: True}, SHOWN, end, TERMS)] == ["given"]
    (taken_back,) = domain.answers(domain.ruling(ended), {VLE: False}, SHOWN, end, TERMS)
    assert taken_back.state == "withdrawn"
    assert domain.snapshot([*ended, ConsentEvent(STUDENT, 3, 0, end, taken_back)]).grants == ()


def test_an_older_yes_that_arrives_after_a_recorded_end_counts_and_loses_no_day() -> None:
    """The end by date was nobody's word."""
    end = NOW + 100 * HOUR
    ended = history_of([GIVEN], [replace(GIVEN, state="expired", from_ms=end, until_ms=None, channel="life-cycle")])
    late = replace(GIVEN, from_ms=end - HOUR, until_ms=end + 100 * HOUR)

    outcome = domain.decide(STUDENT, ended, [late], end + HOUR)

    (grant,) = domain.snapshot([*ended, *outcome.recorded]).grants
    assert (grant.from_ms, grant.until_ms) == (NOW, end + 100 * HOUR)


@pytest.mark.requirement("R2")
def test_what_a_changed_notice_invalidates_permits_nothing_until_it_is_decided_again() -> None:
    told_anew = replace(
        GIVEN, state="invalidated", from_ms=NOW + HOUR, until_ms=None, channel="life-cycle", actor="signpost"
    )
    history = history_of([GIVEN], [told_anew])
    rules = domain.ruling(history)

    assert domain.standing(rules[VLE], NOW + HOUR) == "invalidated"
    assert domain.snapshot(history).grants == ()
    assert domain.granted(rules) == []
    assert [d.state for d in domain.answers(rules, {VLE: True}, SHOWN, NOW + HOUR, TERMS)] == ["given"]
    assert [d.state for d in domain.answers(rules, {VLE: False}, SHOWN, NOW + HOUR, TERMS)] == ["refused"]
    assert domain.decide(STUDENT, history, [replace(GIVEN, until_ms=NOW + HOUR)], NOW + HOUR).overtaken == 1


def test_what_staff_record_for_a_student_is_never_overtaken() -> None:
    """They act on the student's request: whoever is at the desk has the last word."""
    by_staff = domain.Via("staff-assisted", actor="b" * 64, request="r1").of(replace(WITHDRAWN, from_ms=NOW - HOUR))

    outcome = domain.decide(STUDENT, history_of([GIVEN]), [by_staff], NOW + HOUR)

    assert [event.decision for event in outcome.recorded] == [by_staff]
    assert (by_staff.actor, by_staff.request) == ("b" * 64, "r1")


@pytest.mark.parametrize(
    ("at", "then"),
    [
        ("2026-09-21T09:00:00+01:00", "2027-09-21T09:00:00+01:00"),
        ("2028-02-29T12:00:00+00:00", "2029-02-28T12:00:00+00:00"),
        ("2026-03-29T00:30:00+00:00", "2027-03-29T00:30:00+01:00"),
    ],
)
def test_a_year_is_a_calendar_year_of_the_institution(at: str, then: str) -> None:
    def ms(iso: str) -> int:
        return int(dt.datetime.fromisoformat(iso).timestamp() * 1000)

    assert domain.a_year_later(ms(at) + 7, ZONE) == ms(then) + 7
