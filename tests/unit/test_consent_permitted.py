"""Point in time: what was permitted, and by which event, as it was known then and as it is known since."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.consent.domain import decisions as domain
from services.consent.domain.decisions import Channel, ConsentEvent, Decision, State
from services.consent.domain.permitted import Answer, Question, permitted
from services.kernel.consents import permitting

STUDENT = "a" * 64
NOW = 1_800_000_000_000
HOUR = 3_600_000
CELL = ("student-view", "vle")
YES = Decision(*CELL, "given", NOW, NOW + 100 * HOUR, "2026-1", "en", "portal")
NO = replace(YES, state="refused", until_ms=None)


def history_of(*said: tuple[int, Decision]) -> list[ConsentEvent]:
    """Decisions, each recorded at its hour."""
    history: list[ConsentEvent] = []
    for hour, decision in said:
        history += domain.decide(STUDENT, history, [decision], NOW + hour * HOUR).recorded
    return history


def at(hour: float, known: float | None = None) -> Question:
    use_ms = NOW + int(hour * HOUR)
    return Question(CELL, use_ms, use_ms if known is None else NOW + int(known * HOUR))


def verdict(answer: Answer) -> tuple[bool, str, int | None]:
    return answer.permitted, answer.stands, answer.event.version if answer.event else None


@st.composite
def histories(draw: st.DrawFn) -> list[ConsentEvent]:
    """Anything that the service can have recorded, an hour apart."""
    states: list[State] = ["given", "given", "refused", "withdrawn", "requested", "expired", "invalidated"]
    channels: list[Channel] = ["portal", "registration"]
    said = []
    for hour in range(draw(st.integers(0, 6))):
        state, channel = draw(st.sampled_from(states)), draw(st.sampled_from(channels))
        from_ms = NOW + hour * HOUR + (draw(st.integers(-4, 4)) * HOUR if channel == "registration" else 0)
        until_ms = from_ms + draw(st.integers(1, 4)) * HOUR if state == "given" else None
        said.append((hour, Decision(*CELL, state, from_ms, until_ms, "2026-1", "en", channel)))
    return history_of(*said)


@pytest.mark.requirement("R1")
@given(histories(), st.integers(-5, 15))
def test_with_what_was_known_then_the_answer_is_what_every_gate_said(history: list[ConsentEvent], hour: int) -> None:
    at_ms = NOW + hour * HOUR
    recorded = [event for event in history if event.recorded_ms <= at_ms]
    grant = permitting(domain.snapshot(recorded), *CELL, at_ms=at_ms, now_ms=at_ms) if recorded else None
    answer = permitted(history, at(hour))

    assert answer.grant == grant
    assert answer.permitted is (grant is not None)
    assert answer.why


@given(histories(), st.integers(-5, 15))
def test_a_yes_is_by_an_event_that_says_yes_and_covers_the_moment(history: list[ConsentEvent], hour: int) -> None:
    answer = permitted(history, at(hour, known=100))

    if answer.permitted:
        assert answer.event
        assert answer.event.decision.state == "given"
        assert answer.event.decision.until_ms
        assert answer.event.decision.until_ms > NOW + hour * HOUR


def test_nobody_asked() -> None:
    assert verdict(permitted([], at(1))) == (False, "unknown", None)


def test_each_state_has_its_words_and_its_event() -> None:
    ended = replace(NO, state="expired", from_ms=NOW + 100 * HOUR, channel="life-cycle")
    later = replace(YES, from_ms=NOW + 50 * HOUR, channel="registration")
    cases = {
        "said yes, which held from 2027-01-15T08:00:00Z until 2027-01-19T12:00:00Z": (history_of((0, YES)), 1),
        "ended at 2027-01-19T12:00:00Z": (history_of((0, YES)), 100),
        "had ended at 2027-01-19T12:00:00Z": (history_of((0, YES), (101, ended)), 101),
        "said no": (history_of((0, NO)), 1),
        "took the yes back": (history_of((0, YES), (1, replace(NO, state="withdrawn", from_ms=NOW + HOUR))), 2),
        "but only from 2027-01-17": (history_of((0, later)), 1),
        "was asked": (history_of((0, replace(NO, state="requested"))), 1),
        "The notice changed": (history_of((0, YES), (1, replace(NO, state="invalidated", from_ms=NOW + HOUR))), 2),
    }
    for words, (history, hour) in cases.items():
        answer = permitted(history, at(hour))
        assert words in answer.why
        assert answer.event == history[-1]


def test_the_moment_of_a_withdrawal_is_not_permitted_and_the_one_before_is() -> None:
    history = history_of((0, YES), (1, replace(NO, state="withdrawn", from_ms=NOW + HOUR)))

    assert verdict(permitted(history, at(1))) == (False, "withdrawn", 2)
    assert verdict(permitted(history, Question(CELL, NOW + HOUR - 1, NOW + HOUR - 1))) == (True, "given", 1)
    assert verdict(permitted(history, at(0.5, known=100))) == (True, "given", 1)  # a later withdrawal undoes no past


def test_a_yes_that_was_imported_late_counts_only_for_who_knows_it() -> None:
    late = replace(YES, channel="registration", actor="registrar")
    history = history_of((10, late))

    assert verdict(permitted(history, at(5))) == (False, "unknown", None)
    assert verdict(permitted(history, at(5, known=10))) == (True, "given", 1)


def test_a_renewed_grant_goes_on_from_its_beginning() -> None:
    history = history_of((0, YES), (90, replace(YES, from_ms=NOW + 90 * HOUR, until_ms=NOW + 900 * HOUR)))
    answer = permitted(history, at(200))

    assert verdict(answer) == (True, "given", 2)
    assert answer.grant
    assert answer.grant.from_ms == NOW
