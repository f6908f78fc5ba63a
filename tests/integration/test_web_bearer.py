"""Bearer tokens of programs: only the provider's own, for this API, now; and never a way round anything else."""

from __future__ import annotations

import base64
import hmac
import json
import time
from collections.abc import Callable
from typing import Annotated, Any

import httpx2
import pytest
from fastapi import Depends, FastAPI
from fastapi.testclient import TestClient
from joserfc import jwt
from joserfc.jwk import RSAKey
from pydantic import SecretStr

from services.kernel.metrics import SignInMetrics
from services.kernel.settings import SessionSettings, Settings, SignInSettings
from services.kernel.web import site
from services.kernel.web.pages import templates
from services.kernel.web.session import Person, SignedIn, csrf_checked, signed_in_as
from tests.support.identity import AUDIENCE, CLIENT_SECRET, Identity, choose, running_identity
from tests.support.sessions import CSRF, SECRET, cookie

ANOTHER_KEY = RSAKey.generate_key(2048, auto_kid=True)
Headers = dict[str, str]


def client_of(sign_in: SignInSettings, metrics: SignInMetrics | None = None) -> TestClient:
    using = Settings(session=SessionSettings(secret=SecretStr(SECRET), secure_cookies=False), sign_in=sign_in)
    app = FastAPI()
    site.install(app, using, templates(using), "http://testserver", metrics or SignInMetrics())

    @app.get("/v1/me")
    def me(person: Person) -> dict[str, Any]:
        return {"id": person.person_id, "roles": person.roles}

    @app.post("/v1/imports", dependencies=[Depends(csrf_checked)])
    def take(person: Annotated[SignedIn, Depends(signed_in_as("administrator"))]) -> str:
        return person.person_id

    return TestClient(app, follow_redirects=False)


@pytest.fixture
def metrics() -> SignInMetrics:
    return SignInMetrics()


@pytest.fixture
def client(identity: Identity, metrics: SignInMetrics) -> TestClient:
    return client_of(identity.settings(), metrics)


def outcomes(metrics: SignInMetrics) -> dict[str, float]:
    """What came of the tokens."""
    samples = (sample for family in metrics.tokens.collect() for sample in family.samples)
    return {s.labels["outcome"]: s.value for s in samples if s.name.endswith("_total")}


def test_a_token_of_the_provider_lets_its_person_in_with_its_roles(
    client: TestClient, identity: Identity, metrics: SignInMetrics
) -> None:
    answer = client.get("/v1/me", headers=identity.bearer("d1", "tutor", "data-protection-officer", "wizard"))
    assert answer.json() == {"id": "d1", "roles": ["tutor", "data-protection-officer"]}
    assert "set-cookie" not in answer.headers
    assert outcomes(metrics) == {"accepted": 1}


def test_a_program_gets_one_by_its_own_secret(client: TestClient, identity: Identity) -> None:
    asked = {"grant_type": "client_credentials"}
    answer = httpx2.post(f"{identity.issuer}/token", data=asked, auth=("a-program", CLIENT_SECRET), trust_env=False)
    token = answer.raise_for_status().json()["access_token"]
    assert client.post("/v1/imports", headers={"Authorization": f"bearer {token}"}).json() == "a-program"


def test_a_person_in_another_role_is_told_which_is_needed(client: TestClient, identity: Identity) -> None:
    answer = client.post("/v1/imports", headers=identity.bearer("s1", "student") | {"accept": "text/html"})
    assert (answer.status_code, answer.json()) == (403, {"detail": "This is for the role administrator."})


def test_without_a_role_that_is_known_here_a_token_opens_nothing_at_all(client: TestClient, identity: Identity) -> None:
    for roles in ((), ("wizard",)):
        answer = client.get("/v1/me", headers=identity.bearer("x1", *roles))
        assert (answer.status_code, answer.json()) == (403, {"detail": "This is for people with a role here."})


def _part(said: dict[str, Any]) -> str:
    return base64.urlsafe_b64encode(json.dumps(said).encode()).rstrip(b"=").decode()


def _said(identity: Identity) -> dict[str, Any]:
    return {
        "iss": identity.issuer,
        "aud": AUDIENCE,
        "exp": int(time.time()) + 600,
        "preferred_username": "a1",
        "roles": ["administrator"],
    }


def _of_another_key(identity: Identity) -> str:
    return jwt.encode({"alg": "RS256", "kid": ANOTHER_KEY.kid}, _said(identity), ANOTHER_KEY)


def _of_another_key_under_the_providers_name(identity: Identity) -> str:
    kid = identity.tokens.public_keys()["keys"][0]["kid"]
    return jwt.encode({"alg": "RS256", "kid": kid}, _said(identity), ANOTHER_KEY)


def _unsigned(identity: Identity) -> str:
    return f"{_part({'alg': 'none', 'typ': 'JWT'})}.{_part(_said(identity))}."


def _signed_with_the_public_key_as_a_secret(identity: Identity) -> str:
    public = identity.tokens.public_keys()["keys"][0]
    signed = f"{_part({'alg': 'HS256', 'kid': public['kid']})}.{_part(_said(identity))}"
    pem = RSAKey.import_key(public).as_pem(private=False)
    mac = base64.urlsafe_b64encode(hmac.digest(pem, signed.encode(), "sha256")).rstrip(b"=").decode()
    return f"{signed}.{mac}"


def _changed(identity: Identity) -> str:
    head, _, sign = identity.bearer("s1", "student")["Authorization"].removeprefix("Bearer ").split(".")
    return f"{head}.{_part(_said(identity))}.{sign}"


def _with_its_key_inside(identity: Identity) -> str:
    header = {"alg": "RS256", "jwk": ANOTHER_KEY.as_dict(private=False)}
    return f"{_part(header)}.{_of_another_key(identity).split('.', 1)[1]}"


@pytest.mark.parametrize(
    "forge",
    [
        _of_another_key,
        _of_another_key_under_the_providers_name,
        _unsigned,
        _signed_with_the_public_key_as_a_secret,
        _changed,
        _with_its_key_inside,
        lambda _: "",
        lambda _: "no.token.atall",
        lambda _: "a registrar's token",
        lambda _: "A" * 20_000,
        lambda _: "eyJhbGciOiJSUzI1NiJ9.W10.AAAA",
    ],
)
def test_a_forged_token_opens_nothing_and_the_answer_says_why(
    client: TestClient, identity: Identity, metrics: SignInMetrics, forge: Callable[[Identity], str]
) -> None:
    answer = client.get("/v1/me", headers={"Authorization": f"Bearer {forge(identity)}", "Accept": "text/html"})
    assert answer.status_code == 401
    assert answer.headers["www-authenticate"].startswith('Bearer realm="signpost", error="invalid_token"')
    assert answer.json()["detail"].startswith(("The token is not signed by", "That is no signed JWT"))
    assert sum(outcomes(metrics).values()) == 1
    assert "accepted" not in outcomes(metrics)


@pytest.mark.parametrize(
    ("claims", "said"),
    [
        ({"exp": 1_000_000_000}, "has expired"),
        ({"exp": None}, "'exp'"),
        ({"nbf": 4_000_000_000}, "'nbf'"),
        ({"iat": 4_000_000_000}, "'iat'"),
        ({"iss": "https://evil.example"}, "'iss'"),
        ({"iss": None}, "'iss'"),
        ({"aud": "signpost"}, "must be for the audience 'signpost-api'"),
        ({"aud": None}, "'aud'"),
        ({"aud": []}, "'aud'"),
        ({"preferred_username": None}, "'preferred_username'"),
        ({"preferred_username": ["a1"]}, "'preferred_username'"),
        ({"preferred_username": ""}, "'preferred_username'"),
    ],
    ids=str,
)
def test_a_token_that_is_not_for_here_and_now_opens_nothing_and_the_answer_says_why(
    client: TestClient, identity: Identity, claims: dict[str, Any], said: str
) -> None:
    answer = client.get("/v1/me", headers=identity.bearer("a1", "administrator", **claims))
    assert answer.status_code == 401
    assert said in answer.json()["detail"]
    assert "error_description=" in answer.headers["www-authenticate"]


def test_a_clock_that_is_a_little_off_is_forgiven(client: TestClient, identity: Identity) -> None:
    now = int(time.time())
    assert client.get("/v1/me", headers=identity.bearer("a1", "tutor", exp=now - 30)).status_code == 200
    assert client.get("/v1/me", headers=identity.bearer("a1", "tutor", nbf=now + 30)).status_code == 200
    assert client.get("/v1/me", headers=identity.bearer("a1", "tutor", exp=now - 120)).status_code == 401


def test_what_a_browser_signs_in_with_is_no_bearer_token(client: TestClient, identity: Identity) -> None:
    token = identity.bearer("a1", "administrator", aud="signpost", nonce="n")
    assert client.get("/v1/me", headers=token).status_code == 401


def test_a_wrong_token_is_not_made_good_by_a_session(client: TestClient, identity: Identity) -> None:
    """A request is judged by one proof alone, so that the form's own token cannot be left out by sending a second."""
    client.cookies.set("signpost", cookie("a1", "administrator"), domain="testserver.local")
    wrong = identity.bearer("a1", "administrator", aud="x")
    assert client.post("/v1/imports", headers=wrong).status_code == 401
    assert client.post("/v1/imports").status_code == 403
    assert client.post("/v1/imports", data={"csrf": CSRF}).status_code == 200
    for other in ("Basic YTE6eA==", "Bearer", "Token x"):
        assert client.post("/v1/imports", headers={"Authorization": other}).status_code == 403


def test_the_session_of_an_administrator_lends_a_token_of_a_student_nothing(
    client: TestClient, identity: Identity
) -> None:
    client.cookies.set("signpost", cookie("a1", "administrator"), domain="testserver.local")
    assert client.post("/v1/imports", headers=identity.bearer("s1", "student")).status_code == 403


# The provider's keys -------------------------------------------------------------------------------------------------


@pytest.fixture
def asked_for_keys(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The paths that the provider was asked for, as they are asked."""
    asked: list[str] = []
    send = httpx2.AsyncHTTPTransport.handle_async_request

    async def handle(self: httpx2.AsyncHTTPTransport, request: httpx2.Request) -> httpx2.Response:
        asked.append(request.url.path)
        return await send(self, request)

    monkeypatch.setattr(httpx2.AsyncHTTPTransport, "handle_async_request", handle)
    return asked


def test_keys_are_asked_for_once_and_unknown_ones_now_and_then(
    client: TestClient, identity: Identity, asked_for_keys: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """So a flood of forged tokens does not become a flood at the provider."""
    for _ in range(3):
        assert client.get("/v1/me", headers=identity.bearer("a1", "tutor")).status_code == 200
        assert client.get("/v1/me", headers={"Authorization": f"Bearer {_of_another_key(identity)}"}).status_code == 401
    assert asked_for_keys == ["/.well-known/openid-configuration", "/jwks.json"]
    real = time.monotonic
    monkeypatch.setattr("time.monotonic", lambda: real() + 61)
    assert client.get("/v1/me", headers={"Authorization": f"Bearer {_of_another_key(identity)}"}).status_code == 401
    assert asked_for_keys[2:] == ["/jwks.json"]


def test_a_provider_that_changes_its_key_is_followed_and_the_old_key_counts_no_longer(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with running_identity() as identity:
        client, before = client_of(identity.settings()), identity.bearer("a1", "tutor")
        assert client.get("/v1/me", headers=before).status_code == 200
        identity.tokens.sign_with(RSAKey.generate_key(2048, auto_kid=True))
        real = time.monotonic
        monkeypatch.setattr("time.monotonic", lambda: real() + 61)
        assert client.get("/v1/me", headers=identity.bearer("a1", "tutor")).status_code == 200
        assert client.get("/v1/me", headers=before).status_code == 401


def test_known_keys_go_on_while_the_provider_is_away_and_unknown_ones_are_said_to_be_so(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with running_identity() as identity:
        known, new = client_of(identity.settings()), client_of(identity.settings())
        token = identity.bearer("a1", "tutor")
        assert known.get("/v1/me", headers=token).status_code == 200
    real = time.monotonic
    monkeypatch.setattr("time.monotonic", lambda: real() + 4000)
    assert known.get("/v1/me", headers=token).status_code == 200
    answer = new.get("/v1/me", headers=token)
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "30")
    assert "cannot be reached" in answer.json()["detail"]


def test_the_access_token_of_a_sign_in_opens_the_api_for_that_person(client: TestClient, identity: Identity) -> None:
    """So a program on a person's own machine may use the same flow."""
    begun = client.get("/sign-in", headers={"accept": "text/html"})
    verifier = json.loads(base64.b64decode(client.cookies["signpost"].split(".")[0]))
    state = next(value["data"] for name, value in verifier.items() if name.startswith("_state_"))
    code = httpx2.URL(choose(begun, "t0000001")).params["code"]
    form = {
        "grant_type": "authorization_code",
        "code": code,
        "redirect_uri": state["redirect_uri"],
        "code_verifier": state["code_verifier"],
    }
    answer = httpx2.post(f"{identity.issuer}/token", data=form, auth=("signpost", CLIENT_SECRET), trust_env=False)
    token = answer.raise_for_status().json()["access_token"]
    assert client.get("/v1/me", headers={"Authorization": f"Bearer {token}"}).json()["id"] == "t0000001"
