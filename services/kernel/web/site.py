"""Puts the shared look, sign-in and safety into a service's app."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from urllib.parse import urlencode

from fastapi import FastAPI, Request, Response
from fastapi.exception_handlers import http_exception_handler
from starlette.exceptions import HTTPException
from starlette.responses import RedirectResponse
from starlette.staticfiles import StaticFiles
from starlette.templating import Jinja2Templates

from services.kernel.settings import Settings
from services.kernel.web.headers import SecurityHeaders
from services.kernel.web.pages import STATIC
from services.kernel.web.session import ForgedForm, RoleNeeded, SignInNeeded, add_sessions
from services.kernel.web.signin import router

_NOT_FOUND = 404


def install(app: FastAPI, settings: Settings, pages: Jinja2Templates) -> None:
    """Give the app sessions, sign-in and sign-out, static files, safe headers and pages for what can go wrong."""
    add_sessions(app, settings)
    app.add_middleware(SecurityHeaders)
    app.mount("/static", StaticFiles(directory=STATIC), name="static")
    app.include_router(router(settings, pages))
    app.add_exception_handler(SignInNeeded, _to_sign_in)
    app.add_exception_handler(RoleNeeded, _page(pages, "role_needed.html", 403))
    app.add_exception_handler(ForgedForm, _page(pages, "forged_form.html", 403))
    app.add_exception_handler(HTTPException, _not_found(pages))


async def _to_sign_in(request: Request, _error: Exception) -> Response:
    here = request.url.path + (f"?{request.url.query}" if request.url.query else "")
    then = {"next": here} if request.method == "GET" else {}
    return RedirectResponse(f"/sign-in?{urlencode(then)}" if then else "/sign-in", status_code=303)


_Handler = Callable[[Request, Exception], Awaitable[Response]]


def _page(pages: Jinja2Templates, template: str, status: int) -> _Handler:
    async def answer(request: Request, error: Exception) -> Response:
        return pages.TemplateResponse(request, template, {"error": error}, status_code=status)

    return answer


def _not_found(pages: Jinja2Templates) -> _Handler:
    """A page for a person, JSON for a program."""
    page = _page(pages, "not_found.html", _NOT_FOUND)

    async def answer(request: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException)
        if error.status_code == _NOT_FOUND and "text/html" in request.headers.get("accept", ""):
            return await page(request, error)
        return await http_exception_handler(request, error)

    return answer
