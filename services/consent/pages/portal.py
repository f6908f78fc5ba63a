"""The student's portal: puts its pages, and the one for when the records cannot be reached, into the service's app."""

from __future__ import annotations

from pathlib import Path

from fastapi import FastAPI, Request, Response
from starlette.responses import JSONResponse
from starlette.templating import Jinja2Templates

from services.consent.handlers.propagation import Propagation
from services.consent.pages.student.after import After
from services.consent.pages.student.choices import Choices
from services.consent.pages.student.history import History
from services.consent.pages.student.parts import Parts
from services.kernel.errors import TransientError
from services.kernel.web import site

TEMPLATES, LOCALE = Path(__file__).with_name("templates"), Path(__file__).with_name("locale")


def install(app: FastAPI, parts: Parts, propagation: Propagation, *, secure_cookies: bool) -> None:
    """Add the pages to the app."""
    app.include_router(Choices(parts, secure_cookies).router())
    app.include_router(After(parts, propagation).router())
    app.include_router(History(parts, propagation).router())
    app.add_exception_handler(TransientError, _try_again(parts.pages))


def _try_again(pages: Jinja2Templates) -> site.Handler:
    async def answer(request: Request, _error: Exception) -> Response:
        headers = {"Retry-After": "30"}
        if site.for_a_program(request):
            return JSONResponse(
                {"detail": "Our records cannot be reached just now; nothing was changed."}, 503, headers
            )
        return pages.TemplateResponse(request, "try_again.html", status_code=503, headers=headers)

    return answer
