"""The programs' interface: bulk registration."""

from __future__ import annotations

from dataclasses import asdict

from fastapi import APIRouter, Depends, HTTPException, Request
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import JSONResponse
from pydantic import SecretStr

from services.consent.api.registration_body import Reader
from services.consent.api.registration_forms import form_of
from services.consent.handlers.consents import Consents
from services.kernel.errors import InvalidMessage, TransientError
from services.kernel.web.session import program_as

MAX_BODY_BYTES = 32_000_000
_ERRORS_SHOWN = 100


def router(consents: Consents, reader: Reader, token: SecretStr | None) -> APIRouter:
    """`POST /v1/registration`: all decisions of the body, or, where one is wrong, none.

    With `?dry_run=true` nothing is recorded, and the answer says what would be.
    """
    router = APIRouter(prefix="/v1")
    registrar = Depends(program_as(role="administrator", own_token=token, variable="SIGNPOST_CONSENT__REGISTRAR_TOKEN"))

    @router.post("/registration", dependencies=[registrar])
    async def register(request: Request, dry_run: bool = False) -> JSONResponse:  # noqa: FBT001, FBT002 - FastAPI's form
        body = await _body(request)
        content_type = request.headers.get("content-type", "")
        return await run_in_threadpool(_register, consents, reader, body, content_type, dry_run=dry_run)

    return router


def _register(consents: Consents, reader: Reader, body: bytes, content_type: str, *, dry_run: bool) -> JSONResponse:
    try:
        decisions, errors = reader.read(body, form_of(content_type))
        if errors:
            shown = [asdict(error) for error in errors[:_ERRORS_SHOWN]]
            detail = f"{len(errors)} of the decisions cannot be used, and none was recorded."
            return JSONResponse({"detail": detail, "errors": shown, "not_shown": len(errors) - len(shown)}, 422)
        return JSONResponse({"dry_run": dry_run, **asdict(consents.register(decisions, dry_run=dry_run))})
    except InvalidMessage as error:
        return JSONResponse({"detail": str(error)}, 400)
    except TransientError as error:
        return JSONResponse({"detail": str(error)}, 503, {"Retry-After": "5"})


async def _body(request: Request) -> bytes:
    parts, size = [], 0
    async for part in request.stream():
        parts.append(part)
        size += len(part)
        if size > MAX_BODY_BYTES:
            raise HTTPException(413, f"A body holds at most {MAX_BODY_BYTES} bytes; send the decisions in several.")
    return b"".join(parts)
