"""What may happen to a request: each step only where it makes sense, by whom it may be taken, with its words."""

from __future__ import annotations

import dataclasses

import pytest

from services.consent.domain.requests.request import (
    KINDS,
    Channel,
    Kind,
    NotPossible,
    Request,
    RequestEvent,
    Step,
    What,
    hindrance,
    pause_reasons,
    possible,
    take,
)

STAFF, STUDENT = "c" * 64, "a" * 64
CLOSING: tuple[What, ...] = ("answered", "refused", "withdrawn")


def request(kind: Kind = "access", channel: Channel = "phone") -> Request:
    opened = RequestEvent(0, 1, "opened", "student", "student", "Please.")
    return Request("7KQ3-M2XD", kind, STUDENT, "s0000001", channel, "en", "2026-11-24", (), (opened,))


def after(asked: Request, *steps: What) -> Request:
    """The request after staff took these steps."""
    for what in steps:
        reason = pause_reasons(asked)[0] if what == "paused" else None
        asked = take(asked, Step(what, STAFF, "administrator", "Because.", reason), 2, may_extend=True)
    return asked


@pytest.mark.parametrize(
    ("steps", "state"),
    [
        ((), "open"),
        (("acknowledged",), "open"),
        (("paused",), "paused"),
        (("paused", "words"), "paused"),
        (("paused", "resumed"), "open"),
        (("extended", "answered"), "answered"),
        (("paused", "refused"), "refused"),
        (("withdrawn",), "withdrawn"),
        (("answered", "words"), "answered"),
        (("answered", "reopened"), "open"),
        (("refused", "reopened", "answered"), "answered"),
    ],
)
def test_a_requests_state_is_what_its_history_comes_to(steps: tuple[What, ...], state: str) -> None:
    assert after(request(), *steps).state == state


def test_a_step_is_written_down_and_nothing_before_it_changes() -> None:
    before = request()
    now = take(before, Step("paused", STAFF, "administrator", "Which years?", "scope"), 5, may_extend=True)

    assert now.events == (*before.events, RequestEvent(1, 5, "paused", STAFF, "administrator", "Which years?", "scope"))


@pytest.mark.parametrize(
    ("done", "then", "why"),
    [
        (("acknowledged",), "acknowledged", "acknowledged already"),
        (("paused",), "paused", "paused already"),
        (("paused",), "answered", "resume it first"),
        ((), "resumed", "not paused"),
        (("extended",), "extended", "extended already"),
        ((), "reopened", "Only an answered or refused"),
        (("withdrawn",), "reopened", "Only an answered or refused"),
        (("withdrawn",), "words", "make a new request"),
        ((), "decided", "only under a request to change consent"),
        (("answered",), "opened", "no step"),
    ],
)
def test_a_step_that_makes_no_sense_says_why(done: tuple[What, ...], then: What, why: str) -> None:
    with pytest.raises(NotPossible, match=why):
        after(request(), *done, then)


@pytest.mark.parametrize("closed", CLOSING)
@pytest.mark.parametrize("what", ["acknowledged", "paused", "extended", "answered", "refused", "withdrawn"])
def test_a_closed_request_is_left_alone(closed: What, what: What) -> None:
    with pytest.raises(NotPossible, match="already"):
        after(request(), closed, what)


@pytest.mark.parametrize("kind", ["complaint", "consent-change"])
def test_only_what_the_law_lets_be_extended_is(kind: Kind) -> None:
    with pytest.raises(NotPossible, match="knows no extension"):
        after(request(kind), "extended")


def test_an_extension_that_would_be_told_too_late_is_refused() -> None:
    with pytest.raises(NotPossible, match="is over"):
        take(request(), Step("extended", STAFF, "administrator", "Large."), 5, may_extend=False)


def test_what_can_be_clarified_depends_on_kind_and_channel() -> None:
    """Who signed in is known, and only a request for data may be too broad; a complaint's clock never stops."""
    assert pause_reasons(request("access", "phone")) == ["scope", "identity"]
    assert pause_reasons(request("access", "portal")) == ["scope"]
    assert pause_reasons(request("erasure", "mail")) == ["identity"]
    assert pause_reasons(request("erasure", "portal")) == []
    assert pause_reasons(request("complaint", "phone")) == []
    with pytest.raises(NotPossible, match="Choose what"):
        take(request("erasure"), Step("paused", STAFF, "administrator", "Which?", "scope"), 5, may_extend=True)
    with pytest.raises(NotPossible, match="knows no pause"):
        take(request("complaint"), Step("paused", STAFF, "administrator", "Which?", "scope"), 5, may_extend=True)


@pytest.mark.requirement("R3")
def test_decisions_are_recorded_only_while_a_request_to_change_consent_is_open() -> None:
    assert hindrance(request("consent-change"), "decided", may_extend=True) is None
    for steps in (("paused",), *((closed,) for closed in CLOSING)):
        with pytest.raises(NotPossible):
            after(request("consent-change"), *steps, "decided")


@pytest.mark.parametrize("what", ["acknowledged", "paused", "extended", "answered", "refused", "reopened", "decided"])
def test_a_student_cannot_do_what_is_staffs(what: What) -> None:
    with pytest.raises(NotPossible, match="Only staff"):
        take(request("consent-change"), Step(what, "student", "student", "Now."), 5, may_extend=True)


def test_nobody_handles_their_own_request() -> None:
    with pytest.raises(NotPossible, match="Somebody else"):
        take(request(), Step("answered", STUDENT, "administrator", "Granted."), 5, may_extend=True)


@pytest.mark.parametrize("what", ["paused", "extended", "words", "answered", "refused", "withdrawn"])
def test_what_the_student_has_to_be_told_is_not_left_out(what: What) -> None:
    with pytest.raises(NotPossible, match="Write what"):
        take(request(), Step(what, STAFF, "administrator", "  ", "scope"), 5, may_extend=True)


@pytest.mark.requirement("R10")
def test_the_students_answer_lets_a_paused_clock_go_on() -> None:
    """It must not stand still because nobody at the university has read it yet."""
    said = take(after(request(), "paused"), Step("words", "student", "student", "This year."), 9, may_extend=True)

    assert said.state == "open"
    assert [(e.what, e.actor, e.at_ms) for e in said.events[2:]] == [("words", "student", 9), ("resumed", "student", 9)]


def test_a_student_withdraws_without_a_reason() -> None:
    assert take(request(), Step("withdrawn", "student", "student"), 5, may_extend=True).state == "withdrawn"


def test_words_after_the_answer_show_until_staff_answer_again() -> None:
    asked = after(request(), "answered")
    assert asked.heard
    asked = take(asked, Step("words", "student", "student", "Not all."), 5, may_extend=True)
    assert not asked.heard
    assert after(asked, "reopened", "answered").heard


@pytest.mark.parametrize("kind", KINDS)
def test_the_steps_that_are_offered_are_those_that_can_be_taken(kind: Kind) -> None:
    asked = request(kind)
    for steps in ((), ("acknowledged",), ("answered",), ("withdrawn",)):
        stands = after(asked, *steps)
        for what in possible(stands, may_extend=True):
            assert after(stands, what) != stands


def test_a_request_is_acknowledged_by_its_answer_too() -> None:
    assert after(request("complaint"), "answered", "reopened").acknowledged
    assert not request("complaint").acknowledged


def test_events_are_values() -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        request().events[0].text = "other"  # type: ignore[misc]  # that it cannot be set is the point
