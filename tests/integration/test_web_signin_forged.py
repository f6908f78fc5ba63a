"""What is forged, replayed or late at sign-in counts for nothing, is said to be so, and is counted."""

from __future__ import annotations

import base64
import json
import time
from collections.abc import Callable
from typing import Any

import httpx2
import pytest
from fastapi.testclient import TestClient
from joserfc.jwk import RSAKey

from deploy.local.identity.tokens import Tokens
from services.kernel.metrics import SignInMetrics
from tests.support.identity import choose, sign_in_through
from tests.support.sites import Make, failed, outcomes, wrong_claims

FOREIGN = Tokens("x", "x", RSAKey.generate_key(2048, auto_kid=True)).sign({"sub": "s0000001"}, "JWT")


def test_an_answer_to_a_question_that_this_browser_did_not_ask_counts_for_nothing(
    make: Make, sign_in_metrics: SignInMetrics
) -> None:
    """So nobody can sign another person's browser in, as themselves or otherwise."""
    attacker, victim = make(), make()
    back = choose(attacker.get("/sign-in"), "s0000001")
    answer = victim.get(httpx2.URL(back).raw_path.decode())
    assert failed(answer, sign_in_metrics, "expired")
    assert victim.get("/mine").status_code == 303


@pytest.mark.parametrize("change", ["state=guessed", "state=", ""])
def test_a_changed_or_missing_state_counts_for_nothing(
    visitor: TestClient, sign_in_metrics: SignInMetrics, change: str
) -> None:
    code = httpx2.URL(choose(visitor.get("/sign-in"), "s0000001")).params["code"]
    assert failed(visitor.get(f"/sign-in/callback?code={code}&{change}"), sign_in_metrics, "expired")


def test_an_answer_counts_once(visitor: TestClient, sign_in_metrics: SignInMetrics) -> None:
    back = httpx2.URL(choose(visitor.get("/sign-in"), "s0000001")).raw_path.decode()
    kept = visitor.cookies["signpost"]
    assert visitor.get(back).status_code == 303
    again = visitor.get(back)
    assert (again.headers["location"], "set-cookie" in again.headers) == ("/about", False)
    visitor.cookies.clear()  # even where the browser's state of then is put back: the provider takes a code once
    visitor.cookies.set("signpost", kept, domain="testserver.local")
    assert visitor.get(back).status_code == 400
    assert outcomes(sign_in_metrics) == {"signed-in": 1, "refused": 1}


def test_an_answer_that_comes_too_late_counts_for_nothing(
    visitor: TestClient, sign_in_metrics: SignInMetrics, monkeypatch: pytest.MonkeyPatch
) -> None:
    back = httpx2.URL(choose(visitor.get("/sign-in"), "s0000001")).raw_path.decode()
    real = time.time
    monkeypatch.setattr("time.time", lambda: real() + 31 * 60)
    assert failed(visitor.get(back), sign_in_metrics, "expired")


def test_a_code_without_the_verifier_of_its_browser_is_refused(make: Make, sign_in_metrics: SignInMetrics) -> None:
    """PKCE: a stolen code is of no use in a flow that somebody else began."""
    victim, thief = make(), make()
    stolen = httpx2.URL(choose(victim.get("/sign-in"), "s0000001")).params["code"]
    own = httpx2.URL(thief.get("/sign-in").headers["location"]).params["state"]
    assert failed(thief.get(f"/sign-in/callback?code={stolen}&state={own}"), sign_in_metrics, "refused")


def test_the_providers_no_is_passed_on_in_our_own_words(visitor: TestClient, sign_in_metrics: SignInMetrics) -> None:
    answer = visitor.get("/sign-in/callback?error=access_denied&error_description=<b>call+this+number</b>")
    assert failed(answer, sign_in_metrics, "refused")
    assert "call" not in answer.text


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
    visitor: TestClient,
    sign_in_metrics: SignInMetrics,
    monkeypatch: pytest.MonkeyPatch,
    claims: dict[str, Any],
    outcome: str,
) -> None:
    wrong_claims(monkeypatch, **claims)
    assert failed(sign_in_through(visitor, "s0000001"), sign_in_metrics, outcome)
    assert visitor.get("/mine").status_code == 303


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
    visitor: TestClient, sign_in_metrics: SignInMetrics, monkeypatch: pytest.MonkeyPatch, forge: Callable[[str], str]
) -> None:
    sign = Tokens.sign
    monkeypatch.setattr(
        Tokens,
        "sign",
        lambda self, said, kind: forge(sign(self, said, kind)) if kind == "JWT" else sign(self, said, kind),
    )
    assert failed(sign_in_through(visitor, "s0000001"), sign_in_metrics, "invalid")
