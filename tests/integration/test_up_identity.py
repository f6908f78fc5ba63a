"""The demonstration's provider is as strict as a university's: what it refuses, and what it lets count once."""

from __future__ import annotations

import base64
import hashlib
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest
from joserfc import jwt
from joserfc.jwk import KeySet

from deploy.local.identity.people import Somebody, load_clients, load_people, matching
from deploy.local.identity.tokens import Tokens, signing_key
from services.kernel.errors import ConfigurationError
from tests.support.identity import AUDIENCE, CLIENT, CLIENT_SECRET, Identity, hidden_fields

BACK = "http://testserver/sign-in/callback"
VERIFIER = "v" * 43
CHALLENGE = base64.urlsafe_b64encode(hashlib.sha256(VERIFIER.encode()).digest()).rstrip(b"=").decode()
ASKED = {
    "response_type": "code",
    "client_id": CLIENT,
    "redirect_uri": BACK,
    "scope": "openid profile",
    "state": "a state",
    "nonce": "a nonce",
    "code_challenge": CHALLENGE,
    "code_challenge_method": "S256",
}
BASIC = (CLIENT, CLIENT_SECRET)


@pytest.fixture
def browser(identity: Identity) -> Iterator[httpx2.Client]:
    with httpx2.Client(base_url=identity.issuer, trust_env=False) as client:
        yield client


def code_of(browser: httpx2.Client, person: str = "s0000001") -> str:
    """A code for the person, who was chosen on the page."""
    page = browser.get("/authorize", params=ASKED).raise_for_status()
    answer = browser.post("/authorize", data={**hidden_fields(page.text), "person": person})
    back = httpx2.URL(answer.headers["location"])
    assert str(back).startswith(f"{BACK}?")
    assert back.params["state"] == "a state"
    return back.params["code"]


def redeem(browser: httpx2.Client, of: str, auth: tuple[str, str] = BASIC, **changes: str) -> httpx2.Response:
    form = {"grant_type": "authorization_code", "code": of, "redirect_uri": BACK, "code_verifier": VERIFIER}
    return browser.post("/token", data=form | changes, auth=auth)


def test_discovery_names_the_issuer_and_its_endpoints(browser: httpx2.Client, identity: Identity) -> None:
    found = browser.get("/.well-known/openid-configuration").json()
    assert found["issuer"] == identity.issuer
    assert all(found[name].startswith(f"{identity.issuer}/") for name in found if name.endswith(("_endpoint", "_uri")))


def test_a_code_becomes_tokens_that_say_who_it_is_for_whom_and_until_when(browser: httpx2.Client) -> None:
    answer = redeem(browser, code_of(browser))
    assert answer.headers["cache-control"] == "no-store"
    keys = KeySet.import_key_set(browser.get("/jwks.json").json())
    said = {name: jwt.decode(answer.json()[name], keys).claims for name in ("id_token", "access_token")}
    assert (said["id_token"]["aud"], said["access_token"]["aud"]) == (CLIENT, AUDIENCE)
    assert said["id_token"]["nonce"] == "a nonce"
    for claims in said.values():
        assert claims["preferred_username"] == "s0000001" != claims["sub"]
        assert claims["roles"] == ["student"]
        assert time.time() < claims["exp"] < time.time() + 700
    token = answer.json()["access_token"]
    told = browser.get("/userinfo", headers={"Authorization": f"Bearer {token}"}).json()
    assert told == {name: said["id_token"][name] for name in ("sub", "name", "preferred_username", "roles")}
    for worthless in (answer.json()["id_token"], "x"):
        assert browser.get("/userinfo", headers={"Authorization": f"Bearer {worthless}"}).status_code == 401


def test_the_keys_that_it_publishes_are_the_public_ones(browser: httpx2.Client) -> None:
    assert not {"d", "p", "q"} & set(browser.get("/jwks.json").json()["keys"][0])


@pytest.mark.parametrize("change", [{"client_id": "stranger"}, {"redirect_uri": f"{BACK}/x"}, {"redirect_uri": ""}])
def test_a_stranger_is_not_answered_by_a_redirect(browser: httpx2.Client, change: dict[str, str]) -> None:
    for answer in (browser.get("/authorize", params=ASKED | change), browser.post("/authorize", data=ASKED | change)):
        assert answer.status_code == 400
        assert "Whoever sent you here is not known." in answer.text


@pytest.mark.parametrize(
    ("change", "error"),
    [
        ({"response_type": "token"}, "unsupported_response_type"),
        ({"scope": "profile"}, "invalid_scope"),
        ({"code_challenge": ""}, "invalid_request"),
        ({"code_challenge": "short"}, "invalid_request"),
        ({"code_challenge_method": "plain"}, "invalid_request"),
        ({"prompt": "none"}, "login_required"),
    ],
)
def test_a_wrong_question_goes_back_with_what_is_wrong(
    browser: httpx2.Client, identity: Identity, change: dict[str, str], error: str
) -> None:
    for answer in (browser.get("/authorize", params=ASKED | change), browser.post("/authorize", data=ASKED | change)):
        said = httpx2.URL(answer.headers["location"]).params
        assert (said["error"], said["state"], said["iss"]) == (error, "a state", identity.issuer)
        assert "code" not in said


def test_nobody_who_is_not_in_the_list_can_be_chosen(browser: httpx2.Client) -> None:
    answer = browser.post("/authorize", data=ASKED | {"person": "root"})
    assert httpx2.URL(answer.headers["location"]).params["error"] == "access_denied"


@pytest.mark.parametrize(
    "change",
    [
        {"code_verifier": "w" * 43},
        {"code_verifier": "short"},
        {"code_verifier": ""},
        {"redirect_uri": "http://x"},
        {"code": "x"},
    ],
)
def test_a_code_counts_only_for_who_asked_for_it_and_is_used_up_by_a_wrong_try(
    browser: httpx2.Client, change: dict[str, str]
) -> None:
    code = code_of(browser)
    assert redeem(browser, code, BASIC, **change).json()["error"] == "invalid_grant"
    assert redeem(browser, code).status_code == (200 if "code" in change else 400)


def test_a_code_counts_once_and_for_a_minute_and_not_for_another_client(
    browser: httpx2.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    code = code_of(browser)
    assert redeem(browser, code).status_code == 200
    assert redeem(browser, code).json()["error"] == "invalid_grant"
    assert redeem(browser, code_of(browser), auth=("a-program", CLIENT_SECRET)).json()["error"] == "invalid_grant"
    late, real = code_of(browser), time.monotonic
    monkeypatch.setattr("time.monotonic", lambda: real() + 61)
    assert redeem(browser, late).json()["error"] == "invalid_grant"


@pytest.mark.parametrize("auth", [(CLIENT, "wrong"), ("stranger", CLIENT_SECRET), (CLIENT, ""), ("", "")])
def test_a_client_must_show_that_it_is_who_it_says(browser: httpx2.Client, auth: tuple[str, str]) -> None:
    answer = redeem(browser, code_of(browser), auth=auth)
    assert (answer.status_code, answer.json()["error"]) == (401, "invalid_client")
    assert "www-authenticate" in answer.headers


def test_a_client_may_show_it_in_the_form_too(browser: httpx2.Client) -> None:
    form: dict[str, Any] = {"client_id": CLIENT, "client_secret": CLIENT_SECRET, "grant_type": "authorization_code"}
    form |= {"code": code_of(browser), "redirect_uri": BACK, "code_verifier": VERIFIER}
    assert browser.post("/token", data=form).status_code == 200
    assert browser.post("/token", data=form, headers={"Authorization": "Basic ???"}).status_code == 401


def test_only_a_program_gets_a_token_without_anybody_signing_in(browser: httpx2.Client) -> None:
    asked = {"grant_type": "client_credentials"}
    assert "id_token" not in browser.post("/token", data=asked, auth=("a-program", CLIENT_SECRET)).json()
    assert browser.post("/token", data=asked, auth=BASIC).json()["error"] == "unauthorized_client"
    assert (
        browser.post("/token", data={"grant_type": "password"}, auth=BASIC).json()["error"] == "unsupported_grant_type"
    )


def test_signing_out_leads_only_where_the_client_said(browser: httpx2.Client) -> None:
    then = {"client_id": CLIENT, "post_logout_redirect_uri": "http://testserver/signed-out"}
    assert browser.get("/sign-out", params=then).headers["location"] == "http://testserver/signed-out"
    for wrong in ({"post_logout_redirect_uri": "https://evil.example"}, {"client_id": "stranger"}):
        assert browser.get("/sign-out", params=then | wrong).status_code == 400
    assert browser.get("/sign-out").status_code == 200


def test_staff_come_first_and_a_search_finds_names_ids_and_roles(browser: httpx2.Client) -> None:
    page = browser.get("/authorize", params=ASKED).text
    assert page.index("Tam Example") < page.index("Ada Example")
    assert browser.get("/authorize", params={**ASKED, "q": "ben s000"}).text.count('class="person"') == 1
    assert "data protection officer" in browser.get("/authorize", params={**ASKED, "q": "protection"}).text
    assert "Nobody is called that" in browser.get("/authorize", params={**ASKED, "q": "zzz"}).text


def test_many_are_shown_in_part(tmp_path: Path) -> None:
    everybody = [Somebody(f"s{n}", f"Student {n}", ("student",)) for n in range(30)]
    assert len(matching(everybody, "student 1")) == 12
    file = tmp_path / "people.json"
    for wrong in ("{", '[{"id": 1}]'):
        file.write_text(wrong)
        with pytest.raises(ConfigurationError, match=r"people\.json cannot be used"):
            load_people(file)
        with pytest.raises(ConfigurationError, match=r"people\.json cannot be used"):
            load_clients(file)


def test_the_key_is_made_once_and_only_its_owner_can_read_it(tmp_path: Path) -> None:
    file = tmp_path / "key.pem"
    made, again = signing_key(file), signing_key(file)
    assert file.stat().st_mode & 0o777 == 0o600
    token = Tokens("http://127.0.0.1:1", AUDIENCE, made).access_token(Somebody("s1", "A", ()), CLIENT, "")
    assert Tokens("http://127.0.0.1:1", AUDIENCE, again).read(token)
