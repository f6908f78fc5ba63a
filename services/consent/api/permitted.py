"""`GET /v1/permitted`: was that permitted then, and by which event? For the data protection officer."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated

from fastapi import APIRouter, Depends, Request
from fastapi.responses import JSONResponse

from services.consent.handlers.proof.permitted import PointInTime, WrongQuestion, as_json
from services.kernel.web.session import SignedIn, signed_in_as

_ROLE = "data-protection-officer"
_PARTS = ("person", "purpose", "source", "at", "known_at", "reason")
Officer = Annotated[SignedIn, Depends(signed_in_as("data-protection-officer"))]


def router(point_in_time: PointInTime) -> APIRouter:
    """The one route."""
    router = APIRouter(prefix="/v1")

    @router.get("/permitted")
    def permitted(request: Request, officer: Officer) -> JSONResponse:
        asked = {part: request.query_params.get(part, "") for part in _PARTS}
        if unknown := sorted(request.query_params.keys() - set(_PARTS)):
            detail = f"There is no {', '.join(unknown)} in a question; it has {', '.join(_PARTS)}."
            return JSONResponse({"detail": detail, "errors": []}, 422)
        try:
            question = point_in_time.read(asked, point_in_time.pseudonyms.of(officer.person_id), _ROLE)
        except WrongQuestion as error:
            detail = "The question cannot be answered as it is written."
            return JSONResponse({"detail": detail, "errors": [asdict(wrong) for wrong in error.errors]}, 422)
        return JSONResponse(as_json(question, point_in_time.answer(question)))

    return router
