"""Posting to a service with patience: a busy or restarting one is asked again, as long as it says "not now"."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable, Mapping
from http import HTTPStatus
from typing import Any

import httpx2

from services.kernel.errors import ConfigurationError, TransientError

_NOT_NOW = {429, 502, 503, 504}
_FIRST_WAIT_S, _LONGEST_WAIT_S = 0.1, 10.0


class Service:
    """One service's HTTP API.

    Attributes:
        waits: how often it said "not now" or was not there.
    """

    def __init__(self, client: httpx2.AsyncClient, *, patience_s: float = 180.0) -> None:
        self._client = client
        self._patience_s = patience_s
        self.waits = 0

    async def get(self, path: str) -> httpx2.Response:
        """An answer that is not "not now"."""
        return await self._ask(self._client.build_request("GET", path))

    async def post(
        self, path: str, *, json: Any = None, content: bytes | None = None, headers: Mapping[str, str] | None = None
    ) -> httpx2.Response:
        """An answer that is not "not now"; everything that is posted here may be posted twice.

        Raises:
            TransientError: the service stayed away for too long.
            ConfigurationError: it does not know the credentials.
        """
        return await self._ask(self._client.build_request("POST", path, json=json, content=content, headers=headers))

    async def _ask(self, request: httpx2.Request) -> httpx2.Response:
        give_up = time.monotonic() + self._patience_s
        for wait in _waits():
            answer, problem = await self._try(request)
            if answer is not None and answer.status_code not in _NOT_NOW:
                return _known(answer)
            if time.monotonic() > give_up:
                raise TransientError(f"{request.url} did not answer for {self._patience_s:.0f} s: {problem}")
            self.waits += 1
            await asyncio.sleep(_retry_after(answer) or wait)
        raise AssertionError  # the waits never end

    async def _try(self, request: httpx2.Request) -> tuple[httpx2.Response | None, str]:
        try:
            answer = await self._client.send(request)
        except httpx2.TransportError as error:
            return None, f"{type(error).__name__} {error}"
        return answer, f"status {answer.status_code}: {answer.text[:200]}"


def expect(answer: httpx2.Response, *statuses: int) -> httpx2.Response:
    """The answer, which must have one of these statuses.

    Raises:
        ConfigurationError: it has another one.
    """
    if answer.status_code not in statuses:
        raise ConfigurationError(f"{answer.request.url} answered {answer.status_code}: {answer.text[:500]}")
    return answer


def _waits() -> Iterable[float]:
    wait = _FIRST_WAIT_S
    while True:
        yield wait
        wait = min(wait * 2, _LONGEST_WAIT_S)


def _retry_after(answer: httpx2.Response | None) -> float | None:
    try:
        asked = float(answer.headers["Retry-After"]) if answer else 0
    except (KeyError, ValueError):  # none, or a date: our own waits will do
        return None
    return min(max(asked, 0), _LONGEST_WAIT_S) or None


def _known(answer: httpx2.Response) -> httpx2.Response:
    if answer.status_code in (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN):
        raise ConfigurationError(
            f"{answer.request.url} does not accept the credentials ({answer.status_code}): "
            "are they those of this stack? `signpost up` writes them anew"
        )
    return answer
