"""Every route of the consent and the notify service, asked as everybody: it lets in whom the register says, no other.

Who asks: each role with a session and with a bearer token, nobody, people without a role, and every kind of session or
token that is worth nothing. A route that is not entered in `tests.support.access` fails here.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import httpx2
import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient
from joserfc import jwt
from joserfc.jwk import RSAKey

from services.consent.adapters.ledger import MIGRATIONS as CONSENT_MIGRATIONS
from services.consent.app import create_app as consent_app
from services.kernel import database
from services.kernel.register import load_register
from services.notify.app import MIGRATIONS as NOTIFY_MIGRATIONS
from services.notify.app import create_app as notify_app
from tests.support import access, consent, notify
from tests.support.access import CONSENT, EVERYBODY, FOR_PROGRAMS, NOTIFY
from tests.support.identity import AUDIENCE, ROLES, Identity
from tests.support.sessions import COOKIE, CSRF, cookie

pytestmark = [pytest.mark.requirement("R8"), pytest.mark.requirement("R9")]
VALUES = {
    "case_id": "unknown", "kind": "access", "language": "en", "name": "acknowledged", "purpose": "tutor-notify",
    "request_id": "unknown", "version": "1",
}  # fmt: skip
ANOTHER_KEY = RSAKey.generate_key(2048, auto_kid=True)
BROWSER = {"accept": "text/html"}
WITHOUT_A_ROUTE_OF_THEIR_OWN = {
    "indicators-of-own-students",  # shown on the page of a case
    "figures-explained",  # by a command, which writes the look down for the student to see
}
IN, NOT_IN = "let in", "kept out"
Apps = Mapping[str, FastAPI]


@pytest.fixture(scope="module")
def apps(identity: Identity, tmp_path_factory: pytest.TempPathFactory) -> Apps:
    """Both services on empty databases; nothing runs in the background."""
    folder: Path = tmp_path_factory.mktemp("access")
    sign_in = {"sign_in": identity.settings()}
    of_consent = consent.settings(folder).model_copy(update=sign_in)
    of_notify = notify.notify_settings(f"sqlite:///{folder}/notify.db").model_copy(update=sign_in)
    migrated(of_consent.consent.database_url, CONSENT_MIGRATIONS)
    migrated(of_notify.notify.database_url, NOTIFY_MIGRATIONS)
    return {"consent": consent_app(of_consent), "notify": notify_app(of_notify)}


def migrated(url: str, migrations: Path) -> None:
    engine = database.engine(url)
    database.migrate(engine, migrations)
    engine.dispose()


def client(app: FastAPI, session: str | None = None) -> TestClient:
    made = TestClient(app, follow_redirects=False)
    if session is not None:
        made.cookies.set(COOKIE, session, domain="testserver.local")
    return made


def ask(app: FastAPI, route: str, *, session: str | None = None, csrf: str = CSRF, **headers: str) -> httpx2.Response:
    """What the route answers to a browser, with a form's own token where it takes forms."""
    method, path = route.split(" ")
    form = {"csrf": csrf} if method != "GET" else None
    asked = client(app, session)
    answer: httpx2.Response = asked.request(method, access.filled(path, VALUES), headers=BROWSER | headers, data=form)
    return answer


def judged(answer: httpx2.Response) -> str:
    """Whether the answer lets in; what else may be wrong with the request is no matter here."""
    to_sign_in = answer.status_code == 303 and answer.headers["location"].startswith("/sign-in")
    return NOT_IN if answer.status_code in {401, 403} or to_sign_in else IN


def cases() -> Iterator[Any]:
    for service, declared in (("consent", CONSENT), ("notify", NOTIFY)):
        for route, what in sorted(declared.items()):
            yield pytest.param(service, route, what, id=f"{service} {route}")


every_route = pytest.mark.parametrize(("service", "route", "what"), list(cases()))
every_closed_route = pytest.mark.parametrize(
    ("service", "route", "what"), [case for case in cases() if case.values[2] != EVERYBODY]
)


@pytest.mark.parametrize(("service", "declared"), [("consent", CONSENT), ("notify", NOTIFY)])
def test_every_route_is_declared_and_every_declared_route_is_there(
    apps: Apps, service: str, declared: dict[str, str]
) -> None:
    assert sorted(access.routes(apps[service])) == sorted(declared)


@every_route
def test_a_route_lets_in_the_roles_that_the_register_says_and_no_other(
    apps: Apps, identity: Identity, service: str, route: str, what: str
) -> None:
    app, expected = apps[service], access.roles_that_see(what)
    by_session = {r for r in ROLES if judged(ask(app, route, session=cookie(f"{r}-1", r))) == IN}
    by_token = {r for r in ROLES if judged(ask(app, route, **identity.bearer(f"{r}-1", r))) == IN}
    assert by_session == (set() if route in FOR_PROGRAMS else expected)
    assert by_token == expected or what == EVERYBODY


@every_route
def test_nobody_is_let_in_where_somebody_must_be_known(apps: Apps, service: str, route: str, what: str) -> None:
    assert judged(ask(apps[service], route)) == (IN if what == EVERYBODY or leads_in(route) else NOT_IN)


def leads_in(route: str) -> bool:
    """The way in is open, but leads nowhere where no provider is asked."""
    return route.startswith("GET /sign-in")


@every_closed_route
def test_a_program_is_told_and_never_led_to_a_sign_in_page(apps: Apps, service: str, route: str, what: str) -> None:
    del what
    method, path = route.split(" ")
    for headers in ({"accept": "application/json"}, {}):
        answer = client(apps[service]).request(method, access.filled(path, VALUES), headers=headers)
        assert (answer.status_code, "www-authenticate" in answer.headers) == (401, True)
        assert answer.json()["detail"]


@every_closed_route
def test_no_session_and_no_token_that_is_worth_nothing_lets_in(
    apps: Apps, identity: Identity, service: str, route: str, what: str
) -> None:
    del what
    app, every = apps[service], tuple(ROLES)
    sessions = {
        "no role": cookie("x1"),
        "a role that is none": cookie("x1", "wizard", "Student", "*"),
        "another secret": cookie("x1", *every, secret="another"),
        "ended": cookie("x1", *every, ends=int(time.time()) - 1),
        "unsigned": cookie("x1", *every).split(".")[0],
        "empty": "",
    }
    tokens = {
        "no role": identity.bearer("x1"),
        "a role that is none": identity.bearer("x1", "wizard", "Student", "*"),
        "expired": identity.bearer("x1", *every, exp=int(time.time()) - 600),
        "another audience": identity.bearer("x1", *every, aud="signpost"),
        "another issuer": identity.bearer("x1", *every, iss="https://evil.example"),
        "forged": {"Authorization": f"Bearer {forged(identity, every)}"},
        "unsigned": {"Authorization": f"Bearer {unsigned(identity, every)}"},
        "empty": {"Authorization": "Bearer "},
        "both": {"Authorization": "Bearer x", "Cookie": f"{COOKIE}={cookie('x1', *every)}"},
    }
    let_in = [f"session: {name}" for name, value in sessions.items() if judged(ask(app, route, session=value)) == IN]
    let_in += [f"token: {name}" for name, headers in tokens.items() if judged(ask(app, route, **headers)) == IN]
    assert let_in == []


def forged(identity: Identity, roles: tuple[str, ...]) -> str:
    kid = identity.tokens.public_keys()["keys"][0]["kid"]
    said = {"iss": identity.issuer, "aud": AUDIENCE, "exp": int(time.time()) + 600}
    return jwt.encode({"alg": "RS256", "kid": kid}, said | {"preferred_username": "x1", "roles": roles}, ANOTHER_KEY)


def unsigned(identity: Identity, roles: tuple[str, ...]) -> str:
    body = identity.bearer("x1", *roles)["Authorization"].split(".")[1]
    return f"eyJhbGciOiJub25lIn0.{body}."


@pytest.mark.parametrize(
    ("service", "route", "what"),
    [
        case
        for case in cases()
        if str(case.values[1]).startswith("POST") and case.values[2] != EVERYBODY and case.values[1] not in FOR_PROGRAMS
    ],
)
def test_no_other_site_can_send_a_form_in_somebodys_name(apps: Apps, service: str, route: str, what: str) -> None:
    for role in access.roles_that_see(what):
        for guess in ("", "guess"):
            answer = ask(apps[service], route, session=cookie(f"{role}-1", role), csrf=guess)
            assert answer.status_code == 403
            assert "form" in answer.text


def test_every_view_that_the_register_publishes_is_of_some_page() -> None:
    shown = {*CONSENT.values(), *NOTIFY.values()} - {EVERYBODY}
    published = {view.name for view in load_register().views}
    assert published - shown == WITHOUT_A_ROUTE_OF_THEIR_OWN
