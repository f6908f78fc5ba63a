"""Figures in words: what was seen and what it was made of, or why it cannot be said; in both languages."""

from __future__ import annotations

import datetime as dt
import re
from dataclasses import fields

import numpy as np
import pytest
from msgspec import structs

from services.indicators.domain.cohort import cohort_figures
from services.indicators.domain.cohort.comparison import COLUMNS
from services.indicators.domain.formulas import FORMULAS
from services.kernel.events import Indicator, ModuleIndicators
from services.kernel.register import load_register
from services.kernel.web.i18n.catalogs import SHARED, Languages, speaking
from services.kernel.web.i18n.figures import Explained, FigureWords, held, needs, unsaid
from services.kernel.web.i18n.formats import amount, weekday
from tests.support.columns import places_of
from tests.support.reference import History

REGISTER = load_register()
LANGUAGES = Languages(SHARED)
TUTOR, STUDENT = FigureWords(REGISTER, "tutor"), FigureWords(REGISTER, "student")
WHY = ("no-source", "window-not-full", "too-few-active-days", "no-sessions", "no-due-work", "no-marks", "no-cohort-yet",
       "cohort-too-small", "no-spread")  # fmt: skip
HELD = ("vacation", "leave", "before-start", "left", "module-over", "feed-stale")
MISSING = Indicator(
    name="missing-work",
    value=2,
    window_days=28,
    level="alert",
    threshold=2,
    inputs={"due": 3},
    sources=("assessment",),
)


def module(*indicators: Indicator, **changes: object) -> ModuleIndicators:
    """A module with these figures."""
    said = {"module": "HIST101", "since_day": "2026-01-12", "last_active_day": None, "indicators": indicators} | changes
    return ModuleIndicators(**said)  # type: ignore[arg-type]  # changes are the test's


def test_a_figure_is_told_with_value_inputs_threshold_and_coverage() -> None:
    (told,) = TUTOR.all(module(MISSING))
    assert told == Explained(
        name="missing-work",
        title="Work not handed in, in 28 days",
        value="2 pieces of work",
        says="2 pieces of work not handed in, of 3 due in the last 28 days.",
        threshold="2 pieces of work or more: reached",
        level="alert",
        formula=REGISTER.indicator["missing-work"].formula,
        coverage="Seen from: Assessment hand-ins.",
    )


def test_it_is_told_in_welsh_with_the_forms_that_numbers_ask_for() -> None:
    with speaking(LANGUAGES.of("cy")):
        (told,) = STUDENT.all(module(MISSING))
        assert told.says == "2 ddarn o waith heb ei gyflwyno, o 3 â'u dyddiad yn y 28 diwrnod diwethaf."
        assert told.threshold == "2 ddarn o waith neu ragor: cyrhaeddwyd"
        assert [amount(n, "days") for n in (0, 1, 2, 3, 1.5)] == [
            "0 diwrnod", "1 diwrnod", "2 ddiwrnod", "3 diwrnod", "1.5 diwrnod",
        ]  # fmt: skip
        assert weekday("2026-02-02") == "Dydd Llun 2 Chwefror"


@pytest.mark.parametrize(
    ("value", "unit", "text"),
    [
        (1, "days", "1 day"), (14.0, "days", "14 days"), (2.5, "days", "2.5 days"), (0, "minutes", "0 minutes"),
        (1234, "actions", "1,234 actions"), (20.3333, "actions", "20.3 actions"), (43.478, "percent", "43.5%"),
        (-0.6931, "", "−0.69"), (1, "sessions", "1 session"), (1, "pieces of work", "1 piece of work"),
        (3, "kinds of activity", "3 kinds of activity"), (7, "parsecs", "7 parsecs"),
    ],
)  # fmt: skip
def test_amounts_are_rounded_to_what_is_worth_reading_and_counted(value: float, unit: str, text: str) -> None:
    assert amount(value, unit) == text


def test_every_shipped_unit_is_counted_in_words_of_its_own() -> None:
    with speaking(LANGUAGES.of("cy")):
        english = [e.name for e in REGISTER.indicators if e.unit and e.unit in amount(2, e.unit)]
    assert english == []


@pytest.mark.requirement("R8")
def test_the_student_and_the_tutor_are_told_what_was_not_seen_and_the_student_alone_why() -> None:
    seen = ["library", "vle"]
    assert TUTOR.coverage("volume-7", seen) == (
        "Seen from: Virtual learning environment and Library. "
        "Not seen: Assessment hand-ins, Attendance and Lecture recordings."
    )
    assert STUDENT.coverage("attendance", seen) == "Not from: Attendance, which you have not permitted."
    assert TUTOR.coverage("attendance", seen) == "Not seen: Attendance."
    assert (unsaid("no-source", "tutor"), unsaid("no-source", "student")) == (
        "It is not seen.",
        "None of the systems that it would be seen from is permitted.",
    )


def test_a_threshold_says_in_which_direction_it_lies_and_whether_it_is_reached() -> None:
    assert TUTOR.bound("days-since-last-activity", 14) == "14 days or more"
    assert TUTOR.bound("active-days-14", 1) == "1 day or less"
    assert TUTOR.bound("attendance", 50) == "below 50%"
    watched = structs.replace(MISSING, level="watch", threshold=1)
    calm = structs.replace(MISSING, level="none", threshold=None)
    assert [TUTOR.all(module(i))[0].threshold for i in (watched, calm)] == [
        "1 piece of work or more: reached, to watch only",
        "",
    ]


def test_a_figure_that_compares_with_the_module_says_as_of_when() -> None:
    compared = Indicator(name="engagement-index", value=2.345, inputs={"students": 31, "places": 60, "parts": 4})
    (told,) = TUTOR.all(module(compared, cohort_day="2026-02-02"))
    assert told.says.startswith("2.35 of 5, from 4 comparisons with the 31 students")
    assert told.says.endswith("As of Monday 2 February.")
    (other,) = TUTOR.all(module(MISSING, cohort_day="2026-02-02"))
    assert "As of" not in other.says


def test_a_figure_that_cannot_be_said_says_why() -> None:
    (told,) = TUTOR.all(module(unsaid={"attendance": "no-marks"}))
    assert (told.value, told.says, told.threshold) == ("", "No attendance was marked.", "")


@pytest.mark.parametrize("language", LANGUAGES.codes)
def test_each_reason_has_words_of_its_own(language: str) -> None:
    with speaking(LANGUAGES.of(language)):
        said = [
            *(unsaid(why, "student") for why in WHY),
            *map(held, HELD),
            unsaid("whatever", "tutor"),
            held("whatever"),
        ]
    assert len(set(said)) == len(said)


@pytest.mark.requirement("R8")
def test_a_figure_that_the_register_declares_no_more_is_not_told() -> None:
    assert TUTOR.all(module(Indicator(name="mood", value=1), unsaid={"luck": "no-source"})) == []


def test_a_figure_without_the_inputs_of_its_sentence_is_told_by_its_title() -> None:
    assert TUTOR.sentence("missing-work", 2, {}) == "Work not handed in, in 28 days: 2 pieces of work."


@pytest.mark.parametrize("entry", REGISTER.indicators, ids=lambda entry: entry.name)
def test_both_languages_say_the_value_and_the_same_inputs(entry: object) -> None:
    says, welsh = entry.says, entry.told("cy").says  # type: ignore[attr-defined]  # an indicator of the register
    assert "value" in needs(says)
    assert needs(says) == needs(welsh)


def test_sentences_name_what_their_formulas_are_made_from() -> None:
    start = dt.date(2026, 1, 12)
    places = places_of([History(start=start, since=start)], dt.datetime(2026, 2, 1, tzinfo=dt.UTC))
    none = cohort_figures(np.full((1, len(COLUMNS)), np.nan), np.zeros(1, np.int64), [None])
    figures = {name: formula(places) for name, formula in FORMULAS.items()} | none
    assert [e.name for e in REGISTER.indicators if needs(e.says) - {"value", *figures[e.name].inputs}] == []


@pytest.mark.requirement("R7")
def test_no_word_about_a_figure_predicts() -> None:
    texts = [text for entry in REGISTER.indicators for text in (entry.says, entry.title, entry.formula)]
    words = set(re.findall(r"\w+", " ".join(texts).casefold()))
    assert words.isdisjoint({"risk", "fail", "failing", "likely", "predict", "predicted", "weak", "poor", "struggling"})
    assert {field.name for field in fields(Explained)}.isdisjoint({"risk", "score"})
