"""The public register's addresses; nobody has to sign in, and other sites may read what is for programs."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
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
_LINKS = (
    f'<{PATH}.jsonld>; rel="alternate"; type="{MEDIA_TYPE}", <{PATH}.toml>; rel="alternate"; type="application/toml"'
)


def install(app: FastAPI, settings: Settings, published: Published, notices: Notices, pages: Jinja2Templates) -> None:
    """Add the register to the app."""
    page = settings.consent.public_url.rstrip("/") + PATH
    pages.env.filters["figure"] = view.figure
    router = APIRouter(include_in_schema=False)

    def in_force() -> list[Notice]:
        return [notices.in_force(language) for language in notices.languages]

    def linked_data(request: Request, **headers: str) -> Response:
        linked = LinkedData(published, in_force(), settings.institution.name, page)
        return for_programs(request, linked.encode(), MEDIA_TYPE, headers)

    @router.api_route(PATH, methods=["GET", "HEAD"])
    def register(request: Request) -> Response:
        if wants_linked_data(request.headers.get("accept", "")):
            return linked_data(request, Vary="Accept", Link=_LINKS)
        context = {
            "shown": view.Shown(published, catalogs.language()),
            "notices": in_force(),
            "contact": settings.institution.data_protection_contact,
            "view": view,
            "place": place,
        }
        return pages.TemplateResponse(request, "register.html", context, headers={"Vary": "Accept", "Link": _LINKS})

    @router.api_route(f"{PATH}.jsonld", methods=["GET", "HEAD"])
    def register_jsonld(request: Request) -> Response:
        return linked_data(request)

    @router.api_route(f"{PATH}.toml", methods=["GET", "HEAD"])
    def register_toml(request: Request) -> Response:
        return for_programs(request, published.text, "application/toml", {}, published.changed_s)

    @router.api_route(f"{PATH}/notices/{{version}}/{{language}}", methods=["GET", "HEAD"])
    def notice(request: Request, version: str, language: str) -> Response:
        if (version, language) not in {(reached.version, reached.language) for reached in notices.reached()}:
            raise HTTPException(404, "There is no such notice.")
        return pages.TemplateResponse(request, "notice.html", {"notice": notices.of(version, language)})

    app.include_router(router)


def for_programs(
    request: Request, content: bytes, media_type: str, headers: Mapping[str, str], changed_s: float | None = None
) -> Response:
    """The content, for any site to read and to keep for a while; or that whoever asks has it already."""
    tag = f'"{hashlib.sha256(content).hexdigest()[:32]}"'
    told = {"Access-Control-Allow-Origin": "*", "Cache-Control": "public, max-age=300", "ETag": tag, **headers}
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
