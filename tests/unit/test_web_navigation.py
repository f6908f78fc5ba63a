"""Everybody starts at a place of their own, and the page says which place it belongs to."""

from __future__ import annotations

import pytest
from pydantic import SecretStr

from services.consent.pages.navigation import navigation
from services.kernel.register import load_register
from services.kernel.settings import SessionSettings, Settings
from services.kernel.web.pages import start, templates
from services.kernel.web.session import SignedIn
from tests.support.sessions import SECRET

SETTINGS = Settings(session=SessionSettings(secret=SecretStr(SECRET)))
PAGES = templates(SETTINGS, nav=navigation(load_register()))


@pytest.mark.parametrize(
    ("roles", "path"),
    [
        (("student",), "/"),
        (("data-protection-officer",), "/oversight"),
        (("representative",), "/coverage"),
        (("administrator",), "/staff/requests"),
        (("tutor",), "/register"),
        (("student", "representative"), "/"),
    ],
)
def test_everybody_starts_at_a_place_of_their_own(roles: tuple[str, ...], path: str) -> None:
    assert start(PAGES, SignedIn("x1", "X", roles)) == path


def test_who_is_not_signed_in_starts_by_that() -> None:
    assert start(PAGES, None) == "/"
    assert start(templates(SETTINGS), SignedIn("x1", "X", ("tutor",))) == "/"
