"""The directory import over HTTP: thin translation between requests and the use case."""

from __future__ import annotations

from fastapi import APIRouter, Depends, Request
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import JSONResponse
from msgspec import to_builtins
from pydantic import SecretStr
from sqlalchemy import Engine

from services.kernel.ids import Pseudonyms
from services.kernel.outbox import OutboxRelay
from services.kernel.settings import required
from services.kernel.web.session import program_as
from services.notify.handlers import directory as handlers
from services.notify.handlers.directory import DirectoryRefused
from services.notify.handlers.gate import Gate
from services.notify.handlers.unit import Unit

_VARIABLE = "SIGNPOST_NOTIFY__DIRECTORY_TOKEN"


def directory(
    engine: Engine, gate: Gate, pseudonyms: Pseudonyms, token: SecretStr | None, relay: OutboxRelay
) -> APIRouter:
    """The route of the import."""
    router = APIRouter(prefix="/v1", tags=["directory"])
    required(token, _VARIABLE)
    authorised = Depends(program_as(role="administrator", own_token=token, variable=_VARIABLE))

    @router.post("/directory", dependencies=[authorised])
    async def put(request: Request) -> JSONResponse:
        """Insert people, modules, enrolments and tutoring, or bring them up to date; whole or not at all.

        Sending the same again changes nothing. The tutors listed for a student replace those before.
        """
        body = await request.body()
        try:
            counts = await run_in_threadpool(take, body)
        except DirectoryRefused as error:
            return JSONResponse({"detail": str(error), "errors": to_builtins(error.errors)}, status_code=422)
        return JSONResponse({"accepted": counts})

    def take(body: bytes) -> dict[str, int]:
        wanted = handlers.read(body)
        with engine.begin() as tx:
            counts = handlers.take(Unit.of(tx), gate, pseudonyms, wanted)
        relay.wake()
        return counts

    return router
