"""Routes of the officer's pages and their data for programs; who may open which."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import APIRouter, Depends, FastAPI, HTTPException, Request, Response
from starlette.responses import RedirectResponse
from starlette.templating import Jinja2Templates

from services.consent.handlers.coverage import Coverages
from services.consent.handlers.oversight import Oversight
from services.consent.pages.oversight import data
from services.consent.pages.oversight.lines import bar, lines
from services.consent.pages.oversight.question import QuestionPages
from services.consent.pages.oversight.verdict import duration, judge
from services.kernel.register import Register
from services.kernel.web.i18n.choice import in_english
from services.kernel.web.session import SignedIn, csrf_checked, flash, signed_in_as

Officer = Annotated[SignedIn, Depends(signed_in_as("data-protection-officer"))]
SeesAggregates = Annotated[SignedIn, Depends(signed_in_as("data-protection-officer", "senior-tutor", "representative"))]


@dataclass(frozen=True, slots=True)
class OversightPages:
    """What the pages stand on."""

    oversight: Oversight
    coverages: Coverages
    questions: QuestionPages
    register: Register
    pages: Jinja2Templates

    def install(self, app: FastAPI) -> None:
        """Add the pages and their data for programs to the app."""
        app.include_router(self._report())
        app.include_router(self._coverage())
        app.include_router(self.questions.router())

    def _report(self) -> APIRouter:
        router = APIRouter(include_in_schema=False, dependencies=[Depends(in_english)])

        @router.get("/oversight")
        def page(request: Request, _: Officer) -> Response:
            report = self.oversight.report()
            return self._page(
                request, "report.html", {"report": report, "verdict": judge(report), "duration": duration}
            )

        @router.post("/oversight/verify", dependencies=[Depends(csrf_checked)])
        def verify(request: Request, _: Officer) -> Response:
            self.oversight.verify_now()
            flash(request, "The ledger is being checked. Look again in a moment.")
            return RedirectResponse("/oversight#ledger", status_code=303)

        @router.get("/oversight/checking")
        def checking(request: Request, _: Officer) -> Response:
            """The part of the page that tells of a check; once it has ended, the whole page is to be read again."""
            known = self.oversight.ledger()
            again = {} if known.checking else {"HX-Refresh": "true"}
            context = {"ledger": known}
            return self.pages.TemplateResponse(request, "oversight/checking.html", context, headers=again)

        @router.get("/oversight/anchor")
        def anchor(_: Officer) -> Response:
            newest = self.oversight.newest_anchor()
            if newest is None:
                raise HTTPException(404, "No anchor was signed yet; it comes within a minute of the first decision.")
            file = {"Content-Disposition": 'attachment; filename="signpost-anchor.jws"'}
            return Response(newest, media_type="application/jose", headers=file)

        @router.get("/v1/oversight")
        def report_data(_: Officer) -> dict[str, Any]:
            report = self.oversight.report()
            return data.report(report, judge(report)) | {"coverage": data.coverage(self.coverages.newest())}

        return router

    def _coverage(self) -> APIRouter:
        router = APIRouter(include_in_schema=False, dependencies=[Depends(in_english)])

        @router.get("/coverage")
        def page(request: Request, _: SeesAggregates) -> Response:
            return self._page(request, "coverage.html", {})

        @router.get("/v1/coverage")
        def coverage_data(_: SeesAggregates) -> dict[str, Any]:
            return data.coverage(self.coverages.newest())

        return router

    def _page(self, request: Request, template: str, context: dict[str, Any]) -> Response:
        newest = self.coverages.newest()
        told = newest.table.purposes if newest else ()
        purposes = [purpose for purpose in self.register.purposes if purpose.name in told]
        shared = {"coverage": newest, "purposes": purposes, "lines": lines, "bar": bar}
        return self.pages.TemplateResponse(request, f"oversight/{template}", shared | context)
