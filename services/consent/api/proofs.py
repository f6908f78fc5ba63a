"""What anybody needs to check what the service has signed: its public keys, and an anchor to keep."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Depends, HTTPException
from fastapi.responses import JSONResponse
from sqlalchemy import Engine

from services.consent.adapters import anchors
from services.consent.signing import Keys
from services.kernel.database import reading, unless_away
from services.kernel.web.session import SignedIn, signed_in_as

KEYS = "/.well-known/jwks.json"
_Overseer = Annotated[SignedIn, Depends(signed_in_as("data-protection-officer", "representative"))]


def router(engine: Engine, keys: Keys) -> APIRouter:
    """The public keys for everybody; the newest anchor for those who oversee the service, to keep elsewhere."""
    router = APIRouter()

    @router.get(KEYS)
    def public_keys() -> JSONResponse:
        headers = {"Cache-Control": "public, max-age=300"}
        return JSONResponse(keys.public, headers=headers, media_type="application/jwk-set+json")

    @router.get("/v1/anchors/latest")
    def newest_anchor(_: _Overseer) -> dict[str, Any]:
        with unless_away(), reading(engine) as transaction:
            signed = anchors.last_signed(transaction)
        if signed is None:
            raise HTTPException(404, "No anchor was signed yet: that happens within a minute after the first decision.")
        return {"anchor": signed, "keys": KEYS}

    return router
