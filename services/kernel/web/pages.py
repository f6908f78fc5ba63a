"""Rendering: one Jinja environment with the shared layout, components and formats, whichever service's pages.

A service calls `templates(settings, its_own_folder)` and renders with `TemplateResponse`. Its pages extend
`layout.html`, import `components.html` *with context*, and need know nothing of sign-in, CSRF or styles.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, cast

from fastapi import Request
from jinja2 import Environment, FileSystemLoader, StrictUndefined, select_autoescape
from starlette.templating import Jinja2Templates

from services.kernel.clock import Clock
from services.kernel.settings import Settings
from services.kernel.web.i18n import catalogs, formats
from services.kernel.web.session import CSRF_FIELD, SignedIn, csrf_token, page_before, take_flash, visitor

STATIC = Path(__file__).with_name("static")
HTMX = "htmx-2.0.11.min.js"
_SHARED = Path(__file__).with_name("templates")


@dataclass(frozen=True, slots=True)
class Link:
    """A place in the navigation; `text` is English, `roles` are those that it is for: with none it is for everybody."""

    text: str
    path: str
    roles: tuple[str, ...] = ()

    def is_for(self, person: SignedIn | None) -> bool:
        """Whether to show it to that visitor."""
        return not self.roles or (person is not None and any(map(person.has, self.roles)))

    def holds(self, path: str) -> bool:
        """Whether a page is that place or below it."""
        return path == self.path or (self.path != "/" and path.startswith(f"{self.path}/"))


def templates(
    settings: Settings, *folders: Path, clock: Clock | None = None, nav: Sequence[Link] = ()
) -> Jinja2Templates:
    """A renderer for the templates in `folders`, with the shared ones beside them.

    Args:
        settings: gives the institution's name and time zone.
        folders: of the service's own templates; the first that has a name wins.
        clock: in replay mode, the stream's clock; it is shown at the foot of each page.
        nav: the places that each page links to.
    """
    env = Environment(
        loader=FileSystemLoader([*folders, _SHARED]),
        autoescape=select_autoescape(default=True, default_for_string=True),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        extensions=["jinja2.ext.i18n"],
    )
    env.policies["ext.i18n.trimmed"] = True
    env.install_gettext_callables(catalogs.message, catalogs.messages, newstyle=True)  # type: ignore[attr-defined]  # by the extension
    zone = settings.institution.zone
    env.filters |= {
        "moment": partial(formats.moment, zone=zone),
        "date": partial(formats.date, zone=zone),
        "clock_time": partial(formats.clock_time, zone=zone),
        "day": formats.day,
        "listed": formats.listed,
        "number": formats.number,
        "amount": formats.amount,
    }
    env.globals |= {
        "institution": settings.institution.name,
        "stylesheet": _stylesheet(),
        "htmx": f"/static/vendor/{HTMX}",
        "csrf_field": CSRF_FIELD,
        "demo_clock_ms": _demo_clock(settings, clock),
        "nav": nav,
        "language_names": catalogs.NAMES,
    }
    pages = Jinja2Templates(env=env, context_processors=[_of_the_request])
    pages.context_processors.append(lambda request: {"start": start(pages, visitor(request))})
    return pages


def _of_the_request(request: Request) -> dict[str, Any]:
    return {
        "visitor": visitor(request),
        "csrf": partial(csrf_token, request),
        "flash": partial(take_flash, request),
        "language": catalogs.language(),
        "languages": catalogs.offered(),
        "here": _here(request),
    }


def start(pages: Jinja2Templates, person: SignedIn | None) -> str:
    """The path at which that visitor starts: their first place of the navigation, one of their own if there is."""
    nav: Sequence[Link] = cast("Any", pages.env.globals["nav"])
    places = sorted((link for link in nav if person and link.is_for(person)), key=lambda link: not link.roles)
    return places[0].path if places else "/"


def _here(request: Request) -> str:
    """The page that can be asked for again: this one, or the one that held the form which this one answers."""
    if request.method != "GET":
        return page_before(request)
    return request.url.path + (f"?{request.url.query}" if request.url.query else "")


def _demo_clock(settings: Settings, clock: Clock | None) -> Callable[[], int]:
    return clock.now_ms if clock is not None and settings.clock == "replay" else lambda: 0


def _stylesheet() -> str:
    digest = hashlib.sha256((STATIC / "signpost.css").read_bytes()).hexdigest()[:12]
    return f"/static/signpost.css?v={digest}"
