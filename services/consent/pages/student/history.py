"""Everything that a student has decided, or that ended, the latest first."""

from __future__ import annotations

from dataclasses import dataclass

from fastapi import APIRouter, Request, Response

from services.consent.handlers.propagation import Propagation
from services.consent.pages.student.parts import Parts, Student
from services.consent.pages.student.records import Records


@dataclass(frozen=True, slots=True)
class History:
    """The route `/history`."""

    parts: Parts
    propagation: Propagation

    def router(self) -> APIRouter:
        """The route."""
        routes = APIRouter(include_in_schema=False)
        routes.add_api_route("/history", self.show, methods=["GET"])
        return routes

    def show(self, request: Request, student: Student) -> Response:
        """The page."""
        parts = self.parts
        records = Records(parts.history(student), parts.asked, parts.notices)
        context = {
            "records": records.newest_first(),
            "everywhere": self.propagation.everywhere(parts.pseudonym(student)),
            "known": parts.notices.known,
        }
        return parts.page(request, "history.html", context)
