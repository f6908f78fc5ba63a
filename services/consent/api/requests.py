"""Requests for programs: a student's own, and what staff have to answer."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

import msgspec
from fastapi import APIRouter, Depends, Request
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import JSONResponse
from msgspec import Meta, Struct

from services.consent.domain.requests import request as domain
from services.consent.domain.requests.deadlines import Deadline
from services.consent.domain.requests.drafts import IN_ENGLISH, Draft
from services.consent.handlers.requests.handling import new_id
from services.consent.pages.requests.parts import Parts
from services.kernel.web.session import SignedIn, csrf_checked, signed_in_as

Student = Annotated[SignedIn, Depends(signed_in_as("student"))]
_MOST_BYTES = 64_000
_STAFF = [Depends(signed_in_as("administrator", "data-protection-officer"))]


class NewRequest(Struct, frozen=True, forbid_unknown_fields=True):
    """The body of a new request; see `drafts.Draft`."""

    kind: str
    words: Annotated[str, Meta(pattern=r"^[^\0]*$")] = ""
    about: tuple[Annotated[str, Meta(max_length=200)], ...] = ()
    language: str = "en"


def router(parts: Parts) -> APIRouter:
    """`GET` and `POST /v1/me/requests` for a student, `GET /v1/requests` for staff."""
    router = APIRouter(prefix="/v1")

    @router.get("/me/requests")
    def mine(student: Student) -> dict[str, Any]:
        found = parts.requests.of_student(parts.pseudonyms.of(student.person_id))
        return {"requests": [_told(asked, parts.requests.deadline(asked)) for asked in found]}

    @router.post("/me/requests", dependencies=[Depends(csrf_checked)])
    async def make(request: Request, student: Student) -> JSONResponse:
        if "form" in request.headers.get("content-type", ""):
            return JSONResponse({"detail": "Send JSON, as application/json."}, 415)
        body = await request.body()
        return await run_in_threadpool(_make, parts, student, body)

    @router.get("/requests", dependencies=_STAFF)
    def all_of(state: Literal["open", "closed"] = "open") -> dict[str, Any]:
        found = parts.requests.standing(state)
        return {"requests": [_listed(asked, parts.requests.deadline(asked)) for asked in found]}

    return router


def _make(parts: Parts, student: SignedIn, body: bytes) -> JSONResponse:
    if len(body) > _MOST_BYTES:
        return JSONResponse({"detail": f"A request holds at most {_MOST_BYTES} bytes."}, 413)
    try:
        sent = msgspec.json.decode(body, type=NewRequest)
    except msgspec.MsgspecError as error:
        shape = '{"kind": …, "words": …, "about": […], "language": …}, of which only the kind is always needed'
        return JSONResponse({"detail": f"{error}: send {shape}"}, 400)
    draft = Draft(
        new_id(), sent.kind, sent.words, sent.about, sent.language, student.person_id, "portal", parts.today.isoformat()
    )
    if problems := parts.problems(draft):
        errors: Mapping[str, str] = {field: IN_ENGLISH[problem] for field, problem in problems.items()}
        return JSONResponse({"detail": "The request was not made.", "errors": errors}, 422)
    pseudonym = parts.pseudonyms.of(student.person_id)
    made = parts.requests.open(draft.opened(pseudonym, "student", "student", parts.clock.now_ms()))
    return JSONResponse(_told(made, parts.requests.deadline(made)), 201, {"Location": f"/requests/{made.id}"})


def _listed(asked: domain.Request, due: Deadline) -> dict[str, Any]:
    """A request without its words."""
    return {
        "id": asked.id,
        "kind": asked.kind,
        "state": asked.state,
        "channel": asked.channel,
        "language": asked.language,
        "received_day": asked.received_day,
        "about": list(asked.about),
        "extended": asked.last("extended") is not None,
        "deadline": {
            "task": due.task,
            "day": due.day.isoformat(),
            "days_left": due.days_left,
            "running": due.running,
            "overdue": due.overdue,
        },
    }


def _told(asked: domain.Request, due: Deadline) -> dict[str, Any]:
    """A request with its history, as its student may see it."""
    history = [
        {"at_ms": event.at_ms, "what": event.what, "by": event.role, "text": event.text, "reason": event.reason}
        for event in asked.events
    ]
    return _listed(asked, due) | {"history": history}
