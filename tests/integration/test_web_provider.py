"""A provider that leaves something out, breaks off in the middle or talks nonsense: what that does to a sign-in."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import httpx2
import pytest
from fastapi.testclient import TestClient

from deploy.local.identity.tokens import Tokens
from services.kernel.metrics import SignInMetrics
from tests.support.identity import Identity, choose, sign_in_through
from tests.support.sessions import CSRF, sign_in
from tests.support.sites import failed, wrong_claims

DISCOVERY, TOKEN, USERINFO, KEYS = "/.well-known/openid-configuration", "/token", "/userinfo", "/jwks.json"
Answering = Callable[[str, Any], None]


@pytest.fixture
def answering(monkeypatch: pytest.MonkeyPatch) -> Answering:
    """Lets the provider answer at a path with something else: a change of its JSON, a body, or not at all."""
    instead: dict[str, Any] = {}
    send = httpx2.AsyncHTTPTransport.handle_async_request

    async def handle(self: httpx2.AsyncHTTPTransport, request: httpx2.Request) -> httpx2.Response:
        other = instead.get(request.url.path)
        if isinstance(other, Exception):
            raise other
        if isinstance(other, int):
            return httpx2.Response(other)
        if isinstance(other, bytes):
            return httpx2.Response(200, content=other)
        answer = await send(self, request)
        if other is None:
            return answer
        await answer.aread()
        return httpx2.Response(answer.status_code, json={**answer.json(), **other})

    monkeypatch.setattr(httpx2.AsyncHTTPTransport, "handle_async_request", handle)
    return instead.__setitem__


@pytest.mark.parametrize("nonsense", [b"<html>", b"[]", b'"x"', b"{}"])
def test_a_discovery_document_that_is_none_is_the_wrong_provider(
    visitor: TestClient, sign_in_metrics: SignInMetrics, answering: Answering, nonsense: bytes
) -> None:
    answering(DISCOVERY, nonsense)
    assert failed(visitor.get("/sign-in"), sign_in_metrics, "wrong-provider", 503)


def test_a_provider_that_is_mended_is_asked_again(visitor: TestClient, answering: Answering) -> None:
    for broken in ({"issuer": "https://other.example"}, b"<html>", 500, httpx2.ConnectError("away")):
        answering(DISCOVERY, broken)
        assert visitor.get("/sign-in").status_code == 503
    answering(DISCOVERY, None)
    assert visitor.get("/sign-in").status_code == 302


@pytest.mark.parametrize(
    ("path", "instead", "outcome", "status"),
    [
        (TOKEN, httpx2.ConnectError("away"), "unreachable", 503),
        (TOKEN, httpx2.ReadTimeout("slow"), "unreachable", 503),
        (TOKEN, 500, "unreachable", 503),
        (TOKEN, b"<html>", "invalid", 400),
        (TOKEN, {"id_token": None}, "invalid", 400),
        (TOKEN, b'{"access_token": "x", "token_type": "Bearer"}', "invalid", 400),
        (KEYS, httpx2.ConnectError("away"), "unreachable", 503),
        (KEYS, b"<html>", "invalid", 400),
        (KEYS, {"keys": []}, "invalid", 400),
        (DISCOVERY, {"jwks_uri": None}, "invalid", 400),
    ],
    ids=str,
)
def test_a_provider_that_breaks_off_in_the_middle_signs_nobody_in(  # noqa: PLR0913 - four fixtures' worth of a case
    visitor: TestClient,
    sign_in_metrics: SignInMetrics,
    answering: Answering,
    *,
    path: str,
    instead: Any,
    outcome: str,
    status: int,
) -> None:
    if path == DISCOVERY:
        answering(path, instead)
    back = choose(visitor.get("/sign-in"), "s0000001")
    answering(path, instead)
    assert failed(visitor.get(httpx2.URL(back).raw_path.decode()), sign_in_metrics, outcome, status)
    assert visitor.get("/mine").status_code == 303


def test_an_unsigned_id_token_counts_for_nothing_even_where_the_provider_offers_such(
    visitor: TestClient, sign_in_metrics: SignInMetrics, answering: Answering, monkeypatch: pytest.MonkeyPatch
) -> None:
    answering(DISCOVERY, {"id_token_signing_alg_values_supported": ["none", "HS256", "RS256"]})
    sign = Tokens.sign
    unsigned = "eyJhbGciOiJub25lIn0"

    def bare(self: Tokens, said: dict[str, Any], kind: str) -> str:
        return f"{unsigned}.{sign(self, said, kind).split('.')[1]}."

    monkeypatch.setattr(Tokens, "sign", bare)
    assert failed(sign_in_through(visitor, "s0000001"), sign_in_metrics, "invalid")


@pytest.mark.parametrize(
    ("instead", "outcome", "status"),
    [
        (httpx2.ConnectError("away"), "unreachable", 503),
        (500, "unreachable", 503),
        (b"a signed form that was not asked for", "invalid", 400),
    ],
    ids=str,
)
def test_userinfo_that_is_needed_and_cannot_be_had_signs_nobody_in(  # noqa: PLR0913 - the same
    visitor: TestClient,
    sign_in_metrics: SignInMetrics,
    answering: Answering,
    monkeypatch: pytest.MonkeyPatch,
    *,
    instead: Any,
    outcome: str,
    status: int,
) -> None:
    wrong_claims(monkeypatch, roles=None)
    answering(USERINFO, instead)
    assert failed(sign_in_through(visitor, "s0000001"), sign_in_metrics, outcome, status)


def test_without_a_userinfo_endpoint_the_id_token_is_all_there_is(
    visitor: TestClient, answering: Answering, monkeypatch: pytest.MonkeyPatch
) -> None:
    answering(DISCOVERY, {"userinfo_endpoint": None})
    wrong_claims(monkeypatch, name=None)
    sign_in_through(visitor, "s0000001")
    assert visitor.get("/mine").json()["name"] == "s0000001"


def test_where_the_provider_has_no_way_out_signing_out_is_done_here(visitor: TestClient, answering: Answering) -> None:
    answering(DISCOVERY, {"end_session_endpoint": None})
    sign_in(visitor, "s0000001", "student")
    assert visitor.post("/sign-out", data={"csrf": CSRF}).headers["location"] == "/signed-out"
    assert visitor.get("/mine").status_code == 303


def test_a_way_out_that_has_a_question_of_its_own_keeps_it(visitor: TestClient, answering: Answering) -> None:
    answering(DISCOVERY, {"end_session_endpoint": "https://id.example/out?realm=main"})
    sign_in(visitor, "s0000001", "student")
    assert (
        "https://id.example/out?realm=main&amp;client_id=signpost"
        in visitor.post("/sign-out", data={"csrf": CSRF}).text
    )


def test_keys_that_turn_to_nonsense_leave_those_before(
    visitor: TestClient, identity: Identity, answering: Answering, monkeypatch: pytest.MonkeyPatch
) -> None:
    token = identity.bearer("s0000001", "student")
    assert visitor.get("/mine", headers=token).status_code == 200
    real = time.monotonic
    monkeypatch.setattr("time.monotonic", lambda: real() + 4000)
    for nonsense in (b"<html>", b'{"keys": []}', 500):
        answering(KEYS, nonsense)
        assert visitor.get("/mine", headers=token).status_code == 200


def test_an_encrypted_token_is_none_that_can_be_read(visitor: TestClient) -> None:
    sent = {"Authorization": "Bearer eyJhbGciOiJSU0EtT0FFUCIsImVuYyI6IkEyNTZHQ00ifQ.a.b.c.d"}
    assert visitor.get("/mine", headers=sent).status_code == 401
