"""A request that is written down badly is not made; each mistake is named at its field, with how to mend it."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace
from typing import Any, get_args

import pytest

from services.consent.domain.requests.drafts import IN_ENGLISH, MOST_WORDS, Draft, Problem
from services.consent.domain.requests.request import RequestEvent

TODAY = dt.date(2026, 11, 24)
ASKABLE, LANGUAGES = {"tutor-notify", "student-view"}, {"en", "cy"}
RIGHT = Draft("7KQ3-M2XD", "rectification", "My module.", (), "cy", "s0000001", "portal", "2026-11-24")


def problems(**changes: Any) -> dict[str, Problem]:
    return replace(RIGHT, **changes).problems(ASKABLE, LANGUAGES, TODAY)


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"kind": "marking"}, {"kind": "kind"}),
        ({"words": " \n"}, {"words": "words-missing"}),
        ({"words": "x" * (MOST_WORDS + 1)}, {"words": "words-long"}),
        ({"kind": "consent-change"}, {"about": "about-missing"}),
        ({"kind": "consent-change", "about": ("tutor-notify", "marking")}, {"about": "about-unknown"}),
        ({"person": "  "}, {"person": "person"}),
        ({"person": "s 1"}, {"person": "person"}),
        ({"person": "x" * 201}, {"person": "person"}),
        ({"channel": "rumour"}, {"channel": "channel"}),
        ({"language": "la"}, {"language": "language"}),
        ({"received": "24/11/2026"}, {"received": "day-form"}),
        ({"received": "2026-11-25"}, {"received": "day-ahead"}),
        ({"received": "2026-08-01"}, {"received": "day-old"}),
        ({"words": "", "language": ""}, {"words": "words-missing", "language": "language"}),
    ],
)
def test_each_mistake_is_named_at_its_field(changes: dict[str, Any], problem: dict[str, Problem]) -> None:
    assert problems(**changes) == problem


@pytest.mark.parametrize("kind", ["access", "erasure"])
def test_a_right_that_says_enough_by_itself_needs_no_words(kind: str) -> None:
    assert problems(kind=kind, words="") == {}


def test_every_problem_has_its_words() -> None:
    assert set(IN_ENGLISH) == set(get_args(Problem))


def test_a_draft_without_a_problem_becomes_a_request() -> None:
    draft = replace(RIGHT, kind="consent-change", words=" Yes to the tutor. ", about=("tutor-notify",), person=" s1 ")
    request = draft.opened("a" * 64, "c" * 64, "administrator", 5)

    assert draft.problems(ASKABLE, LANGUAGES, TODAY) == {}
    assert (request.kind, request.about, request.person, request.language) == (
        "consent-change", ("tutor-notify",), "s1", "cy"
    )  # fmt: skip
    assert request.events == (RequestEvent(0, 5, "opened", "c" * 64, "administrator", "Yes to the tutor."),)


def test_only_a_change_of_consent_is_about_purposes() -> None:
    assert replace(RIGHT, about=("tutor-notify",)).opened("a" * 64, "student", "student", 5).about == ()
