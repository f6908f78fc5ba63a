"""A student's receipts, to download: of one decision, or of all."""

from __future__ import annotations

import json
from typing import Annotated, Any

from fastapi import APIRouter, Depends, HTTPException
from fastapi.responses import Response

from services.consent.handlers.consents import Consents
from services.consent.receipts.issuing import Receipts
from services.kernel.ids import Pseudonyms
from services.kernel.web.session import SignedIn, signed_in_as

Student = Annotated[SignedIn, Depends(signed_in_as("student"))]


def router(consents: Consents, receipts: Receipts, pseudonyms: Pseudonyms) -> APIRouter:
    """`GET /decisions/{version}/receipt` and `GET /v1/me/receipts`; nobody gets those of another."""
    router = APIRouter()

    @router.get("/decisions/{version}/receipt")
    def one(version: int, student: Student) -> Response:
        receipt = receipts.of(consents.history(pseudonyms.of(student.person_id)), version)
        if receipt is None:
            raise HTTPException(404, "You have no decision of that number: /v1/me/receipts lists those that you have.")
        return _file(f"receipt-{version}.json", receipt)

    @router.get("/v1/me/receipts")
    def everything(student: Student) -> Response:
        history = consents.history(pseudonyms.of(student.person_id))
        return _file("receipts.json", receipts.all(history))

    return router


def _file(name: str, content: dict[str, Any]) -> Response:
    headers = {"Content-Disposition": f'attachment; filename="{name}"'}
    return Response(json.dumps(content, ensure_ascii=False, indent=2), 200, headers, "application/json")
