"""Rendering: one Jinja environment with the shared layout, components and formats, whichever service's pages.

A service calls `templates(settings, its_own_folder)` and renders with `TemplateResponse`. Its pages extend
`layout.html`, import `components.html` *with context*, and need know nothing of sign-in, CSRF or styles.
"""

from __future__ import annotations

import datetime as dt
import hashlib
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from fastapi import Request
from jinja2 import Environment, FileSystemLoader, StrictUndefined, select_autoescape
from markupsafe import Markup
from starlette.templating import Jinja2Templates

from services.kernel.clock import Clock
from services.kernel.settings import Settings
from services.kernel.web.session import CSRF_FIELD, csrf_token, take_flash, visitor

STATIC = Path(__file__).with_name("static")
_SHARED = Path(__file__).with_name("templates")


def templates(settings: Settings, *folders: Path, clock: Clock | None = None) -> Jinja2Templates:
    """A renderer for the templates in `folders`, with the shared ones beside them.

    Args:
        settings: gives the institution's name and time zone.
        folders: of the service's own templates; the first that has a name wins.
        clock: in replay mode, the stream's clock; it is shown at the foot of each page.
    """
    env = Environment(
        loader=FileSystemLoader([*folders, _SHARED]),
        autoescape=select_autoescape(default=True, default_for_string=True),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    zone = settings.institution.zone
    env.filters |= {
        "moment": partial(moment, zone=zone),
        "date": partial(date, zone=zone),
        "clock_time": partial(clock_time, zone=zone),
        "day": day,
    }
    env.globals |= {
        "institution": settings.institution.name,
        "stylesheet": _stylesheet(),
        "csrf_field": CSRF_FIELD,
        "demo_clock_ms": _demo_clock(settings, clock),
    }
    return Jinja2Templates(env=env, context_processors=[_of_the_session])


def moment(at_ms: int, *, zone: ZoneInfo) -> Markup:
    """A moment as "24 January 2014, 10:02" in the institution's time, readable by machines too."""
    at = dt.datetime.fromtimestamp(at_ms // 1000, zone)
    text = f"{at.day} {at:%B %Y, %H:%M}"
    return Markup('<time datetime="{}">{}</time>').format(at.isoformat(), text)


def date(at_ms: int, *, zone: ZoneInfo) -> Markup:
    """The local date of a moment as "24 January 2014", readable by machines too."""
    return day(dt.datetime.fromtimestamp(at_ms // 1000, zone).date().isoformat())


def clock_time(at_ms: int, *, zone: ZoneInfo) -> Markup:
    """A moment as "10:02:07" in the institution's time."""
    at = dt.datetime.fromtimestamp(at_ms // 1000, zone)
    return Markup('<time datetime="{}">{}</time>').format(at.isoformat(), f"{at:%H:%M:%S}")


def day(iso: str) -> Markup:
    """An ISO date as "24 January 2014", readable by machines too."""
    at = dt.date.fromisoformat(iso)
    return Markup('<time datetime="{}">{}</time>').format(iso, f"{at.day} {at:%B %Y}")


def _of_the_session(request: Request) -> dict[str, Any]:
    return {"visitor": visitor(request), "csrf": partial(csrf_token, request), "flash": partial(take_flash, request)}


def _demo_clock(settings: Settings, clock: Clock | None) -> Callable[[], int]:
    return clock.now_ms if clock is not None and settings.clock == "replay" else lambda: 0


def _stylesheet() -> str:
    digest = hashlib.sha256((STATIC / "signpost.css").read_bytes()).hexdigest()[:12]
    return f"/static/signpost.css?v={digest}"
