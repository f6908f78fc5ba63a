"""Which source system is asking, and whether it may."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Annotated

from fastapi import Request, Security
from fastapi.security import HTTPBasic, HTTPBearer

from services.ingest.adapters.sources import Format, Scope, Source, Sources
from services.ingest.http.answers import Rejected

# For the OpenAPI document only; the header is read once, for both schemes.
_BASIC = HTTPBasic(auto_error=False, description="The source system's name and key.")
_BEARER = HTTPBearer(auto_error=False, description="`name.key` of the source system.")

Allowed = Callable[..., Awaitable[Source]]


def allowed(sources: Sources, scope: Scope, format_: Format | None = None) -> Allowed:
    """A dependency that gives the source system, if it has the scope and may speak the format."""

    async def check(
        request: Request, _basic: Annotated[object, Security(_BASIC)], _bearer: Annotated[object, Security(_BEARER)]
    ) -> Source:
        source = sources.authenticate(request.headers.get("authorization"))
        if source is None:
            challenge = {"WWW-Authenticate": 'Basic realm="signpost"'}
            raise Rejected(401, "unknown-source", "Send the name and key of a source system.", challenge)
        if scope not in source.scopes:
            raise Rejected(403, "not-in-scope", f"This source system's entry lacks the scope {scope!r}.")
        if format_ is not None and format_ not in source.formats:
            raise Rejected(403, "not-its-format", f"This source system's entry lacks the format {format_!r}.")
        return source

    return check
