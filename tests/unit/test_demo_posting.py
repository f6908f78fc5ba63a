"""Patience with a service: as long as it says "not now", and no longer than agreed."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import httpx2
import pytest

from deploy.demo.posting import Service, expect
from services.kernel.errors import ConfigurationError, TransientError


def ask(answer: Callable[[httpx2.Request], httpx2.Response], patience_s: float = 5) -> tuple[httpx2.Response, int]:
    """Post once to a service that answers so; gives the answer and how often it had to be waited for."""

    async def post() -> tuple[httpx2.Response, int]:
        transport = httpx2.MockTransport(answer)
        async with httpx2.AsyncClient(transport=transport, base_url="http://door.example") as client:
            service = Service(client, patience_s=patience_s)
            return await service.post("/v1/events", json={}), service.waits

    return asyncio.run(post())


def answers(*statuses: int) -> Callable[[httpx2.Request], httpx2.Response]:
    """One after the other."""
    left = list(statuses)
    return lambda _: httpx2.Response(left.pop(0), text="words", headers={"Retry-After": "0.001"})


@pytest.mark.parametrize("status", [429, 502, 503, 504])
def test_not_now_is_asked_again(status: int) -> None:
    """Until there is an answer."""
    answer, waits = ask(answers(status, status, 202))
    assert (answer.status_code, waits) == (202, 2)


def test_a_service_that_is_away_is_asked_again() -> None:
    """As while it restarts."""
    tries = []

    def away_once(request: httpx2.Request) -> httpx2.Response:
        tries.append(request)
        if len(tries) == 1:
            raise httpx2.ConnectError("refused", request=request)
        return httpx2.Response(202)

    assert ask(away_once)[1] == 1


def test_patience_ends() -> None:
    """With the last thing that was said."""
    with pytest.raises(TransientError, match=r"/v1/events did not answer for 0 s: status 503: words"):
        ask(lambda _: httpx2.Response(503, text="words"), patience_s=0)


@pytest.mark.parametrize("status", [401, 403])
def test_unknown_credentials_are_not_tried_again(status: int) -> None:
    """They would not become better."""
    with pytest.raises(ConfigurationError, match="does not accept the credentials"):
        ask(answers(status))


def test_what_is_wrong_with_a_request_is_said() -> None:
    """In the service's own words."""
    answer, waits = ask(answers(413))
    assert waits == 0
    with pytest.raises(ConfigurationError, match="answered 413: words"):
        expect(answer, 200)
