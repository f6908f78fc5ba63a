"""The provider's endpoints, after OpenID Connect Core, Discovery and RP-Initiated Logout."""

from __future__ import annotations

import base64
import binascii
import hmac
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import unquote_plus, urlsplit

from fastapi import APIRouter, FastAPI, Request, Response
from fastapi.responses import JSONResponse
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from prometheus_client import CollectorRegistry
from starlette.responses import RedirectResponse
from starlette.staticfiles import StaticFiles
from starlette.templating import Jinja2Templates

from deploy.local.identity import flow
from deploy.local.identity.flow import Asked, Codes, NotForRedirect, Refused
from deploy.local.identity.people import Client, Somebody, matching, with_id
from deploy.local.identity.tokens import ALGORITHM, LIFE_S, Tokens, claims
from services.kernel.health import operations
from services.kernel.web.headers import SecurityHeaders
from services.kernel.web.pages import STATIC

_SHOWN = 24
_ENDPOINTS = {
    "authorization_endpoint": "/authorize",
    "token_endpoint": "/token",
    "userinfo_endpoint": "/userinfo",
    "jwks_uri": "/jwks.json",
    "end_session_endpoint": "/sign-out",
}


class Provider:
    """The provider; `people` is asked at each choice, so that whoever is new can be chosen at once."""

    def __init__(self, tokens: Tokens, clients: list[Client], people: Callable[[], list[Somebody]]) -> None:
        self.tokens = tokens
        self._clients = {client.id: client for client in clients}
        self._people, self._codes = people, Codes()
        folder = Path(__file__).with_name("pages")
        env = Environment(loader=FileSystemLoader(folder), autoescape=True, undefined=StrictUndefined, trim_blocks=True)
        self._pages = Jinja2Templates(env=env)

    def app(self) -> FastAPI:
        """The provider as an ASGI app."""
        app = FastAPI(title="Sign-in of the demonstration", openapi_url=None)
        uris = [uri for client in self._clients.values() for uri in (*client.redirect_uris, *client.after_sign_out)]
        origins = {f"{urlsplit(uri).scheme}://{urlsplit(uri).netloc}" for uri in uris}
        app.add_middleware(SecurityHeaders, forms_lead_to=sorted(origins))
        app.mount("/static", StaticFiles(directory=STATIC), name="static")
        app.include_router(operations(CollectorRegistry(), {}))
        app.include_router(self._routes())
        app.add_exception_handler(NotForRedirect, self._cannot_answer)
        app.add_exception_handler(Refused, _refused)
        return app

    def _routes(self) -> APIRouter:
        routes = APIRouter()
        routes.add_api_route("/.well-known/openid-configuration", self.discovery, methods=["GET"])
        routes.add_api_route("/jwks.json", self.tokens.public_keys, methods=["GET"])
        routes.add_api_route("/", self.start, methods=["GET"])
        routes.add_api_route("/authorize", self.choose, methods=["GET"])
        routes.add_api_route("/authorize", self.chosen, methods=["POST"])
        routes.add_api_route("/token", self.token, methods=["POST"])
        routes.add_api_route("/userinfo", self.userinfo, methods=["GET"])
        routes.add_api_route("/sign-out", self.sign_out, methods=["GET"])
        return routes

    def discovery(self) -> dict[str, Any]:
        """What the provider can do, and where."""
        return {name: f"{self.tokens.issuer}{path}" for name, path in _ENDPOINTS.items()} | {
            "issuer": self.tokens.issuer,
            "response_types_supported": ["code"],
            "response_modes_supported": ["query"],
            "grant_types_supported": ["authorization_code", "client_credentials"],
            "subject_types_supported": ["public"],
            "scopes_supported": ["openid", "profile"],
            "id_token_signing_alg_values_supported": [ALGORITHM],
            "token_endpoint_auth_methods_supported": ["client_secret_basic", "client_secret_post"],
            "code_challenge_methods_supported": ["S256"],
            "claims_supported": ["sub", "name", "preferred_username", "roles"],
            "authorization_response_iss_parameter_supported": True,
        }

    def start(self, request: Request) -> Response:
        """For who comes here without being sent."""
        return self._pages.TemplateResponse(request, "start.html")

    def choose(self, request: Request, q: str = "") -> Response:
        """Show whom there is to be."""
        asked = flow.read(request.query_params, self._clients)
        try:
            flow.check(asked, request.query_params)
        except Refused as error:
            return self._back(asked, error=error.code, error_description=str(error))
        found = matching(self._people(), q)
        kept = {name: request.query_params[name] for name in flow.ASKED if name in request.query_params}
        context = {"people": found[:_SHOWN], "more": len(found[_SHOWN:]), "q": q, "asked": kept}
        return self._pages.TemplateResponse(request, "choose.html", context)

    async def chosen(self, request: Request) -> Response:
        """Send the browser back with a code for who was chosen."""
        form = await _form(request)
        asked = flow.read(form, self._clients)
        try:
            flow.check(asked, form)
        except Refused as error:
            return self._back(asked, error=error.code, error_description=str(error))
        somebody = with_id(self._people(), form.get("person", ""))
        if somebody is None:
            return self._back(asked, error="access_denied", error_description="Nobody was chosen.")
        return self._back(asked, code=self._codes.give(asked, somebody))

    async def token(self, request: Request) -> Response:
        """Tokens for a code, or for a program's own secret."""
        form = await _form(request)
        client = self._authenticated(request, form)
        grant = form.get("grant_type")
        if grant == "authorization_code":
            asked, somebody = self._codes.redeem(client, form)
            access = self.tokens.access_token(somebody, client.id, asked.scope)
            extra = {"id_token": self.tokens.id_token(somebody, client, asked.nonce, access), "scope": asked.scope}
        elif grant == "client_credentials" and client.program is not None:
            access, extra = self.tokens.access_token(client.program, client.id, ""), {}
        elif grant == "client_credentials":
            raise Refused("unauthorized_client", "The client may not ask for a token of its own.")
        else:
            raise Refused("unsupported_grant_type", "grant_type must be authorization_code or client_credentials.")
        return JSONResponse({"access_token": access, "token_type": "Bearer", "expires_in": LIFE_S} | extra)

    def userinfo(self, request: Request) -> Response:
        """What is known of the person whose access token is sent."""
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        said = self.tokens.read(token) if scheme.lower() == "bearer" else None
        if said is None:
            return JSONResponse({"error": "invalid_token"}, 401, {"WWW-Authenticate": 'Bearer error="invalid_token"'})
        return JSONResponse({name: said[name] for name in claims(Somebody("", "", ()))})

    def sign_out(self, request: Request) -> Response:
        """There is no session to end here; lead back where the client has registered that."""
        query = request.query_params
        then, client = query.get("post_logout_redirect_uri"), self._clients.get(query.get("client_id", ""))
        if then is None:
            return self._pages.TemplateResponse(request, "start.html")
        if client is None or then not in client.after_sign_out:
            raise NotForRedirect("This post_logout_redirect_uri is not registered for the client.")
        return RedirectResponse(then, status_code=303)

    def _authenticated(self, request: Request, form: Mapping[str, str]) -> Client:
        """The client that asks, by its secret.

        Raises:
            Refused: it does not show that it is who it says.
        """
        client_id, secret = _basic(request.headers.get("authorization", "")) or (
            form.get("client_id", ""),
            form.get("client_secret", ""),
        )
        client = self._clients.get(client_id)
        if client is None or not hmac.compare_digest(client.secret.encode(), secret.encode()):
            raise Refused("invalid_client", "The client's id or secret is wrong.", 401)
        return client

    def _back(self, asked: Asked, **said: str) -> Response:
        return RedirectResponse(asked.back(**said, iss=self.tokens.issuer), status_code=303)

    async def _cannot_answer(self, request: Request, error: Exception) -> Response:
        return self._pages.TemplateResponse(request, "wrong.html", {"problem": str(error)}, status_code=400)


async def _refused(_request: Request, error: Exception) -> Response:
    assert isinstance(error, Refused)
    challenge = {"WWW-Authenticate": "Basic"} if error.status == 401 else None  # noqa: PLR2004 - HTTP's own number
    return JSONResponse({"error": error.code, "error_description": str(error)}, error.status, challenge)


async def _form(request: Request) -> dict[str, str]:
    return {name: value for name, value in (await request.form()).items() if isinstance(value, str)}


def _basic(header: str) -> tuple[str, str] | None:
    scheme, _, sent = header.partition(" ")
    if scheme.lower() != "basic":
        return None
    try:
        name, _, secret = base64.b64decode(sent, validate=True).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError):
        return ("", "")
    return unquote_plus(name), unquote_plus(secret)
