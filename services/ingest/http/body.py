"""Reading a request's body within bounds of size and time."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import Request

from services.ingest.http.answers import Rejected
from services.ingest.turnstile import Turnstile

PATIENCE_S = 30.0


@asynccontextmanager
async def bounded_body(request: Request, turnstile: Turnstile, limit: int) -> AsyncIterator[bytes]:
    """The body, while there is room for it inside.

    Raises:
        Rejected: it is compressed, larger than `limit` bytes, or does not arrive in time.
        TransientError: there is no room just now.
    """
    if request.headers.get("content-encoding", "identity").casefold() != "identity":
        raise Rejected(415, "compressed", "Compressed bodies are not taken; send it without Content-Encoding.")
    declared = request.headers.get("content-length", "")
    size = int(declared) if declared.isdecimal() else limit
    if size > limit:
        raise _too_large(limit)
    async with turnstile.room_for(size):
        try:
            async with asyncio.timeout(PATIENCE_S):
                body = await _read(request, limit)
        except TimeoutError:
            detail = f"The body did not arrive within {PATIENCE_S:.0f} s; send smaller batches."
            raise Rejected(408, "too-slow", detail) from None
        yield body


async def _read(request: Request, limit: int) -> bytes:
    parts, size = [], 0
    async for part in request.stream():
        size += len(part)
        if size > limit:
            raise _too_large(limit)
        parts.append(part)
    return b"".join(parts)


def _too_large(limit: int) -> Rejected:
    return Rejected(413, "too-large", f"The body is larger than {limit} bytes; send the events in smaller batches.")
