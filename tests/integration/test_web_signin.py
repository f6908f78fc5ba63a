"""Signing in and out by a real provider: the whole flow, a provider that is away, claims of other names."""

from __future__ import annotations

import httpx2
import pytest
from fastapi.testclient import TestClient
from pydantic import SecretStr

from services.kernel.metrics import SignInMetrics
from services.kernel.settings import SignInSettings
from tests.support.identity import Identity, choose, sign_in_through
from tests.support.sessions import CSRF, cookie
from tests.support.sites import BROWSER, Make, failed, outcomes, site_app, wrong_claims


def test_signing_in_leads_back_to_the_page_that_asked_for_it(
    visitor: TestClient, sign_in_metrics: SignInMetrics
) -> None:
    asked = visitor.get("/mine?a=1")
    assert asked.headers["location"] == "/sign-in?next=%2Fmine%3Fa%3D1"
    answer = sign_in_through(visitor, "t0000001", then="/mine?a=1")
    assert (answer.status_code, answer.headers["location"]) == (303, "/mine?a=1")
    assert visitor.get("/mine").json() == {"id": "t0000001", "name": "Tam Example", "roles": ["tutor"]}
    assert outcomes(sign_in_metrics) == {"signed-in": 1}


def test_who_asked_for_no_page_begins_where_their_role_does(visitor: TestClient) -> None:
    assert sign_in_through(visitor, "t0000001").headers["location"] == "/mine?tutor"
    assert sign_in_through(visitor, "s0000001").headers["location"] == "/about"


def test_the_provider_is_asked_with_pkce_state_and_nonce(visitor: TestClient) -> None:
    asked = httpx2.URL(visitor.get("/sign-in").headers["location"]).params
    assert {name: asked[name] for name in ("response_type", "code_challenge_method", "client_id", "scope")} == {
        "response_type": "code",
        "code_challenge_method": "S256",
        "client_id": "signpost",
        "scope": "openid profile",
    }
    assert asked["redirect_uri"] == "http://testserver/sign-in/callback"
    assert all(len(asked[name]) >= 20 for name in ("state", "nonce", "code_challenge"))


def test_the_session_is_new_and_its_cookie_small_and_without_a_token(visitor: TestClient) -> None:
    """Whatever was in the browser before, planted by somebody else perhaps, is not in the new session."""
    visitor.cookies.set(
        "signpost", cookie("s0000002", "student", flash={"text": "planted", "kind": "good"}), domain="testserver.local"
    )
    answer = sign_in_through(visitor, "s0000001")
    made = answer.headers["set-cookie"].partition(";")[0]
    assert len(made) < 500
    page = visitor.get("/signed-out").text
    assert "planted" not in page
    assert CSRF not in page
    assert visitor.get("/mine").json()["id"] == "s0000001"


@pytest.mark.parametrize("elsewhere", ["//evil.example", "https://evil.example/", "/\\evil.example"])
def test_sign_in_leads_to_no_other_site(visitor: TestClient, elsewhere: str) -> None:
    assert sign_in_through(visitor, "s0000001", then=elsewhere).headers["location"] == "/about"


def test_who_has_no_role_here_is_told_so_and_is_not_signed_in(
    visitor: TestClient, sign_in_metrics: SignInMetrics
) -> None:
    answer = sign_in_through(visitor, "x0000001")
    assert answer.status_code == 403
    assert "names no role that Signpost knows" in answer.text
    assert visitor.get("/mine").status_code == 303
    assert outcomes(sign_in_metrics) == {"no-role": 1}


def test_of_two_tabs_that_sign_in_at_once_the_slower_one_is_led_in_too(visitor: TestClient) -> None:
    slower = choose(visitor.get("/sign-in"), "s0000001")
    sign_in_through(visitor, "s0000001")
    answer = visitor.get(httpx2.URL(slower).raw_path.decode())
    assert (answer.status_code, answer.headers["location"]) == (303, "/about")


def test_signing_out_ends_the_session_here_then_at_the_provider_and_comes_back(visitor: TestClient) -> None:
    sign_in_through(visitor, "s0000001")
    token = visitor.get("/signed-out").text.partition('name="csrf" value="')[2].partition('"')[0]
    page = visitor.post("/sign-out", data={"csrf": token})
    assert visitor.get("/mine").status_code == 303
    way = page.text.partition('content="0; url=')[2].partition('"')[0].replace("&amp;", "&")
    with httpx2.Client(trust_env=False) as browser:
        assert browser.get(way).headers["location"] == "http://testserver/signed-out"


def test_an_interrupted_form_is_told_of_once_signed_in_again(visitor: TestClient) -> None:
    visitor.post("/sign-out-of-nothing")
    visitor.cookies.set(
        "signpost", cookie("s0000001", "student", person=None, interrupted=True), domain="testserver.local"
    )
    sign_in_through(visitor, "s0000001")
    assert "Nothing was recorded: your session had ended." in visitor.get("/signed-out").text


# A provider that is away, or not the one it should be ----------------------------------------------------------------


def test_a_provider_that_is_away_is_said_and_counted_and_the_service_starts_without_it(
    sign_in_metrics: SignInMetrics,
) -> None:
    away = SignInSettings(issuer="http://127.0.0.1:1")
    visitor = TestClient(site_app(away, sign_in_metrics), headers=BROWSER, follow_redirects=False)
    assert visitor.get("/signed-out").status_code == 200
    answer = visitor.get("/sign-in")
    assert failed(answer, sign_in_metrics, "unreachable", 503)
    assert answer.headers["retry-after"] == "30"


def test_without_a_provider_in_the_settings_nobody_comes_in(sign_in_metrics: SignInMetrics) -> None:
    visitor = TestClient(site_app(SignInSettings(), sign_in_metrics), headers=BROWSER, follow_redirects=False)
    assert failed(visitor.get("/sign-in"), sign_in_metrics, "not-set-up", 503)
    assert visitor.post("/sign-out").headers["location"] == "/signed-out"


def test_a_provider_that_calls_itself_otherwise_is_not_believed(
    make: Make, sign_in_metrics: SignInMetrics, identity: Identity
) -> None:
    assert failed(make(issuer=f"{identity.issuer}/").get("/sign-in"), sign_in_metrics, "wrong-provider", 503)


def test_a_wrong_client_secret_lets_nobody_in(make: Make, sign_in_metrics: SignInMetrics) -> None:
    assert failed(sign_in_through(make(client_secret=SecretStr("wrong")), "s0000001"), sign_in_metrics, "refused")


# Whose claims are called otherwise -----------------------------------------------------------------------------------


def test_claims_have_the_names_and_values_that_the_settings_say(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    wrong_claims(monkeypatch, uid="S0000009", realm={"groups": ["stu", "student", "wine-club"]}, display="Una Example")
    visitor = make(person_claim="uid", name_claim="display", roles_claim="realm.groups", roles={"stu": "tutor"})
    sign_in_through(visitor, "s0000001")
    assert visitor.get("/mine").json() == {"id": "S0000009", "name": "Una Example", "roles": ["tutor"]}


def test_what_the_id_token_does_not_say_is_asked_at_the_userinfo_endpoint(
    visitor: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    wrong_claims(monkeypatch, roles=None, name=None)
    sign_in_through(visitor, "s0000001")
    assert visitor.get("/mine").json() == {"id": "s0000001", "name": "Ada Example", "roles": ["student"]}


def test_userinfo_about_somebody_else_counts_for_nothing(
    visitor: TestClient, sign_in_metrics: SignInMetrics, monkeypatch: pytest.MonkeyPatch
) -> None:
    wrong_claims(monkeypatch, roles=None, sub="another")
    assert failed(sign_in_through(visitor, "s0000001"), sign_in_metrics, "invalid")


def test_somebody_without_an_id_counts_for_nothing(make: Make, sign_in_metrics: SignInMetrics) -> None:
    assert failed(sign_in_through(make(person_claim="staff_number"), "s0000001"), sign_in_metrics, "claim")


def test_no_line_of_the_log_names_a_person(
    visitor: TestClient, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    sign_in_through(visitor, "x0000001")
    wrong_claims(monkeypatch, nonce="another")
    sign_in_through(visitor, "s0000001")
    said = "".join(capsys.readouterr())
    assert "no-role" in said
    assert "nonce" in said
    assert not {word for word in ("0000001", "Example", "code=", "eyJ") if word in said}
