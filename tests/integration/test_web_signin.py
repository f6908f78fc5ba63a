"""Signing in and out by a real provider: the whole flow, and everything that may go wrong or be forged in it."""

from __future__ import annotations

import base64
import json
import time
from collections.abc import Callable
from typing import Annotated, Any

import httpx2
import pytest
from fastapi import Depends, FastAPI
from fastapi.testclient import TestClient
from joserfc.jwk import RSAKey
from pydantic import SecretStr

from deploy.local.identity.tokens import Tokens
from services.kernel.metrics import SignInMetrics
from services.kernel.settings import SessionSettings, Settings, SignInSettings
from services.kernel.web import site
from services.kernel.web.pages import templates
from services.kernel.web.session import SignedIn, signed_in_as
from tests.support.identity import Identity, choose, sign_in_through
from tests.support.sessions import CSRF, SECRET, cookie

BROWSER = {"accept": "text/html"}
FOREIGN = Tokens("x", "x", RSAKey.generate_key(2048, auto_kid=True)).sign({"sub": "s0000001"}, "JWT")
Make = Callable[..., TestClient]


def app(sign_in: SignInSettings, metrics: SignInMetrics) -> FastAPI:
    using = Settings(session=SessionSettings(secret=SecretStr(SECRET), secure_cookies=False), sign_in=sign_in)
    made = FastAPI()
    site.install(made, using, templates(using), "http://testserver/", metrics)

    @made.get("/mine")
    def mine(person: Annotated[SignedIn, Depends(signed_in_as("student", "tutor"))]) -> dict[str, Any]:
        return {"id": person.person_id, "name": person.name, "roles": person.roles}

    return made


@pytest.fixture
def metrics() -> SignInMetrics:
    return SignInMetrics()


@pytest.fixture
def make(identity: Identity, metrics: SignInMetrics) -> Make:
    """Makes a browser at a service whose sign-in settings are changed so."""

    def make(**changes: Any) -> TestClient:
        return TestClient(app(identity.settings(**changes), metrics), headers=BROWSER, follow_redirects=False)

    return make


@pytest.fixture
def client(make: Make) -> TestClient:
    return make()


def outcomes(metrics: SignInMetrics) -> dict[str, float]:
    """How the sign-ins ended."""
    samples = (sample for family in metrics.sign_ins.collect() for sample in family.samples)
    return {s.labels["outcome"]: s.value for s in samples if s.name.endswith("_total")}


def failed(answer: httpx2.Response, metrics: SignInMetrics, outcome: str, status: int = 400) -> bool:
    """Whether the sign-in came to nothing, with a page that says so, and was counted."""
    assert (answer.status_code, outcomes(metrics)) == (status, {outcome: 1})
    assert '<a class="button primary" href="http://testserver/sign-in">' in answer.text
    return "You are not signed in" in answer.text or "You cannot sign in" in answer.text


def test_signing_in_leads_back_to_the_page_that_asked_for_it(client: TestClient, metrics: SignInMetrics) -> None:
    asked = client.get("/mine?a=1")
    assert asked.headers["location"] == "/sign-in?next=%2Fmine%3Fa%3D1"
    answer = sign_in_through(client, "t0000001", then="/mine?a=1")
    assert (answer.status_code, answer.headers["location"]) == (303, "/mine?a=1")
    assert client.get("/mine").json() == {"id": "t0000001", "name": "Tam Example", "roles": ["tutor"]}
    assert outcomes(metrics) == {"signed-in": 1}


def test_the_provider_is_asked_with_pkce_state_and_nonce(client: TestClient) -> None:
    asked = httpx2.URL(client.get("/sign-in").headers["location"]).params
    assert {name: asked[name] for name in ("response_type", "code_challenge_method", "client_id", "scope")} == {
        "response_type": "code",
        "code_challenge_method": "S256",
        "client_id": "signpost",
        "scope": "openid profile",
    }
    assert asked["redirect_uri"] == "http://testserver/sign-in/callback"
    assert all(len(asked[name]) >= 20 for name in ("state", "nonce", "code_challenge"))


def test_the_session_is_new_and_its_cookie_small_and_without_a_token(client: TestClient) -> None:
    """Whatever was in the browser before, planted by somebody else perhaps, is not in the new session."""
    client.cookies.set(
        "signpost", cookie("s0000002", "student", flash={"text": "planted", "kind": "good"}), domain="testserver.local"
    )
    answer = sign_in_through(client, "s0000001")
    made = answer.headers["set-cookie"].partition(";")[0]
    assert len(made) < 500
    page = client.get("/signed-out").text
    assert "planted" not in page
    assert CSRF not in page
    assert client.get("/mine").json()["id"] == "s0000001"


@pytest.mark.parametrize("elsewhere", ["//evil.example", "https://evil.example/", "/\\evil.example"])
def test_sign_in_leads_to_no_other_site(client: TestClient, elsewhere: str) -> None:
    assert sign_in_through(client, "s0000001", then=elsewhere).headers["location"] == "/"


def test_who_has_no_role_here_is_told_so_and_is_not_signed_in(client: TestClient, metrics: SignInMetrics) -> None:
    answer = sign_in_through(client, "x0000001")
    assert answer.status_code == 403
    assert "names no role that Signpost knows" in answer.text
    assert client.get("/mine").status_code == 303
    assert outcomes(metrics) == {"no-role": 1}


def test_signing_out_ends_the_session_here_then_at_the_provider_and_comes_back(client: TestClient) -> None:
    sign_in_through(client, "s0000001")
    token = client.get("/signed-out").text.partition('name="csrf" value="')[2].partition('"')[0]
    page = client.post("/sign-out", data={"csrf": token})
    assert client.get("/mine").status_code == 303
    way = page.text.partition('content="0; url=')[2].partition('"')[0].replace("&amp;", "&")
    with httpx2.Client(trust_env=False) as browser:
        assert browser.get(way).headers["location"] == "http://testserver/signed-out"


def test_an_interrupted_form_is_told_of_once_signed_in_again(client: TestClient) -> None:
    client.post("/sign-out-of-nothing")
    client.cookies.set(
        "signpost", cookie("s0000001", "student", person=None, interrupted=True), domain="testserver.local"
    )
    sign_in_through(client, "s0000001")
    assert "Nothing was recorded: your session had ended." in client.get("/signed-out").text


# What is forged, replayed or late ------------------------------------------------------------------------------------


def test_an_answer_to_a_question_that_this_browser_did_not_ask_counts_for_nothing(
    make: Make, metrics: SignInMetrics
) -> None:
    """So nobody can sign another person's browser in, as themselves or otherwise."""
    attacker, victim = make(), make()
    back = choose(attacker.get("/sign-in"), "s0000001")
    answer = victim.get(httpx2.URL(back).raw_path.decode())
    assert failed(answer, metrics, "expired")
    assert victim.get("/mine").status_code == 303


@pytest.mark.parametrize("change", ["state=guessed", "state=", ""])
def test_a_changed_or_missing_state_counts_for_nothing(client: TestClient, metrics: SignInMetrics, change: str) -> None:
    code = httpx2.URL(choose(client.get("/sign-in"), "s0000001")).params["code"]
    assert failed(client.get(f"/sign-in/callback?code={code}&{change}"), metrics, "expired")


def test_an_answer_counts_once(client: TestClient, metrics: SignInMetrics) -> None:
    back = httpx2.URL(choose(client.get("/sign-in"), "s0000001")).raw_path.decode()
    kept = client.cookies["signpost"]
    assert client.get(back).status_code == 303
    assert client.get(back).status_code == 400
    client.cookies.clear()  # even where the browser's state of then is put back: the provider takes a code once
    client.cookies.set("signpost", kept, domain="testserver.local")
    assert client.get(back).status_code == 400
    assert outcomes(metrics) == {"signed-in": 1, "expired": 1, "refused": 1}


def test_an_answer_that_comes_too_late_counts_for_nothing(
    client: TestClient, metrics: SignInMetrics, monkeypatch: pytest.MonkeyPatch
) -> None:
    back = httpx2.URL(choose(client.get("/sign-in"), "s0000001")).raw_path.decode()
    real = time.time
    monkeypatch.setattr("time.time", lambda: real() + 31 * 60)
    assert failed(client.get(back), metrics, "expired")


def test_a_code_without_the_verifier_of_its_browser_is_refused(make: Make, metrics: SignInMetrics) -> None:
    """PKCE: a stolen code is of no use in a flow that somebody else began."""
    victim, thief = make(), make()
    stolen = httpx2.URL(choose(victim.get("/sign-in"), "s0000001")).params["code"]
    own = httpx2.URL(thief.get("/sign-in").headers["location"]).params["state"]
    assert failed(thief.get(f"/sign-in/callback?code={stolen}&state={own}"), metrics, "refused")


def test_the_providers_no_is_passed_on_in_our_own_words(client: TestClient, metrics: SignInMetrics) -> None:
    answer = client.get("/sign-in/callback?error=access_denied&error_description=<b>call+this+number</b>")
    assert failed(answer, metrics, "refused")
    assert "call" not in answer.text


def wrong_claims(monkeypatch: pytest.MonkeyPatch, **changes: Any) -> None:
    """Let the provider's id tokens say something else."""
    sign = Tokens.sign

    def lying(self: Tokens, said: dict[str, Any], kind: str) -> str:
        return sign(self, said | changes if kind == "JWT" else said, kind)

    monkeypatch.setattr(Tokens, "sign", lying)


@pytest.mark.parametrize(
    ("claims", "outcome"),
    [
        ({"nonce": "another"}, "invalid"),
        ({"nonce": None}, "invalid"),
        ({"iss": "http://127.0.0.1:1"}, "invalid"),
        ({"aud": "another-service"}, "invalid"),
        ({"aud": ["another-service"], "azp": "signpost"}, "invalid"),
        ({"at_hash": "AAAAAAAAAAAAAAAAAAAAAA"}, "invalid"),
        ({"exp": 1_000_000_000}, "clock"),
        ({"iat": 4_000_000_000}, "clock"),
        ({"nbf": 4_000_000_000}, "clock"),
    ],
    ids=lambda value: value if isinstance(value, str) else next(iter(value)),
)
def test_an_id_token_that_is_not_for_this_sign_in_now_counts_for_nothing(
    client: TestClient, metrics: SignInMetrics, monkeypatch: pytest.MonkeyPatch, claims: dict[str, Any], outcome: str
) -> None:
    wrong_claims(monkeypatch, **claims)
    assert failed(sign_in_through(client, "s0000001"), metrics, outcome)
    assert client.get("/mine").status_code == 303


def _with_another_key(_: str) -> str:
    return FOREIGN


def _changed(token: str) -> str:
    head, _, sign = token.split(".")
    return f"{head}.{_part({'sub': 'admin', 'roles': ['administrator']})}.{sign}"


def _unsigned(token: str) -> str:
    return f"{_part({'alg': 'none'})}.{token.split('.')[1]}."


def _part(said: dict[str, Any]) -> str:
    return base64.urlsafe_b64encode(json.dumps(said).encode()).rstrip(b"=").decode()


@pytest.mark.parametrize("forge", [_with_another_key, _changed, _unsigned, lambda _: "no token", lambda _: ""])
def test_a_forged_id_token_counts_for_nothing(
    client: TestClient, metrics: SignInMetrics, monkeypatch: pytest.MonkeyPatch, forge: Callable[[str], str]
) -> None:
    sign = Tokens.sign
    monkeypatch.setattr(
        Tokens,
        "sign",
        lambda self, said, kind: forge(sign(self, said, kind)) if kind == "JWT" else sign(self, said, kind),
    )
    assert failed(sign_in_through(client, "s0000001"), metrics, "invalid")


# A provider that is away, or not the one it should be ----------------------------------------------------------------


def test_a_provider_that_is_away_is_said_and_counted_and_the_service_starts_without_it(metrics: SignInMetrics) -> None:
    away = SignInSettings(issuer="http://127.0.0.1:1")
    client = TestClient(app(away, metrics), headers=BROWSER, follow_redirects=False)
    assert client.get("/signed-out").status_code == 200
    answer = client.get("/sign-in")
    assert failed(answer, metrics, "unreachable", 503)
    assert answer.headers["retry-after"] == "30"


def test_without_a_provider_in_the_settings_nobody_comes_in(metrics: SignInMetrics) -> None:
    client = TestClient(app(SignInSettings(), metrics), headers=BROWSER, follow_redirects=False)
    assert failed(client.get("/sign-in"), metrics, "not-set-up", 503)
    assert client.post("/sign-out").headers["location"] == "/signed-out"


def test_a_provider_that_calls_itself_otherwise_is_not_believed(
    make: Make, metrics: SignInMetrics, identity: Identity
) -> None:
    assert failed(make(issuer=f"{identity.issuer}/").get("/sign-in"), metrics, "wrong-provider", 503)


def test_a_wrong_client_secret_lets_nobody_in(make: Make, metrics: SignInMetrics) -> None:
    assert failed(sign_in_through(make(client_secret=SecretStr("wrong")), "s0000001"), metrics, "refused")


# Whose claims are called otherwise -----------------------------------------------------------------------------------


def test_claims_have_the_names_and_values_that_the_settings_say(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    wrong_claims(monkeypatch, uid="S0000009", realm={"groups": ["stu", "student", "wine-club"]}, display="Una Example")
    client = make(person_claim="uid", name_claim="display", roles_claim="realm.groups", roles={"stu": "tutor"})
    sign_in_through(client, "s0000001")
    assert client.get("/mine").json() == {"id": "S0000009", "name": "Una Example", "roles": ["tutor"]}


def test_what_the_id_token_does_not_say_is_asked_at_the_userinfo_endpoint(
    client: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    wrong_claims(monkeypatch, roles=None, name=None)
    sign_in_through(client, "s0000001")
    assert client.get("/mine").json() == {"id": "s0000001", "name": "Ada Example", "roles": ["student"]}


def test_userinfo_about_somebody_else_counts_for_nothing(
    client: TestClient, metrics: SignInMetrics, monkeypatch: pytest.MonkeyPatch
) -> None:
    wrong_claims(monkeypatch, roles=None, sub="another")
    assert failed(sign_in_through(client, "s0000001"), metrics, "invalid")


def test_somebody_without_an_id_counts_for_nothing(make: Make, metrics: SignInMetrics) -> None:
    assert failed(sign_in_through(make(person_claim="staff_number"), "s0000001"), metrics, "claim")


def test_no_line_of_the_log_names_a_person(
    client: TestClient, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    sign_in_through(client, "x0000001")
    wrong_claims(monkeypatch, nonce="another")
    sign_in_through(client, "s0000001")
    said = "".join(capsys.readouterr())
    assert "no-role" in said
    assert "nonce" in said
    assert not {word for word in ("0000001", "Example", "code=", "eyJ") if word in said}
