"""After a change: did it work? What was recorded, and from when on each service obeys it, while the student watches."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated

from fastapi import APIRouter, HTTPException, Query, Request, Response

from services.consent.handlers.propagation import Propagation
from services.consent.pages.student.parts import Parts, Student
from services.consent.pages.student.records import Record, Records
from services.kernel.web.session import SignedIn

# Seconds until the page looks again by itself. Nearly always the first looks suffice; after the last it says so.
_PAUSES = (0.5, 0.5, 1, 1, 2, 2, 3, 5, 5, 10, 10, 20, 30, 30)


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a version has come: each service with since when it obeys it.

    Attributes:
        look: how often the page has looked before.
    """

    version: int
    services: Mapping[str, int | None]
    only_ends: bool
    look: int

    @property
    def known(self) -> int:
        """How many services obey it."""
        return sum(at_ms is not None for at_ms in self.services.values())

    @property
    def everywhere_ms(self) -> int | None:
        """Since when all of them do."""
        times = [at_ms for at_ms in self.services.values() if at_ms is not None]
        return max(times) if times and len(times) == len(self.services) else None

    @property
    def pause_s(self) -> float | None:
        """After how many seconds to look again; None when all is known, or after the last look."""
        ended = self.everywhere_ms is not None or self.look >= len(_PAUSES)
        return None if ended else _PAUSES[self.look]


@dataclass(frozen=True, slots=True)
class After:
    """The routes `/decisions/{version}` and, for the part of it that changes, `/decisions/{version}/applied`."""

    parts: Parts
    propagation: Propagation

    def router(self) -> APIRouter:
        """The routes."""
        routes = APIRouter(include_in_schema=False)
        routes.add_api_route("/decisions/{version}", self.show, methods=["GET"])
        routes.add_api_route("/decisions/{version}/applied", self.look_again, methods=["GET"])
        return routes

    def show(self, request: Request, student: Student, version: int) -> Response:
        """The whole page."""
        record = self._record(student, version)
        context = {"record": record, "progress": self._progress(student, record, 0)}
        return self.parts.page(request, "after.html", context)

    def look_again(
        self,
        request: Request,
        student: Student,
        version: int,
        look: Annotated[int, Query(ge=0, le=100)] = 0,
        known: Annotated[int, Query(ge=0, le=100)] = 0,
    ) -> Response:
        """When to look next, and how it stands if more is known than before."""
        progress = self._progress(student, self._record(student, version), look)
        context = {"progress": progress, "news": progress.known != known or progress.pause_s is None}
        return self.parts.page(request, "applied.html", context)

    def _record(self, student: SignedIn, version: int) -> Record:
        record = Records(self.parts.history(student), self.parts.asked, self.parts.notices).of(version)
        if record is None:
            raise HTTPException(404)
        return record

    def _progress(self, student: SignedIn, record: Record, look: int) -> Progress:
        services = self.propagation.applied(self.parts.pseudonym(student), record.version)
        return Progress(record.version, services, record.only_ends, look)
