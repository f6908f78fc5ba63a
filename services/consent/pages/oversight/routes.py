"""Routes of the officer's pages; who may open which."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import APIRouter, Depends, FastAPI, Request, Response
from starlette.templating import Jinja2Templates

from services.consent.adapters.places import StoredCoverage
from services.consent.handlers.coverage import Coverages
from services.consent.pages.oversight.lines import bar, lines
from services.kernel.register import Register
from services.kernel.web.session import SignedIn, signed_in_as

Officer = Annotated[SignedIn, Depends(signed_in_as("data-protection-officer"))]
SeesAggregates = Annotated[SignedIn, Depends(signed_in_as("data-protection-officer", "senior-tutor", "representative"))]


@dataclass(frozen=True, slots=True)
class OversightPages:
    """What the pages stand on."""

    coverages: Coverages
    register: Register
    pages: Jinja2Templates

    def install(self, app: FastAPI) -> None:
        """Add the pages and their data for programs to the app."""
        app.include_router(self._coverage_routes())

    def _coverage_routes(self) -> APIRouter:
        router = APIRouter(include_in_schema=False)

        @router.get("/coverage")
        def page(request: Request, _: SeesAggregates) -> Response:
            context = {
                "coverage": self.coverages.newest(),
                "purposes": self.register.purposes,
                "lines": lines,
                "bar": bar,
            }
            return self.pages.TemplateResponse(request, "oversight/coverage.html", context)

        @router.get("/v1/coverage")
        def data(_: SeesAggregates) -> dict[str, Any]:
            return coverage_data(self.coverages.newest())

        return router


def coverage_data(newest: StoredCoverage | None) -> dict[str, Any]:
    """The table as JSON values; a hidden group has no figures, and says so by `students` null."""
    if newest is None:
        return {"day": None, "made_ms": None, "groups": []}
    groups = [
        {
            "module": row.module,
            "start_day": row.start_day,
            "mode": row.mode,
            "students": row.students,
            "shares": {purpose: f"{share.reads} {share.percent} %" for purpose, share in row.shares.items()},
        }
        for row in newest.table.rows
    ]
    return {"day": newest.day, "made_ms": newest.computed_ms, "groups": groups}
