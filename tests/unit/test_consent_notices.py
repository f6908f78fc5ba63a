"""The texts that students read before they decide."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from services.consent.notices import FOLDER, load_notices
from services.kernel.errors import ConfigurationError
from services.kernel.register import load_register

REGISTER = load_register()
NOTICES = load_notices(REGISTER)


@pytest.mark.requirement("R2")
@pytest.mark.parametrize("language", ["en", "cy"])
def test_each_purpose_says_what_it_does_who_sees_it_and_what_refusal_means(language: str) -> None:
    told = NOTICES.in_force(language).purposes

    assert told.keys() == REGISTER.purpose.keys()
    for purpose in told.values():
        assert all([purpose.question, purpose.does, purpose.seen_by, purpose.if_no, purpose.now_yes, purpose.now_no])
        assert purpose.needs is None or purpose.needs in told


@pytest.mark.requirement("R2")
def test_refusing_says_that_support_may_not_come() -> None:
    assert "support" in NOTICES.in_force("en").purposes["individual-indicators"].if_no
    assert "support" in NOTICES.in_force("en").purposes["tutor-notify"].if_no


def test_the_newest_version_is_in_force_and_the_old_ones_stay_known(tmp_path: Path) -> None:
    for version in ("2026-9", "2026-10"):
        shutil.copy(FOLDER / "2026-1.en.toml", tmp_path / f"{version}.en.toml")
    notices = load_notices(REGISTER, tmp_path)

    assert notices.in_force("en").version == "2026-10"
    assert notices.known == {("2026-9", "en"), ("2026-10", "en")}


def test_a_purpose_without_a_text_stops_the_start(tmp_path: Path) -> None:
    text = (FOLDER / "2026-1.en.toml").read_text("utf-8")
    (tmp_path / "2026-1.en.toml").write_text(text.replace("purposes.student-view", "purposes.other"), "utf-8")

    with pytest.raises(ConfigurationError, match="student-view"):
        load_notices(REGISTER, tmp_path)


@pytest.mark.parametrize(("name", "text"), [("2026-1.en", "title = "), ("2026-1.en", "title = 'x'"), ("new.en", "")])
def test_a_text_that_cannot_be_read_is_named(tmp_path: Path, name: str, text: str) -> None:
    (tmp_path / f"{name}.toml").write_text(text, "utf-8")

    with pytest.raises(ConfigurationError, match=name):
        load_notices(REGISTER, tmp_path)
