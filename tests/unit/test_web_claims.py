"""What a provider says of somebody becomes a person and roles of the register, as the settings say and no further."""

from __future__ import annotations

from typing import Any

import pytest

from services.kernel.errors import ConfigurationError
from services.kernel.register import load_register
from services.kernel.settings import SignInSettings, load_settings
from services.kernel.web.claims import ClaimMissing, Claims
from services.kernel.web.session import SignedIn

ROLES = [role.name for role in load_register().roles]
SAID = {"preferred_username": "s1", "name": "Ada Example"}


def roles_of(said: Any, mapping: dict[str, str] | None = None, **settings: Any) -> tuple[str, ...]:
    claims = Claims(SignInSettings(roles=mapping or {}, **settings), ROLES)
    return claims.person(SAID | {"roles": said}).roles


@pytest.mark.parametrize(
    ("said", "roles"),
    [
        (["student"], ("student",)),
        ("student", ("student",)),
        ("senior-tutor tutor", ("tutor", "senior-tutor")),
        (["tutor", "tutor", "wizard", 7, None, ["administrator"]], ("tutor",)),
        (["Student", "STUDENT", "*", "", "student tutor"], ()),
        ([], ()),
        (None, ()),
        ({"administrator": True}, ()),
        (7, ()),
        (True, ()),
    ],
)
def test_without_a_mapping_the_names_of_roles_count_and_nothing_else(said: Any, roles: tuple[str, ...]) -> None:
    assert roles_of(said) == roles


def test_with_a_mapping_only_what_it_lists_counts() -> None:
    mapping = {"stu": "student", "Data Protection Officer": "data-protection-officer", "ug": "student"}
    assert roles_of(["stu", "ug", "administrator"], mapping) == ("student",)
    assert roles_of("Data Protection Officer", mapping) == ("data-protection-officer",)
    assert roles_of(["administrator", "student"], mapping) == ()


def test_a_mapping_to_a_role_that_the_register_does_not_declare_is_refused_at_the_start() -> None:
    with pytest.raises(ConfigurationError, match=r"SIGN_IN__ROLES: wizard is no role.*student, tutor"):
        Claims(SignInSettings(roles={"x": "wizard"}), ROLES)


def test_a_claim_is_found_by_its_name_or_by_a_path_into_others() -> None:
    said = SAID | {"https://x.example/roles": ["tutor"], "a": {"b": {"c": ["student"]}}}
    for path, roles in (("https://x.example/roles", ("tutor",)), ("a.b.c", ("student",)), ("a.x", ()), ("name.x", ())):
        assert Claims(SignInSettings(roles_claim=path), ROLES).person(said).roles == roles


def test_a_person_without_a_name_is_shown_by_the_id() -> None:
    for name in ({}, {"name": ""}, {"name": ["Ada"]}):
        person = Claims(SignInSettings(), ROLES).person({"preferred_username": "s1", **name})
        assert person == SignedIn("s1", "s1", ())


@pytest.mark.parametrize(
    "said", [{}, {"preferred_username": ""}, {"preferred_username": 7}, {"preferred_username": ["s1"]}]
)
def test_somebody_without_an_id_is_nobody(said: dict[str, Any]) -> None:
    with pytest.raises(ClaimMissing, match="'preferred_username'"):
        Claims(SignInSettings(), ROLES).person(said)


@pytest.mark.parametrize(
    "issuer", ["https://id.example/", "http://127.0.0.1:8106", "http://localhost:1", "http://[::1]:1"]
)
def test_an_issuer_is_https_or_on_this_machine(issuer: str) -> None:
    assert SignInSettings(issuer=issuer).issuer == issuer


@pytest.mark.parametrize(
    ("variables", "said"),
    [
        ({"ISSUER": "http://id.example"}, "no https address"),
        ({"ISSUER": "http://127.0.0.1.evil.example"}, "no https address"),
        ({"ISSUER": "id.example"}, "no https address"),
        ({"AUDIENCE": "signpost"}, "must differ"),
        ({"SCOPE": "profile"}, "'openid'"),
    ],
)
def test_settings_that_would_let_anybody_in_are_refused_with_their_name(
    variables: dict[str, str], said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(f"SIGNPOST_SIGN_IN__{name}", value)
    with pytest.raises(ConfigurationError, match=f"SIGNPOST_SIGN_IN(.|\n)*{said}"):
        load_settings()


def test_the_mapping_can_be_set_by_a_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SIGNPOST_SIGN_IN__ROLES", '{"app-dpo": "data-protection-officer", "STU": "student"}')
    assert load_settings().sign_in.roles == {"app-dpo": "data-protection-officer", "STU": "student"}
