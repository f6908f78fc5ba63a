"""The student's pages: what is asked, what they have said, and changing it; they work without JavaScript."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any
from zoneinfo import ZoneInfo

from fastapi import APIRouter, Depends, FastAPI, HTTPException, Request, Response
from starlette.datastructures import FormData
from starlette.responses import RedirectResponse
from starlette.templating import Jinja2Templates

from services.consent.domain.decisions import Cell, ConsentEvent, ruling, standing
from services.consent.handlers.consents import Consents
from services.consent.notices import Notices
from services.consent.pages import views
from services.kernel.clock import Clock
from services.kernel.errors import TransientError
from services.kernel.ids import Pseudonyms
from services.kernel.register import Register
from services.kernel.web.session import SignedIn, csrf_checked, flash, signed_in_as

TEMPLATES, LOCALE = Path(__file__).with_name("templates"), Path(__file__).with_name("locale")
_LANGUAGE = "en"


async def _sent(request: Request) -> FormData:
    return await request.form()


Student = Annotated[SignedIn, Depends(signed_in_as("student"))]
Form = Annotated[FormData, Depends(_sent)]


@dataclass(frozen=True, slots=True)
class Portal:
    """What the pages stand on."""

    consents: Consents
    register: Register
    notices: Notices
    pseudonyms: Pseudonyms
    clock: Clock
    zone: ZoneInfo
    pages: Jinja2Templates

    def install(self, app: FastAPI) -> None:
        """Add the pages, and the one for when the database is away, to the app."""
        app.include_router(self._routes())
        app.add_exception_handler(TransientError, self._try_again)

    def _routes(self) -> APIRouter:
        router = APIRouter(include_in_schema=False)

        @router.get("/")
        def choices(request: Request, student: Student) -> Response:
            return self._choices(request, student)

        @router.post("/choices/{purpose}", dependencies=[Depends(csrf_checked)])
        def choose(request: Request, student: Student, purpose: str, form: Form) -> Response:
            return self._choose(request, student, purpose, form)

        @router.post("/withdraw", dependencies=[Depends(csrf_checked)])
        def withdraw(request: Request, student: Student, form: Form) -> Response:
            return self._withdraw(request, student, form)

        @router.get("/decisions/{version}")
        def decision(request: Request, student: Student, version: int) -> Response:
            return self._decision(request, student, version)

        @router.get("/v1/me/consents")
        def mine(student: Student) -> dict[str, Any]:
            return self._mine(student)

        return router

    def _choices(
        self, request: Request, student: SignedIn, errors: Mapping[str, str] | None = None, status: int = 200
    ) -> Response:
        notice, now_ms = self.notices.in_force(_LANGUAGE), self.clock.now_ms()
        history = self._history(student)
        context = {
            "notice": notice,
            "purposes": views.purposes(self.register, notice, history, now_ms, self.zone),
            "errors": errors or {},
        }
        return self.pages.TemplateResponse(request, "choices.html", context, status_code=status)

    def _choose(self, request: Request, student: SignedIn, purpose: str, form: FormData) -> Response:
        if purpose not in self.register.purpose:
            raise HTTPException(404)
        if self._shown(form) is None:
            return self._read_again(request, student)
        choices = self._chosen(purpose, form)
        if not choices:
            first = f"{purpose}-{self.register.sources[0].name}"
            return self._choices(request, student, {first: "Choose yes or no for at least one system."}, 422)
        events = self.consents.answer(self._pseudonym(student), choices, self._shown(form) or ("", ""))
        return self._after(request, events, f"/#{purpose}")

    def _withdraw(self, request: Request, student: SignedIn, form: FormData) -> Response:
        # Taking back needs no reading: where the text has changed meanwhile, the one in force is what was shown last.
        notice = self.notices.in_force(_LANGUAGE)
        shown = self._shown(form) or (notice.version, notice.language)
        return self._after(request, self.consents.withdraw_all(self._pseudonym(student), shown), "/")

    def _after(self, request: Request, events: Sequence[ConsentEvent], otherwise: str) -> Response:
        if events:
            return RedirectResponse(f"/decisions/{events[0].version}", status_code=303)
        flash(request, "Nothing had to change: that is what is recorded already.")
        return RedirectResponse(otherwise, status_code=303)

    def _decision(self, request: Request, student: SignedIn, version: int) -> Response:
        history, notice = self._history(student), self.notices.in_force(_LANGUAGE)
        recorded = views.recorded(self.register, notice, history, version, self.zone)
        if not recorded:
            raise HTTPException(404)
        first = next(event for event in history if event.version == version)
        context = {"recorded": recorded, "recorded_ms": first.recorded_ms, "shown": first.decision.notice}
        return self.pages.TemplateResponse(request, "recorded.html", context)

    def _mine(self, student: SignedIn) -> dict[str, Any]:
        history, now_ms = self._history(student), self.clock.now_ms()
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

    def _read_again(self, request: Request, student: SignedIn) -> Response:
        flash(
            request,
            "Nothing was recorded: the text has changed since you read it. Please read and choose again.",
            "attention",
        )
        return self._choices(request, student, status=409)

    async def _try_again(self, request: Request, _: Exception) -> Response:
        return self.pages.TemplateResponse(request, "try_again.html", status_code=503, headers={"Retry-After": "30"})

    def _chosen(self, purpose: str, form: FormData) -> dict[Cell, bool]:
        everything = form.get("all")
        answers = {source: everything or form.get(source) for source in self.register.source}
        return {(purpose, source): said == "yes" for source, said in answers.items() if said in {"yes", "no"}}

    def _shown(self, form: FormData) -> tuple[str, str] | None:
        """The notice that the form says was read, if it is the one in force."""
        notice = self.notices.in_force(_LANGUAGE)
        in_force = (notice.version, notice.language)
        return in_force if (form.get("notice"), form.get("language")) == in_force else None

    def _history(self, student: SignedIn) -> list[ConsentEvent]:
        return self.consents.history(self._pseudonym(student))

    def _pseudonym(self, student: SignedIn) -> str:
        return self.pseudonyms.of(student.person_id)
