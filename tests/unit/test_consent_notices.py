"""The texts that students read before they decide: complete, frozen once they are in use, and in force by the clock."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from services.consent.notices import FOLDER, Notices, load_notices
from services.kernel.clock import StreamClock
from services.kernel.errors import ConfigurationError
from services.kernel.register import SHIPPED as REGISTER_FILE
from services.kernel.register import load_register, parse_register

REGISTER = load_register()
NOTICES = load_notices(REGISTER)
LONDON = ZoneInfo("Europe/London")
TEXT = (FOLDER / "2026-1.en.toml").read_text("utf-8")
HEAD = "in_force_from = 2026-01-01\nmaterial = true\n"
# Decisions refer to these texts for good. Where this fails: leave the file as it was, and make a new version.
IN_USE = {
    "2026-1.cy": "258c27a5ef6a90f31ed7537891bced63abedb483dbd0eb2a4a661e8bd272546e",
    "2026-1.en": "56bf0cfe7f36309debb1cff591bb1e2a0eed86e67f4870e9902c48ba3410507c",
    "2026-2.cy": "0e0619b0fa4e717af0e4e0fcf1bcbb158f13b48b6a221a25dc3c050cf78d62e3",
    "2026-2.en": "4b02fd8aa48cc98e5e194e0350414b159d9d95a0e9a3e9cc2f59e62547418a97",
}


def write(folder: Path, name: str, day: str = "2026-01-01", changed: str = "", *, material: bool = True) -> None:
    """A notice like the shipped one, of another version or language."""
    head = f"in_force_from = {day}\nmaterial = {str(material).lower()}\nchanged = {changed!r}\n"
    (folder / f"{name}.toml").write_text(TEXT.replace(HEAD, head), "utf-8")


def three_versions(folder: Path, today: str) -> Notices:
    """The second changes nothing material, the third does."""
    write(folder, "2026-9.en")
    write(folder, "2026-10.en", "2026-09-01", "A clearer word.", material=False)
    write(folder, "2027-1.en", "2027-09-01", "We also ask about lectures.")
    return load_notices(REGISTER, folder, StreamClock(ms(today)), LONDON)


def ms(day: str) -> int:
    return int(dt.datetime.fromisoformat(day).replace(tzinfo=LONDON).timestamp() * 1000)


@pytest.mark.requirement("R2")
@pytest.mark.parametrize("language", ["en", "cy"])
def test_each_purpose_says_what_it_does_who_sees_it_and_what_refusal_means(language: str) -> None:
    told = NOTICES.in_force(language).purposes

    assert told.keys() == REGISTER.askable.keys()
    for purpose in told.values():
        assert all([purpose.question, purpose.does, purpose.seen_by, purpose.if_no, purpose.now_yes, purpose.now_no])
        assert purpose.needs is None or purpose.needs in told


@pytest.mark.requirement("R2")
def test_refusing_says_that_support_may_not_come() -> None:
    assert "support" in NOTICES.in_force("en").purposes["individual-indicators"].if_no
    assert "support" in NOTICES.in_force("en").purposes["tutor-notify"].if_no


@pytest.mark.requirement("R2")
def test_a_text_that_is_in_use_never_changes() -> None:
    digests = {f"{version}.{language}": NOTICES.of(version, language).digest for version, language in NOTICES.known}

    assert digests == IN_USE, "the text of a notice in use was changed or added: make a new version, and list it here"


def test_the_notices_are_in_the_same_languages(tmp_path: Path) -> None:
    assert NOTICES.languages == ("cy", "en")
    write(tmp_path, "1.en")
    write(tmp_path, "1.cy")
    write(tmp_path, "2.en", changed="News.")

    with pytest.raises(ConfigurationError, match=r"notice 2 is missing in \['cy'\]"):
        load_notices(REGISTER, tmp_path)


@pytest.mark.parametrize(
    ("today", "in_force"), [("2026-01-01", "2026-9"), ("2026-09-01", "2026-10"), ("2027-08-31T23:59", "2026-10")]
)
def test_a_version_is_in_force_from_its_local_day_on(tmp_path: Path, today: str, in_force: str) -> None:
    notices = three_versions(tmp_path, today)

    assert notices.in_force("en").version == in_force
    assert notices.known == {("2026-9", "en"), ("2026-10", "en"), ("2027-1", "en")}


def test_before_the_first_is_in_force_nothing_starts(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="in force yet: the first, 2026-9, is from 2026-01-01"):
        three_versions(tmp_path, "2025-12-31")


@pytest.mark.requirement("R2")
def test_a_yes_outlives_an_immaterial_change_and_not_a_material_one(tmp_path: Path) -> None:
    before, after = (three_versions(tmp_path, day) for day in ("2027-08-31", "2027-09-01"))

    assert (before.texts().material, before.texts().outdated) == ("2026-9", frozenset())
    assert (after.texts().material, after.texts().outdated) == ("2027-1", frozenset({"2026-9", "2026-10"}))
    assert after.texts().material_ms == after.replaced_ms("2026-9") == ms("2027-09-01")
    assert after.replaced_ms("2027-1") is None


@pytest.mark.requirement("R2")
def test_who_has_an_older_page_open_decides_by_it_unless_something_material_changed(tmp_path: Path) -> None:
    before, after = (three_versions(tmp_path, day) for day in ("2027-08-31", "2027-09-01"))

    assert [before.counts(version, "en") for version in ("2026-9", "2026-10", "2027-1")] == [True, True, False]
    assert [after.counts(version, "en") for version in ("2026-9", "2026-10", "2027-1")] == [False, False, True]
    assert not before.counts("2026-9", "cy")


def test_students_are_told_what_changed_since_they_read(tmp_path: Path) -> None:
    notices = three_versions(tmp_path, "2027-09-01")

    since = notices.changes_since("2026-9", "en")
    assert [(notice.changed, notice.material) for notice in since] == [
        ("A clearer word.", False),
        ("We also ask about lectures.", True),
    ]
    assert notices.changes_since("2027-1", "en") == []
    assert [notice.version for notice in notices.reached()] == ["2026-9", "2026-10", "2027-1"]


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"name": "2.cy", "day": "2026-02-01"}, "2.cy.toml and 2.en.toml must agree"),
        ({"name": "2.cy", "material": False}, "2.cy.toml and 2.en.toml must agree"),
        ({"name": "2.cy", "changed": " "}, r"2.cy.toml must say in `changed`"),
        ({"name": "3.en", "day": "2025-12-31"}, "3.en.toml is in force before 2.en.toml"),
        ({"name": "0.en", "material": False}, "0.en.toml is of the first version"),
    ],
)
def test_versions_that_contradict_each_other_stop_the_start(
    tmp_path: Path, changes: dict[str, Any], problem: str
) -> None:
    write(tmp_path, "1.en")
    write(tmp_path, "2.en", changed="News.")
    write(tmp_path, **({"changed": "News."} | changes))

    with pytest.raises(ConfigurationError, match=problem):
        load_notices(REGISTER, tmp_path)


def test_without_any_notice_nothing_starts(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="There is no notice"):
        load_notices(REGISTER, tmp_path)


def test_a_purpose_without_a_text_stops_the_start(tmp_path: Path) -> None:
    (tmp_path / "2026-1.en.toml").write_text(TEXT.replace("purposes.student-view", "purposes.other"), "utf-8")

    with pytest.raises(ConfigurationError, match="student-view"):
        load_notices(REGISTER, tmp_path)


@pytest.mark.requirement("R4")
def test_an_approved_special_category_needs_a_text_of_its_own(tmp_path: Path) -> None:
    approved = (
        '\n[special_categories.benefit_record]\nreference = "B1"\napproved_by = "The board"\n'
        'approved_on = 2026-05-01\nfinding = "It helps."\n'
    )
    text = REGISTER_FILE.read_text("utf-8")
    at = text.index("[special_categories.cy]")
    register = parse_register((text[:at] + approved.lstrip() + "\n" + text[at:]).encode(), REGISTER_FILE)
    write(tmp_path, "1.en")

    with pytest.raises(ConfigurationError, match="special-category:ethnicity"):
        load_notices(register, tmp_path)
    told = "\n".join(f'{name} = "x"' for name in ("question", "does", "seen_by", "if_no", "now_yes", "now_no"))
    (tmp_path / "1.en.toml").write_text(f'{TEXT}\n[purposes."special-category:ethnicity"]\n{told}\n', "utf-8")
    assert load_notices(register, tmp_path).in_force("en").purposes.keys() == register.askable.keys()


@pytest.mark.parametrize(
    ("name", "text"),
    [("2026-1.en", "title = "), ("2026-1.en", "title = 'x'"), ("new.en", ""), ("1.en", "new = 1")],
)
def test_a_text_that_cannot_be_read_is_named(tmp_path: Path, name: str, text: str) -> None:
    (tmp_path / f"{name}.toml").write_text(text, "utf-8")

    with pytest.raises(ConfigurationError, match=name):
        load_notices(REGISTER, tmp_path)
