"""The university's sign-in in a test: a real provider on 127.0.0.1, and walking through it as a browser does."""

from __future__ import annotations

import html
import re
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import httpx2
import pytest
import uvicorn
from fastapi.testclient import TestClient
from pydantic import SecretStr

from deploy.local.identity.people import Client, Somebody
from deploy.local.identity.provider import Provider
from deploy.local.identity.tokens import Tokens, signing_key
from deploy.local.machine.ports import free_port
from services.kernel.settings import SignInSettings
from services.kernel.web.signin import CALLBACK, SIGNED_OUT
from tests.support.waiting import eventually

CLIENT, CLIENT_SECRET, AUDIENCE = "signpost", "a client's secret of the tests", "signpost-api"
SITES = ("http://testserver", "http://127.0.0.1:8101", "http://127.0.0.1:8104")
ROLES = ("student", "tutor", "senior-tutor", "data-protection-officer", "administrator", "representative")
PEOPLE = [
    Somebody("s0000001", "Ada Example", ("student",)),
    Somebody("s0000002", "Ben Example", ("student",)),
    Somebody("t0000001", "Tam Example", ("tutor",)),
    Somebody("x0000001", "Nobody Example", ()),
    *(Somebody(role, f"A {role}", (role,)) for role in ROLES),
]


@dataclass(frozen=True, slots=True)
class Identity:
    """A provider that runs."""

    provider: Provider

    @property
    def tokens(self) -> Tokens:
        """What it signs with; a test may make it say something wrong."""
        return self.provider.tokens

    @property
    def issuer(self) -> str:
        """Its address."""
        return self.tokens.issuer

    def settings(self, **changes: Any) -> SignInSettings:
        """Settings of a service that uses it."""
        usual = {"issuer": self.issuer, "client_id": CLIENT, "client_secret": SecretStr(CLIENT_SECRET)}
        return SignInSettings(**(usual | {"audience": AUDIENCE} | changes))

    def bearer(self, person: str, *roles: str, **claims: Any) -> dict[str, str]:
        """The header with an access token of somebody; `claims` replace what it says."""
        said = {"aud": AUDIENCE, "sub": person, "preferred_username": person, "name": person, "roles": roles} | claims
        return {"Authorization": f"Bearer {self.tokens.sign(said, 'at+jwt')}"}


@contextmanager
def running_identity(sites: tuple[str, ...] = SITES) -> Iterator[Identity]:
    """A provider in a thread, for services at these addresses."""
    port = free_port()
    client = Client(
        id=CLIENT,
        secret=CLIENT_SECRET,
        redirect_uris=tuple(f"{site}{CALLBACK}" for site in sites),
        after_sign_out=tuple(f"{site}{SIGNED_OUT}" for site in sites),
    )
    program = Client(
        id="a-program", secret=CLIENT_SECRET, program=Somebody("a-program", "A program", ("administrator",))
    )
    tokens = Tokens(f"http://127.0.0.1:{port}", AUDIENCE, signing_key())
    provider = Provider(tokens, [client, program], lambda: PEOPLE)
    server = uvicorn.Server(uvicorn.Config(provider.app(), port=port, log_level="warning", ws="none", lifespan="off"))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    try:
        eventually(lambda: server.started, what="a provider that listens")
        yield Identity(provider)
    finally:
        server.should_exit = True
        thread.join(10)


@pytest.fixture(scope="module")
def identity() -> Iterator[Identity]:
    """A provider for the tests of one module."""
    with running_identity() as running:
        yield running


def choose(begun: httpx2.Response, person: str) -> str:
    """Go where the answer leads, choose who to be, and give where the provider then leads."""
    with httpx2.Client(trust_env=False, headers={"Accept": "text/html"}) as browser:
        page = browser.get(begun.headers["location"]).raise_for_status()
        answer = browser.post(str(page.url.copy_with(query=None)), data={**hidden_fields(page.text), "person": person})
        return answer.headers["location"]


def sign_in_through(client: TestClient, person: str, then: str = "/") -> httpx2.Response:
    """Sign in by the whole flow; the answer is that of the callback."""
    begun = client.get("/sign-in", params={"next": then}, headers={"Accept": "text/html"}, follow_redirects=False)
    back = httpx2.URL(choose(begun, person))
    answer: httpx2.Response = client.get(
        back.raw_path.decode(), headers={"Accept": "text/html"}, follow_redirects=False
    )
    return answer


def hidden_fields(page: str) -> Mapping[str, str]:
    """The hidden fields of a page's forms."""
    found = re.findall(r'<input type="hidden" name="([^"]+)" value="([^"]*)">', page)
    return {name: html.unescape(value) for name, value in found}
