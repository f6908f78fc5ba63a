"""The way in and out of a session: to the university's sign-in, back with an answer, and out of both."""

from __future__ import annotations

from dataclasses import dataclass

from fastapi import APIRouter, Request, Response
from starlette.responses import RedirectResponse
from starlette.templating import Jinja2Templates

from services.kernel.logs import log
from services.kernel.metrics import SignInMetrics
from services.kernel.settings import SessionSettings
from services.kernel.web.claims import ClaimMissing, Claims
from services.kernel.web.i18n.catalogs import gettext as _
from services.kernel.web.pages import start
from services.kernel.web.provider import Provider, SignInFailed
from services.kernel.web.session import csrf_checked, flash, sign_in, sign_out, visitor

CALLBACK, SIGNED_OUT = "/sign-in/callback", "/signed-out"
_NEXT, _INTERRUPTED = "next", "interrupted"
_LONGEST_PATH = 500  # it travels in the session cookie
_log = log(__name__)


def local_path(path: str) -> str:
    """The path if it stays on this site, else the start page."""
    stays = path.startswith("/") and not path.startswith(("//", "/\\")) and path.isprintable()
    goes_round = path.startswith(("/sign-in", "/sign-out", SIGNED_OUT))
    return path if stays and not goes_round and len(path) <= _LONGEST_PATH else "/"


def interrupted(request: Request) -> None:
    """Remember that a form came after its session had ended: the person is told so once they are signed in."""
    request.session[_INTERRUPTED] = True


@dataclass(frozen=True, slots=True)
class SignIn:
    """The routes `/sign-in`, `/sign-in/callback`, `/sign-out` and `/signed-out`."""

    provider: Provider
    claims: Claims
    sessions: SessionSettings
    pages: Jinja2Templates
    public_url: str
    metrics: SignInMetrics

    def router(self) -> APIRouter:
        """The routes."""
        routes = APIRouter(include_in_schema=False)
        routes.add_api_route("/sign-in", self.begin, methods=["GET"])
        routes.add_api_route(CALLBACK, self.finish, methods=["GET"])
        routes.add_api_route("/sign-out", self.leave, methods=["POST"])
        routes.add_api_route(SIGNED_OUT, self.signed_out, methods=["GET"])
        return routes

    async def begin(self, request: Request, next: str = "/") -> Response:  # noqa: A002 - the query's own word
        """Off to the provider; afterwards to the local path `next`."""
        request.session[_NEXT] = local_path(next)
        return await self.provider.begin(request, f"{self.public_url}{CALLBACK}")

    async def finish(self, request: Request) -> Response:
        """Back from the provider: begin the session, or say why there is none."""
        try:
            claims = await self.provider.finish(request)
        except SignInFailed as error:
            known = visitor(request)
            if error.reason == "expired" and known is not None:  # by another tab, or by going back to this
                return RedirectResponse(start(self.pages, known), status_code=303)
            raise
        if not self.claims.complete(claims):
            claims = await self.provider.told_more(claims)
        try:
            person = self.claims.person(claims)
        except ClaimMissing as error:
            raise SignInFailed("claim", str(error)) from error
        then, was_interrupted = request.session.get(_NEXT, "/"), _INTERRUPTED in request.session
        if not person.roles:
            return self._without_role(request, person.name)
        sign_in(request, person, self.sessions)
        self.metrics.sign_ins.labels("signed-in").inc()
        if was_interrupted:
            said = _("Nothing was recorded: your session had ended. You are signed in again; please choose once more.")
            flash(request, said, "attention")
        return RedirectResponse(start(self.pages, person) if then == "/" else then, status_code=303)

    async def leave(self, request: Request) -> Response:
        """End the session here, then the one at the provider."""
        if visitor(request) is not None:
            await csrf_checked(request)
            sign_out(request)
        elsewhere = await self.provider.way_out(f"{self.public_url}{SIGNED_OUT}")
        if elsewhere is None:
            return RedirectResponse(SIGNED_OUT, status_code=303)
        # A page in between, since a form of this site may lead to this site only, wherever the provider then leads.
        return self.pages.TemplateResponse(request, "signing_out.html", {"elsewhere": elsewhere})

    def signed_out(self, request: Request) -> Response:
        """Where the provider leads when all is ended."""
        return self.pages.TemplateResponse(request, "signed_out.html")

    def _without_role(self, request: Request, name: str) -> Response:
        sign_out(request)
        self.metrics.sign_ins.labels("no-role").inc()
        _log.warning("sign-in failed", reason="no-role")
        return self.pages.TemplateResponse(request, "no_role.html", {"name": name}, status_code=403)
