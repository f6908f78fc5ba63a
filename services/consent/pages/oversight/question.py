"""The question about one student, one use and one moment: the only page of the officer's that is about a person.

Nothing is listed and nothing can be browsed: who is asked for has to be named, and why. The student is shown both.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any
from zoneinfo import ZoneInfo

from fastapi import APIRouter, Depends, Request, Response
from starlette.datastructures import FormData
from starlette.templating import Jinja2Templates

from services.consent.handlers.proof.permitted import PointInTime, WrongQuestion
from services.consent.handlers.requests.handling import Requests
from services.consent.pages.forms import Form
from services.kernel.web.i18n.choice import in_english
from services.kernel.web.session import SignedIn, csrf_checked, signed_in_as

Officer = Annotated[SignedIn, Depends(signed_in_as("data-protection-officer"))]
_ROLE = "data-protection-officer"
_FIELDS = ("person", "purpose", "source", "day", "time", "known", "reason")
_FIELD_OF = {"at": "day", "known_at": "day"}
_MEND = {
    "person": "Write the student’s id at the institution.",
    "purpose": "Choose a purpose.",
    "source": "Choose a system.",
    "day": "Choose a day and a time, neither in the future.",
    "reason": "Say why you ask, in at most 500 characters.",
}


@dataclass(frozen=True, slots=True)
class QuestionPages:
    """The form, and the answer above the form."""

    point_in_time: PointInTime
    requests: Requests
    zone: ZoneInfo
    pages: Jinja2Templates

    def router(self) -> APIRouter:
        """Its routes; asking is a form that is sent, since it leaves a trace."""
        router = APIRouter(include_in_schema=False, dependencies=[Depends(in_english)])

        @router.get("/oversight/question")
        def form(request: Request, _: Officer) -> Response:
            return self._page(request, dict.fromkeys(_FIELDS, ""))

        @router.post("/oversight/question", dependencies=[Depends(csrf_checked)])
        def ask(request: Request, officer: Officer, form: Form) -> Response:
            return self._ask(request, officer, _sent(form))

        return router

    def _ask(self, request: Request, officer: SignedIn, sent: Mapping[str, str]) -> Response:
        reader = self.point_in_time.pseudonyms.of(officer.person_id)
        try:
            asked = self.point_in_time.read(self._as_written(sent), reader, _ROLE)
        except WrongQuestion as error:
            wrong = {_FIELD_OF.get(part.field, part.field) for part in error.errors}
            return self._page(request, sent, 422, errors={field: _MEND[field] for field in _MEND if field in wrong})
        answer = self.point_in_time.answer(asked)
        mistyped = answer.event is None and self.requests.may_be_mistyped(asked.student)
        return self._page(request, sent, asked=asked, answer=answer, mistyped=mistyped)

    def _as_written(self, sent: Mapping[str, str]) -> dict[str, str]:
        """The question as the use case reads it: the moment with the offset of the institution's zone."""
        parts = {name: sent[name] for name in ("person", "purpose", "source", "reason")}
        try:
            at = dt.datetime.fromisoformat(f"{sent['day']}T{sent['time']}").replace(tzinfo=self.zone)
        except ValueError:
            return parts
        now = dt.datetime.fromtimestamp(self.point_in_time.clock.now_ms() / 1000, self.zone)
        return parts | {"at": at.isoformat()} | ({"known_at": now.isoformat()} if sent["known"] == "now" else {})

    def _page(self, request: Request, sent: Mapping[str, str], status: int = 200, **context: Any) -> Response:
        register = self.point_in_time.register
        shared = {"sent": sent, "purposes": register.askable, "sources": register.source, "errors": {}, "answer": None}
        return self.pages.TemplateResponse(request, "oversight/question.html", shared | context, status_code=status)


def _sent(form: FormData) -> dict[str, str]:
    return {name: value if isinstance(value := form.get(name, ""), str) else "" for name in _FIELDS}
