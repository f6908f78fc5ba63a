"""The public register's addresses; nobody has to sign in, and other sites may read what is for programs."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from email.utils import formatdate, parsedate_to_datetime

from fastapi import APIRouter, FastAPI, HTTPException, Request, Response
from starlette.templating import Jinja2Templates

from services.consent.notices import Notice, Notices
from services.consent.pages.register import view
from services.consent.pages.register.linked_data import MEDIA_TYPE, LinkedData, place
from services.consent.pages.register.published import Published
from services.kernel.settings import Settings
from services.kernel.web.i18n import catalogs

PATH = "/register"
_TOML = "application/toml"
_LINKS = f'<{PATH}.jsonld>; rel="alternate"; type="{MEDIA_TYPE}", <{PATH}.toml>; rel="alternate"; type="{_TOML}"'


@dataclass(frozen=True, slots=True)
class RegisterPages:
    """What the pages stand on."""

    settings: Settings
    published: Published
    notices: Notices
    pages: Jinja2Templates

    def install(self, app: FastAPI) -> None:
        """Add the register to the app."""
        router = APIRouter(include_in_schema=False)
        for path, answer in (
            (PATH, self.register),
            (f"{PATH}.jsonld", self.linked_data),
            (f"{PATH}.toml", self.file),
            (f"{PATH}.{{version}}.toml", self.earlier),
            (f"{PATH}/notices/{{version}}/{{language}}", self.notice),
        ):
            router.add_api_route(path, answer, methods=["GET", "HEAD"], response_model=None)
        app.include_router(router)

    def register(self, request: Request) -> Response:
        """The page, or the data for whoever prefers it."""
        headers = {"Vary": "Accept", "Link": _LINKS}
        if wants_linked_data(request.headers.get("accept", "")):
            return for_programs(request, self._linked(), MEDIA_TYPE, headers)
        context = {
            "shown": view.Shown(self.published, catalogs.language()),
            "notices": self._in_force(),
            "contact": self.settings.institution.data_protection_contact,
            "view": view,
            "place": place,
        }
        return self.pages.TemplateResponse(request, "register.html", context, headers=headers)

    def linked_data(self, request: Request) -> Response:
        """The register as JSON-LD."""
        return for_programs(request, self._linked(), MEDIA_TYPE)

    def file(self, request: Request) -> Response:
        """The file that the services obey."""
        return for_programs(request, self.published.text, _TOML, changed_s=self.published.changed_s)

    def earlier(self, request: Request, version: str) -> Response:
        """An earlier version of it."""
        if version not in self.published.earlier:
            raise HTTPException(404, "There was no such version.")
        return for_programs(request, self.published.earlier[version], _TOML)

    def notice(self, request: Request, version: str, language: str) -> Response:
        """A notice that is or was in force."""
        if (version, language) not in {(notice.version, notice.language) for notice in self.notices.reached()}:
            raise HTTPException(404, "There is no such notice.")
        return self.pages.TemplateResponse(request, "notice.html", {"notice": self.notices.of(version, language)})

    def _in_force(self) -> list[Notice]:
        return [self.notices.in_force(language) for language in self.notices.languages]

    def _linked(self) -> bytes:
        page = self.settings.consent.public_url.rstrip("/") + PATH
        return LinkedData(self.published, self._in_force(), self.settings.institution.name, page).encode()


def for_programs(
    request: Request,
    content: bytes,
    media_type: str,
    headers: Mapping[str, str] | None = None,
    changed_s: float | None = None,
) -> Response:
    """The content, for any site to read and to keep for a while; or that whoever asks has it already."""
    tag = f'"{hashlib.sha256(content).hexdigest()[:32]}"'
    told = {"Access-Control-Allow-Origin": "*", "Cache-Control": "public, max-age=300", "ETag": tag, **(headers or {})}
    if changed_s is not None:
        told["Last-Modified"] = formatdate(changed_s, usegmt=True)
    if _is_known(request, tag, changed_s):
        return Response(status_code=304, headers=told)
    return Response(content, media_type=media_type, headers=told)


def wants_linked_data(accept: str) -> bool:
    """Whether an Accept header asks for JSON-LD (or JSON) rather than for a page."""
    liked = dict(_preferences(accept))
    data = max(liked.get(MEDIA_TYPE, 0.0), liked.get("application/json", 0.0))
    page = max(liked.get("text/html", 0.0), liked.get("application/xhtml+xml", 0.0))
    return data > page


def _preferences(accept: str) -> list[tuple[str, float]]:
    found = []
    for part in accept.split(","):
        media_type, *parameters = [piece.strip().lower() for piece in part.split(";")]
        quality = next((p[2:] for p in parameters if p.startswith("q=")), "1")
        try:
            found.append((media_type, float(quality)))
        except ValueError:
            found.append((media_type, 0.0))
    return found


def _is_known(request: Request, tag: str, changed_s: float | None) -> bool:
    known = request.headers.get("if-none-match")
    if known is not None:
        return known.strip() == "*" or tag in {part.strip().removeprefix("W/") for part in known.split(",")}
    since = _moment(request.headers.get("if-modified-since", ""))
    return since is not None and changed_s is not None and int(changed_s) <= since


def _moment(http_date: str) -> float | None:
    try:
        return parsedate_to_datetime(http_date).timestamp()
    except ValueError:
        return None
