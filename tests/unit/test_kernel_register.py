"""The policy register: it declares all that it uses, and its words bar data wherever they stand as whole words."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import structs

from services.kernel.errors import ConfigurationError
from services.kernel.register import SHIPPED, load_register

REGISTER = load_register()
EXCLUDED = [(word, entry.name) for entry in REGISTER.exclusions for word in entry.words]
SPECIAL = [(word, entry.name) for entry in REGISTER.special_categories for word in entry.words]
BENEFIT = (
    'benefit_record = { reference = "EC 26/41", approved_by = "Education Committee", approved_on = 2026-06-10, '
    'finding = "Adjusted deadlines no longer look like missing work." }\n'
)
MISTOLD = BENEFIT.replace(" }", ', cy = { fund = "x" } }')
HARMLESS = st.lists(st.sampled_from(["student", "page", "coffee", "feedback", "embed", "trace", "wealthy"]), max_size=2)


def spellings(words: list[str]) -> list[str]:
    """The ways in which systems write a name of several words."""
    parts = [part for word in words for part in word.split("-")]
    titled = "".join(part.title() for part in parts)
    return [
        "_".join(parts), "-".join(parts), ".".join(parts), " ".join(parts).title(), "_".join(parts).upper(), titled,
        titled[0].lower() + titled[1:], f"https://lms.example/verbs/{'-'.join(parts)}", f"UK{titled}", f"{titled}2026",
        f"%20{'%20'.join(parts)}",
    ]  # fmt: skip


def written(folder: Path, old: str, new: str) -> Path:
    """The shipped register with one change."""
    text = SHIPPED.read_text("utf-8")
    assert old in text
    file = folder / "register.toml"
    file.write_text(text.replace(old, new, 1), "utf-8")
    return file


def test_entries_are_found_by_name_and_activities_by_verb() -> None:
    assert REGISTER.purpose["tutor-notify"].requirement == "R1"
    assert REGISTER.source["vle"].title == "Virtual learning environment"
    assert REGISTER.activity["login"].qualifying is False
    assert REGISTER.indicator["days-since-last-activity"].alert == 14
    assert REGISTER.rule["days-since-last-activity"].level == "alert"
    assert REGISTER.verbs_of("vle")["http://id.tincanapi.com/verb/viewed"].name == "page"


def test_an_activity_of_some_sources_is_reported_by_their_systems_only() -> None:
    verb = "http://adlnet.gov/expapi/verbs/attended"
    assert REGISTER.verbs_of("attendance")[verb].name == "attended"
    assert REGISTER.verbs_of("vle")[verb].name == "collaboration"
    assert REGISTER.activities_of("attendance").keys() - REGISTER.activities_of("vle") == {"attended", "absent"}


@pytest.mark.parametrize(
    ("old", "new", "twice"),
    [
        ('name = "library"', 'name = "vle"', "'vle' in sources"),
        ('name = "volume-28"', 'name = "volume-7"', "'volume-7' in indicators"),
        ('"http://activitystrea.ms/start"', '"http://activitystrea.ms/submit"', "submit' in verbs"),
        (
            'qualifying = false\nsources = ["attendance"]',
            'qualifying = false\nverbs = ["http://adlnet.gov/expapi/verbs/attended"]\nsources = ["attendance"]',
            "attended' in verbs of attendance",
        ),
    ],
)
def test_a_name_or_verb_that_stands_twice_is_refused(old: str, new: str, twice: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=f"register.toml declares more than once: .*{twice}"):
        load_register(written(tmp_path, old, new))


@pytest.mark.parametrize(
    ("old", "new", "problem"),
    [
        ("days = 365", "", "retention 'closed-cases' must have either days or until"),
        ("days = 365", 'days = 365\nuntil = "it is closed"', "retention 'closed-cases' must have either"),
        ('level = "alert"', 'level = "watch"', "rule .* is of level 'watch', for which"),
        ("[sources.cy]\ntitle =", "[sources.cy]\ntitel =", r"'vle' in sources has Welsh for \['titel'\]"),
        ("[cy]\nnote =", "[cy]\nnot =", r"the register itself has Welsh for \['not'\]"),
        ('"medical"]\n', f'"medical"]\n{MISTOLD}', "benefit record of 'health' has Welsh for"),
        ("[indicators.cy]\ntitle =", "[indicators.cy]\nalert =", r"has Welsh for \['alert'\], which is no text"),
    ],
)
def test_a_register_that_leaves_something_open_is_refused(old: str, new: str, problem: str, tmp_path: Path) -> None:
    file = written(tmp_path, old, new)
    file.write_text(file.read_text("utf-8").replace("watch = 7\n", ""), "utf-8")
    with pytest.raises(ConfigurationError, match=f"leaves open or contradicts itself: .*{problem}"):
        load_register(file)


@pytest.mark.requirement("R8")
def test_every_text_for_people_is_there_in_welsh() -> None:
    texts = {"title", "description", "never", "reason", "formula", "says", "until"}
    lacking = [
        f"{kind}/{entry.name}: {missing}"
        for kind, entry in REGISTER.entries()
        if (missing := {t for t in texts if getattr(entry, t, "")} - entry.cy.keys())
    ]
    assert lacking == []
    assert REGISTER.note
    assert REGISTER.cy.keys() == {"note"}


def test_an_entry_is_told_in_welsh_where_it_can_be() -> None:
    library = REGISTER.source["library"]
    assert library.told("en") is library
    assert library.told("cy").title == "Llyfrgell"
    assert library.told("cy").name == "library"
    assert structs.replace(library, cy={}).told("cy").title == "Library"


@pytest.mark.requirement("R5")
@pytest.mark.parametrize(
    ("identifier", "barred"),
    [
        ("studentFees", "fees"), ("tuition_fee", "fees"), ("https://x/verbs/paid-fees", "fees"), ("FEE", "fees"),
        ("library.payment", "fees"), ("UKFees", "fees"), ("fees2026", "fees"), ("a%20debt", "fees"),
        ("CounsellingReferral", "counselling"), ("https://x/Well-Being/visited", "counselling"),
        ("wellBeing", "counselling"), ("mental health", "counselling"),
        ("coffee", None), ("feedback", None), ("embed", None), ("indebted", None), ("repayments-of-trust", None),
        ("", None), ("https://w3id.org/xapi/adl/verbs/logged-in", None), ("well", None), ("mental", None),
    ],
)  # fmt: skip
def test_an_excluded_word_bars_as_a_whole_word_only(identifier: str, barred: str | None) -> None:
    found = REGISTER.exclusion_of(identifier)
    assert (found and found.name) == barred


@pytest.mark.requirement("R5")
@given(word=st.sampled_from(EXCLUDED), before=HARMLESS, after=HARMLESS, style=st.integers(0, 10))
def test_an_excluded_word_bars_in_whatever_spelling(
    word: tuple[str, str], before: list[str], after: list[str], style: int
) -> None:
    found = REGISTER.exclusion_of(spellings([*before, word[0], *after])[style])
    assert found is not None
    assert found.name == word[1]


@given(words=st.lists(HARMLESS, min_size=1).map(lambda lists: [w for words in lists for w in words] or ["page"]))
def test_words_that_only_contain_an_excluded_one_pass(words: list[str]) -> None:
    for identifier in spellings(words):
        assert REGISTER.exclusion_of(identifier) is None
        assert REGISTER.special_category_of(identifier) is None


@pytest.mark.requirement("R5")
@pytest.mark.parametrize(
    ("source", "barred"),
    [("finance", "fees"), ("Finance", "fees"), ("COUNSELLING", "counselling"), ("wellbeing", "counselling"),
     ("vle", None), ("financial", None)],
)  # fmt: skip
def test_an_excluded_source_is_barred_without_regard_to_case(source: str, barred: str | None) -> None:
    found = REGISTER.exclusion_of_source(source)
    assert (found and found.name) == barred


def test_no_declared_source_or_verb_is_excluded() -> None:
    assert [s for s in REGISTER.source if REGISTER.exclusion_of_source(s) or REGISTER.exclusion_of(s)] == []
    assert [v for a in REGISTER.activities for v in a.verbs if REGISTER.exclusion_of(v)] == []


@pytest.mark.requirement("R4")
@pytest.mark.parametrize(
    ("field", "category"),
    [("ethnicity", "ethnicity"), ("studentEthnicOrigin", "ethnicity"), ("is_disabled", "health"),
     ("trade union member", "politics"), ("trace", None), ("ethnic", None), ("healthy", None)],
)  # fmt: skip
def test_fields_of_special_categories_are_known(field: str, category: str | None) -> None:
    found = REGISTER.special_category_of(field)
    assert (found and found.name) == category


@pytest.mark.requirement("R4")
@given(word=st.sampled_from(SPECIAL), before=HARMLESS, style=st.integers(0, 10))
def test_a_special_category_is_known_in_whatever_spelling(word: tuple[str, str], before: list[str], style: int) -> None:
    found = REGISTER.special_category_of(spellings([*before, word[0]])[style])
    assert found is not None
    assert found.name == word[1]


@pytest.mark.requirement("R4")
def test_no_benefit_of_special_data_was_ever_shown_so_none_is_used() -> None:
    assert [entry.name for entry in REGISTER.special_categories if entry.benefit_record] == []


@pytest.mark.requirement("R4")
def test_students_are_asked_of_the_purposes_and_of_no_special_category() -> None:
    assert list(REGISTER.askable) == list(REGISTER.purpose)


@pytest.mark.requirement("R4")
def test_an_approved_special_category_is_asked_for_as_a_purpose_of_its_own(tmp_path: Path) -> None:
    register = load_register(written(tmp_path, '"medical"]\n', f'"medical"]\n{BENEFIT}'))
    assert list(register.askable) == [*register.purpose, "special-category:health"]
    asked = register.askable["special-category:health"]
    assert (asked.title, asked.requirement) == ("Disability and health", "R4")
    assert "special-category:health" not in register.purpose


@pytest.mark.requirement("R4")
def test_a_benefit_without_who_approved_it_is_none(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="missing required field `approved_by`"):
        load_register(written(tmp_path, '"medical"]\n', '"medical"]\nbenefit_record = { reference = "EC 26/41" }\n'))


@pytest.mark.requirement("R8")
@pytest.mark.parametrize(
    ("old", "new", "undeclared"),
    [
        ('purpose = "individual-indicators"', 'purpose = "grading"', "purpose 'grading'"),
        ('purpose = "tutor-notify"', 'purpose = "grading"', "purpose 'grading'"),
        ('sources = ["vle", ', 'sources = ["wifi", "vle", ', "source 'wifi'"),
        ('indicator = "days-since-last-activity"', 'indicator = "mood"', "indicator 'mood'"),
        ('seen_by = ["tutor"]', 'seen_by = ["dean"]', "role 'dean'"),
        ('sees = ["imports", "requests"]', 'sees = ["marks"]', "view 'marks'"),
        ('needs = "individual-indicators"', 'needs = "grading"', "purpose 'grading'"),
    ],
)
def test_a_register_that_uses_what_it_does_not_declare_is_refused(
    old: str, new: str, undeclared: str, tmp_path: Path
) -> None:
    file = written(tmp_path, old, new)
    with pytest.raises(ConfigurationError, match=f"register.toml uses what it does not declare: .*{undeclared}"):
        load_register(file)


@pytest.mark.parametrize(
    ("old", "new", "problem"),
    [
        ('title = "Library"', 'titel = "Library"', "unknown field `titel`"),
        ('version = "2026-3"', 'vers = "2026-3"', "unknown field `vers`"),
        ("dated = 2026-11-24", 'dated = "lately"', "dated"),
        ('name = "library"', 'name = "The Library"', "matching regex"),
        ('requirement = "R13"', 'requirement = "R14"', "matching regex"),
        ("alert = 14", 'alert = "14"', "Expected `float"),
        ("days = 30", "days = 0", ">= 1"),
        ("[[purposes]]", "[[purposes", "at line"),
    ],
)
def test_a_register_that_cannot_be_read_is_refused_with_the_reason(
    old: str, new: str, problem: str, tmp_path: Path
) -> None:
    file = written(tmp_path, old, new)
    with pytest.raises(ConfigurationError, match=f"policy register .*register.toml cannot be used: .*{problem}"):
        load_register(file)


def test_a_register_that_is_not_there_or_no_text_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"none\.toml cannot be used: .*No such file"):
        load_register(tmp_path / "none.toml")
    (tmp_path / "picture.toml").write_bytes(b"\x89PNG\xff")
    with pytest.raises(ConfigurationError, match=r"picture\.toml cannot be used: .*decode"):
        load_register(tmp_path / "picture.toml")


def test_an_institutions_own_register_takes_the_place_of_the_shipped_one(tmp_path: Path) -> None:
    assert (
        load_register(written(tmp_path, "alert = 14", "alert = 21")).indicator["days-since-last-activity"].alert == 21
    )
