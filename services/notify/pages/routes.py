"""The tutor's pages: thin translation between requests, use cases and templates."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any

from fastapi import APIRouter, Depends, FastAPI, Form, Request, Response
from sqlalchemy import Engine
from starlette.responses import RedirectResponse
from starlette.templating import Jinja2Templates

from services.kernel.web.pages import Link
from services.kernel.web.session import SignedIn, csrf_checked, flash, signed_in_as
from services.notify.domain import OUTCOMES, NotPossible
from services.notify.handlers import casework
from services.notify.handlers.casework import CaseView, NoLongerAvailable, NotYours
from services.notify.handlers.gate import Gate, NotNow
from services.notify.handlers.unit import Unit
from services.notify.pages import view as views

Tutor = Annotated[SignedIn, Depends(signed_in_as("tutor"))]
NAVIGATION = (Link("My students", "/tutor", ("tutor",)),)
_FORM = [Depends(csrf_checked)]
_SHOWN_FIRST = 12


def install(app: FastAPI, engine: Engine, gate: Gate, pages: Jinja2Templates) -> None:
    """Add the pages, and what is shown where a case cannot be."""
    app.include_router(_Pages(engine, gate, pages).router())
    app.add_exception_handler(NotYours, _page(pages, "not_found.html", 404))
    app.add_exception_handler(NoLongerAvailable, _page(pages, "no_longer_available.html", 410))
    app.add_exception_handler(NotNow, _page(pages, "not_now.html", 503, {"Retry-After": "5"}))


class _Pages:
    def __init__(self, engine: Engine, gate: Gate, pages: Jinja2Templates) -> None:
        self._engine, self._gate, self._pages = engine, gate, pages

    def router(self) -> APIRouter:
        """The routes."""
        router = APIRouter(include_in_schema=False)
        router.add_api_route("/", self.start, methods=["GET"])
        router.add_api_route("/tutor", self.my_students, methods=["GET"])
        case = "/tutor/cases/{case_id}"
        router.add_api_route(case, self.case, methods=["GET"])
        router.add_api_route(f"{case}/acknowledge", self.acknowledge, methods=["POST"], dependencies=_FORM)
        router.add_api_route(f"{case}/close", self.choose_outcome, methods=["GET"])
        router.add_api_route(f"{case}/close/check", self.check_outcome, methods=["POST"], dependencies=_FORM)
        router.add_api_route(f"{case}/close", self.close, methods=["POST"], dependencies=_FORM)
        return router

    def start(self) -> Response:
        return RedirectResponse("/tutor", status_code=303)

    def my_students(self, request: Request, tutor: Tutor) -> Response:
        with self._engine.begin() as tx:
            unit = Unit.of(tx)
            found = casework.open_cases(unit, self._gate, tutor.person_id)
            words = views.words(unit, self._gate.register, found)
        rows = [views.row(words, view) for view in found]
        context = {"answer": words.whom_first(found), "rows": rows[:_SHOWN_FIRST], "more": rows[_SHOWN_FIRST:]}
        return self._pages.TemplateResponse(request, "my_students.html", context)

    def case(self, request: Request, tutor: Tutor, case_id: str) -> Response:
        with self._engine.begin() as tx:
            unit = Unit.of(tx)
            found = casework.one_case(unit, self._gate, tutor.person_id, case_id)
            context = views.page(unit, self._gate.register, found)
        return self._pages.TemplateResponse(request, "case.html", context)

    def acknowledge(self, request: Request, tutor: Tutor, case_id: str) -> Response:
        self._try(request, lambda unit: casework.acknowledge(unit, self._gate, tutor.person_id, case_id), "Taken on.")
        return RedirectResponse(f"/tutor/cases/{case_id}", status_code=303)

    def choose_outcome(self, request: Request, tutor: Tutor, case_id: str, outcome: str = "") -> Response:
        found = self._case(tutor, case_id)
        context = {"view": found, "outcomes": OUTCOMES, "chosen": outcome, "errors": {}}
        return self._pages.TemplateResponse(request, "close.html", context)

    def check_outcome(
        self, request: Request, tutor: Tutor, case_id: str, outcome: Annotated[str, Form()] = ""
    ) -> Response:
        found = self._case(tutor, case_id)
        if outcome not in OUTCOMES:
            wrong = {"outcome": "Choose what came of this case."}
            context: dict[str, Any] = {"view": found, "outcomes": OUTCOMES, "chosen": "", "errors": wrong}
            return self._pages.TemplateResponse(request, "close.html", context, status_code=422)
        context = {"view": found, "outcome": outcome, "words": OUTCOMES[outcome]}
        return self._pages.TemplateResponse(request, "close_check.html", context)

    def close(self, request: Request, tutor: Tutor, case_id: str, outcome: Annotated[str, Form()] = "") -> Response:
        self._try(
            request, lambda unit: casework.close(unit, self._gate, tutor.person_id, case_id, outcome), "Case closed."
        )
        return RedirectResponse(f"/tutor/cases/{case_id}", status_code=303)

    def _case(self, tutor: SignedIn, case_id: str) -> CaseView:
        with self._engine.begin() as tx:
            return casework.one_case(Unit.of(tx), self._gate, tutor.person_id, case_id)

    def _try(self, request: Request, step: Callable[[Unit], None], done: str) -> None:
        try:
            with self._engine.begin() as tx:
                step(Unit.of(tx))
        except NotPossible as error:
            flash(request, str(error), "attention")
        else:
            flash(request, done)


def _page(
    pages: Jinja2Templates, template: str, status: int, headers: dict[str, str] | None = None
) -> Callable[[Request, Exception], Response]:
    def answer(request: Request, _error: Exception) -> Response:
        return pages.TemplateResponse(request, template, status_code=status, headers=headers)

    return answer
