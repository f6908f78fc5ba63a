"""A site with nothing on it but the shared sign-in, for tests of that."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any

import httpx2
import pytest
from fastapi import Depends, FastAPI
from fastapi.testclient import TestClient
from pydantic import SecretStr

from deploy.local.identity.tokens import Tokens
from services.kernel.metrics import SignInMetrics
from services.kernel.settings import SessionSettings, Settings, SignInSettings
from services.kernel.web import site
from services.kernel.web.pages import Link, templates
from services.kernel.web.session import SignedIn, signed_in_as
from tests.support.identity import Identity
from tests.support.sessions import SECRET

BROWSER = {"accept": "text/html"}
Make = Callable[..., TestClient]


def site_app(sign_in: SignInSettings, metrics: SignInMetrics) -> FastAPI:
    using = Settings(session=SessionSettings(secret=SecretStr(SECRET), secure_cookies=False), sign_in=sign_in)
    made = FastAPI()
    nav = (Link("About", "/about"), Link("My students", "/mine?tutor", ("tutor",)))
    site.install(made, using, templates(using, nav=nav), "http://testserver/", metrics)

    @made.get("/mine")
    def mine(person: Annotated[SignedIn, Depends(signed_in_as("student", "tutor"))]) -> dict[str, Any]:
        return {"id": person.person_id, "name": person.name, "roles": person.roles}

    return made


@pytest.fixture
def sign_in_metrics() -> SignInMetrics:
    return SignInMetrics()


@pytest.fixture
def make(identity: Identity, sign_in_metrics: SignInMetrics) -> Make:
    """Makes a browser at a service whose sign-in settings are changed so."""

    def make(**changes: Any) -> TestClient:
        return TestClient(
            site_app(identity.settings(**changes), sign_in_metrics), headers=BROWSER, follow_redirects=False
        )

    return make


@pytest.fixture
def visitor(make: Make) -> TestClient:
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


def wrong_claims(monkeypatch: pytest.MonkeyPatch, **changes: Any) -> None:
    """Let the provider's id tokens say something else."""
    sign = Tokens.sign

    def lying(self: Tokens, said: dict[str, Any], kind: str) -> str:
        return sign(self, said | changes if kind == "JWT" else said, kind)

    monkeypatch.setattr(Tokens, "sign", lying)
