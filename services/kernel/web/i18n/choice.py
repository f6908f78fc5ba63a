"""Which language a request is answered in: the reader's choice, else what the browser prefers, else English.

The choice is kept in a cookie of its own, so that it outlives the session and holds on every page of this host.
"""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Form, Query, Request, Response
from starlette.datastructures import MutableHeaders
from starlette.responses import RedirectResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from services.kernel.web.i18n.catalogs import ENGLISH, NAMES, SOURCE, Language, Languages, language, speak, speaking
from services.kernel.web.signin import local_path

COOKIE = "signpost-language"
PATH = "/language"
_A_YEAR_S = 31_536_000


class Speaking:
    """Lets whatever runs for a request inside the app speak the language of its reader."""

    def __init__(self, app: ASGIApp, languages: Languages) -> None:
        self._app, self._languages = app, languages

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on and the response back."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def send_and_say(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                if headers.get("content-type", "").startswith("text/html"):
                    headers["Content-Language"] = language()
            await send(message)

        with speaking(self._of(Request(scope))):
            await self._app(scope, receive, send_and_say)

    def _of(self, request: Request) -> Language:
        chosen = request.cookies.get(COOKIE)
        if chosen in self._languages.codes:
            return self._languages.of(chosen)
        preferred = preferences(request.headers.get("accept-language", ""))
        return self._languages.of(next((code for code in preferred if code in self._languages.codes), SOURCE))


async def in_english() -> None:
    """A dependency of routers whose pages are for staff: they are in English, and offer nothing else."""
    speak(ENGLISH)


def router(*, secure: bool) -> APIRouter:
    """The route of the language switch.

    It takes no proof that the form is the session's own: it changes the language of pages, and works before sign-in.
    """
    routes = APIRouter(include_in_schema=False)

    @routes.post(PATH)
    def choose(
        chosen: Annotated[str, Form(alias="speak", max_length=8)],
        then: Annotated[str, Form(alias="next", max_length=500)] = "/",
        again: Annotated[str | None, Query(max_length=500)] = None,
    ) -> Response:
        """Lead back to the page; with `again`, the browser sends the form there, so that what was typed stays."""
        answer = RedirectResponse(local_path(again or then), status_code=307 if again else 303)
        keep(answer, chosen, secure=secure)
        return answer

    return routes


def keep(answer: Response, chosen: str, *, secure: bool) -> None:
    """Let the answer's reader have pages in that language from now on; one that nobody knows changes nothing."""
    if chosen in NAMES:
        answer.set_cookie(COOKIE, chosen, max_age=_A_YEAR_S, secure=secure, httponly=True, samesite="lax")


def preferences(accepted: str) -> list[str]:
    """The languages of an Accept-Language header, the most wanted first, without their regions."""
    wanted = []
    for part in accepted.split(","):
        tag, _, weight = part.partition(";")
        quality = _quality(weight)
        if quality > 0:
            wanted.append((-quality, tag.strip().partition("-")[0].lower()))
    return [code for _, code in sorted(wanted, key=lambda one: one[0])]


def _quality(weight: str) -> float:
    name, _, value = weight.strip().partition("=")
    try:
        return float(value) if name.strip() == "q" else 1.0
    except ValueError:
        return 0.0
