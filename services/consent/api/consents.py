"""`GET /v1/me/consents`: how a student's consents stand, for programs of theirs."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Depends

from services.consent.domain.decisions import ruling, standing
from services.consent.handlers.consents import Consents
from services.kernel.clock import Clock
from services.kernel.ids import Pseudonyms
from services.kernel.web.session import SignedIn, signed_in_as

Student = Annotated[SignedIn, Depends(signed_in_as("student"))]


def router(consents: Consents, pseudonyms: Pseudonyms, clock: Clock) -> APIRouter:
    """The one route; nobody gets those of another."""
    router = APIRouter(prefix="/v1")

    @router.get("/me/consents")
    def mine(student: Student) -> dict[str, Any]:
        history, now_ms = consents.history(pseudonyms.of(student.person_id)), clock.now_ms()
        cells = [
            {
                "purpose": event.decision.purpose,
                "source": event.decision.source,
                "state": standing(event, now_ms),
                "from_ms": event.decision.from_ms,
                "until_ms": event.decision.until_ms,
                "notice": event.decision.notice,
            }
            for event in ruling(history).values()
        ]
        return {"version": history[-1].version if history else 0, "consents": cells}

    return router
