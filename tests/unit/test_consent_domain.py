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
from services.kernel.consents import permitting

ZONE = ZoneInfo("Europe/London")
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
    assert domain.snapshot(history_of([GIVEN], [back], [renewed])).grants[0].from_ms == NOW + 50 * HOUR


@pytest.mark.requirement("R3")
def test_an_answer_becomes_a_decision_only_where_it_changes_something() -> None:
    cells = {VLE: True, ("tutor-notify", "vle"): False}
    first = domain.answers({}, cells, SHOWN, NOW, ZONE)
    rules = domain.ruling(history_of(first))
    turned = {cell: not yes for cell, yes in cells.items()}

    assert [decision.state for decision in first] == ["given", "refused"]
    assert domain.answers(rules, cells, SHOWN, NOW + HOUR, ZONE) == []
    assert [d.state for d in domain.answers(rules, turned, SHOWN, NOW + HOUR, ZONE)] == ["withdrawn", "given"]


@pytest.mark.requirement("R3")
def test_a_yes_after_its_end_is_a_new_yes_for_a_year() -> None:
    (first,) = domain.answers({}, {VLE: True}, SHOWN, NOW, ZONE)
    assert first.until_ms is not None
    (again,) = domain.answers(domain.ruling(history_of([first])), {VLE: True}, SHOWN, first.until_ms, ZONE)

    assert (again.state, again.from_ms) == ("given", first.until_ms)


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
