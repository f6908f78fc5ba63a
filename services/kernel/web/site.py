"""Puts the shared look, sign-in and safety into a service's app."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from urllib.parse import urlencode

from fastapi import FastAPI, Request, Response
from fastapi.exception_handlers import http_exception_handler
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException
from starlette.responses import RedirectResponse
from starlette.staticfiles import StaticFiles
from starlette.templating import Jinja2Templates

from services.kernel.metrics import SignInMetrics
from services.kernel.register import Register, load_register
from services.kernel.settings import Settings
from services.kernel.web.bearer import BearerTokens
from services.kernel.web.claims import Claims
from services.kernel.web.headers import SecurityHeaders
from services.kernel.web.i18n import choice
from services.kernel.web.i18n.catalogs import Languages, language
from services.kernel.web.pages import STATIC
from services.kernel.web.provider import Provider, SignInFailed
from services.kernel.web.session import (
    CHALLENGE,
    ForgedForm,
    RoleNeeded,
    SignInNeeded,
    TokenRefused,
    add_sessions,
    bearer_token,
    from_here,
    page_before,
)
from services.kernel.web.signin import SignIn, interrupted

_NOT_FOUND = 404
_SAYS_SO = 403
_TRY_LATER = {"unreachable", "wrong-provider", "not-set-up"}


def install(  # noqa: PLR0913 - what an app is made of, each named where it is wired
    app: FastAPI,
    settings: Settings,
    pages: Jinja2Templates,
    public_url: str,
    metrics: SignInMetrics,
    *,
    languages: Languages | None = None,
) -> None:
    """Give the app sessions, sign-in and sign-out, static files, safe headers and pages for what can go wrong.

    `public_url` is the app's address as browsers reach it: the provider sends them back there. `languages` are those
    that the app's pages are in; English only where none are given.
    """
    public_url = public_url.rstrip("/")
    provider = Provider(settings.sign_in)
    register = load_register(settings.register_file)
    claims = Claims(settings.sign_in, (role.name for role in register.roles))
    app.state.bearer_tokens = BearerTokens(settings.sign_in, provider, claims, metrics)
    app.add_middleware(choice.Speaking, languages=languages or Languages())
    add_sessions(app, settings)
    app.add_middleware(SecurityHeaders)
    app.mount("/static", StaticFiles(directory=STATIC), name="static")
    app.include_router(SignIn(provider, claims, settings.session, pages, public_url, metrics).router())
    app.include_router(choice.router(secure=settings.session.secure_cookies))
    app.add_exception_handler(SignInNeeded, _to_sign_in)
    app.add_exception_handler(TokenRefused, _token_refused)
    app.add_exception_handler(SignInFailed, _failed(pages, metrics, f"{public_url}/sign-in"))
    app.add_exception_handler(RoleNeeded, _role_needed(pages, register))
    app.add_exception_handler(ForgedForm, _forged(pages))
    app.add_exception_handler(HTTPException, _not_found(pages))


def for_a_program(request: Request) -> bool:
    """Whether the answer is read by a program rather than shown to a person."""
    reads = "text/html" not in request.headers.get("accept", "")
    return request.url.path.startswith("/v1/") or reads or bearer_token(request) is not None


async def _to_sign_in(request: Request, _error: Exception) -> Response:
    if request.headers.get("hx-request") == "true":  # a part of a page: the whole of it is loaded again, and leads on
        return Response(status_code=401, headers={"HX-Refresh": "true"})
    if for_a_program(request):
        return _json(401, "Sign in, or send an access token as 'Authorization: Bearer TOKEN'.", CHALLENGE)
    if request.method == "GET":
        here = request.url.path + (f"?{request.url.query}" if request.url.query else "")
    else:
        here = page_before(request)
        if from_here(request):  # a form of another site must not change the session, not even to an empty one
            interrupted(request)
    return RedirectResponse(f"/sign-in?{urlencode({'next': here})}", status_code=303)


async def _token_refused(_request: Request, error: Exception) -> Response:
    challenge = f'Bearer realm="signpost", error="invalid_token", error_description="{_quotable(error)}"'
    return _json(401, str(error), {"WWW-Authenticate": challenge})


Handler = Callable[[Request, Exception], Awaitable[Response]]


def _failed(pages: Jinja2Templates, metrics: SignInMetrics, sign_in_address: str) -> Handler:
    """A page with the way to try again, at the address to which the provider leads back; JSON for a program."""

    async def answer(request: Request, error: Exception) -> Response:
        assert isinstance(error, SignInFailed)
        status = 503 if error.reason in _TRY_LATER else 400
        headers = {"Retry-After": "30"} if status == 503 else None  # noqa: PLR2004 - HTTP's own number
        if for_a_program(request):
            return _json(
                status,
                "The university's sign-in cannot be reached, or is not set up, so nobody can be let in.",
                headers,
            )
        metrics.sign_ins.labels(error.reason).inc()
        context = {"reason": error.reason, "sign_in_address": sign_in_address}
        return pages.TemplateResponse(request, "sign_in_failed.html", context, status_code=status, headers=headers)

    return answer


def _role_needed(pages: Jinja2Templates, register: Register) -> Handler:
    """A page that says for whom it is for a person, JSON for a program."""

    async def answer(request: Request, error: Exception) -> Response:
        assert isinstance(error, RoleNeeded)
        if for_a_program(request):
            return _json(_SAYS_SO, str(error))
        titles = {role.name: role.told(language()).title for role in register.roles}
        context = {
            "wanted": [titles[name] for name in error.roles],
            "yours": [titles.get(n, n) for n in error.person.roles],
        }
        return pages.TemplateResponse(request, "role_needed.html", context, status_code=_SAYS_SO)

    return answer


def _forged(pages: Jinja2Templates) -> Handler:
    """A page that says how to go on for a person, JSON for a program."""

    async def answer(request: Request, _error: Exception) -> Response:
        if for_a_program(request):
            return _json(_SAYS_SO, "The form does not hold its session's own token.")
        return pages.TemplateResponse(request, "forged_form.html", status_code=_SAYS_SO)

    return answer


def _not_found(pages: Jinja2Templates) -> Handler:
    """A page for a person, JSON for a program."""

    async def answer(request: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException)
        if error.status_code == _NOT_FOUND and not for_a_program(request):
            return pages.TemplateResponse(request, "not_found.html", {"error": error}, status_code=_NOT_FOUND)
        return await http_exception_handler(request, error)

    return answer


def _json(status: int, detail: str, headers: Mapping[str, str] | None = None) -> Response:
    return JSONResponse({"detail": detail}, status, headers)


def _quotable(error: Exception) -> str:
    return str(error).replace('"', "'").encode("ascii", "replace").decode()
