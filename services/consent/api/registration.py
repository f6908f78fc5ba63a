"""The programs' interface: bulk registration."""

from __future__ import annotations

import hmac
from dataclasses import asdict
from typing import Annotated

from fastapi import APIRouter, Depends, HTTPException, Request
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import JSONResponse
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from pydantic import SecretStr

from services.consent.api.registration_body import Reader
from services.consent.handlers.consents import Consents
from services.kernel.errors import InvalidMessage, TransientError

MAX_BODY_BYTES = 32_000_000
_ERRORS_SHOWN = 100
_VARIABLE = "SIGNPOST_CONSENT__REGISTRAR_TOKEN"
_bearer = HTTPBearer(auto_error=False)


def router(consents: Consents, reader: Reader, token: SecretStr | None) -> APIRouter:
    """`POST /v1/registration`: all decisions of the body, or, where one is wrong, none."""
    router = APIRouter(prefix="/v1")

    def registrar(sent: Annotated[HTTPAuthorizationCredentials | None, Depends(_bearer)]) -> None:
        if token is None:
            raise HTTPException(403, f"Bulk registration is switched off: {_VARIABLE} is not set.")
        if sent is None or not _same(sent.credentials, token.get_secret_value()):
            problem = f"Send 'Authorization: Bearer TOKEN' with the token of {_VARIABLE}."
            raise HTTPException(401, problem, {"WWW-Authenticate": "Bearer"})

    @router.post("/registration", dependencies=[Depends(registrar)])
    async def register(request: Request) -> JSONResponse:
        body = await _body(request)
        return await run_in_threadpool(_register, consents, reader, body)

    return router


def _register(consents: Consents, reader: Reader, body: bytes) -> JSONResponse:
    try:
        decisions, errors = reader.read(body)
        if errors:
            shown = [asdict(error) for error in errors[:_ERRORS_SHOWN]]
            detail = f"{len(errors)} of the decisions cannot be used, and none was recorded."
            return JSONResponse({"detail": detail, "errors": shown, "not_shown": len(errors) - len(shown)}, 422)
        return JSONResponse(asdict(consents.register(decisions)))
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


def _same(sent: str, token: str) -> bool:
    return hmac.compare_digest(sent.encode(), token.encode())
