"""Students' requests in tests: made in the domain, kept by the use cases, and as a browser makes them."""

from __future__ import annotations

import datetime as dt
import re
from pathlib import Path
from typing import Any

import httpx2
from fastapi.testclient import TestClient
from sqlalchemy import Engine

from services.consent.adapters.ledger import MIGRATIONS
from services.consent.app import create_app
from services.consent.domain.requests.deadlines import DeadlineRules
from services.consent.domain.requests.request import Kind, Request, RequestEvent, Step, What
from services.consent.handlers.requests.handling import Requests, new_id
from services.kernel import database
from services.kernel.clock import StreamClock
from tests.support.consent import TERMS, Visitor, settings

RULES = DeadlineRules(TERMS.zone, consent_change_days=5, complaint_days=60)
NOW = int(dt.datetime(2026, 11, 24, 12, tzinfo=TERMS.zone).timestamp() * 1000)
STUDENT, OTHER, STAFF = "a" * 64, "b" * 64, "c" * 64
_BY_TELEPHONE = {"person": "s0000001", "kind": "access", "words": "All of it.", "channel": "phone", "language": "cy"}


def requests(engine: Engine, now_ms: int = NOW) -> Requests:
    """The use cases at a moment that stands still."""
    return Requests(engine, StreamClock(now_ms), RULES)


def asked(kind: Kind = "access", student: str = STUDENT, opened_ms: int = NOW) -> Request:
    """A request made by telephone, in Welsh."""
    opened = RequestEvent(0, opened_ms, "opened", "student", "student", "Please – os gwelwch yn dda.")
    day = RULES.day_of(opened_ms).isoformat()
    about = ("tutor-notify", "student-view") if kind == "consent-change" else ()
    return Request(new_id(), kind, student, "s0000001", "phone", "cy", day, about, (opened,))


def step(what: What, actor: str = STAFF) -> Step:
    """What a member of the staff does, or "student"."""
    role = "student" if actor == "student" else "administrator"
    return Step(what, actor, role, "Because.", "scope" if what == "paused" else None)


def client_of(folder: Path, **changes: Any) -> TestClient:
    """The service with its database in `folder`, its settings changed so; nothing publishes."""
    wired = settings(folder).model_copy(update=changes)
    engine = database.engine(wired.consent.database_url)
    database.migrate(engine, MIGRATIONS)
    engine.dispose()
    return TestClient(create_app(wired))


def student(client: TestClient, person: str = "s0000001") -> Visitor:
    """A student signed in."""
    return Visitor(client, person)


def staff(client: TestClient, person: str = "a0000001", role: str = "administrator") -> Visitor:
    """A member of the staff signed in."""
    return Visitor(client, person, role)


def words(answer: httpx2.Response) -> str:
    """The page's text, without its tags."""
    main = answer.text[answer.text.index("<main") :]
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", main)).replace("&#39;", "'")


def made(visitor: Visitor, kind: str = "access", **fields: Any) -> str:
    """The address of a new request."""
    page = visitor.post(f"/requests/new/{kind}", **{"words": "Please.", "then": "send"} | fields)
    assert page.status_code == 200, words(page)
    return page.url.path


def written_down(desk: Visitor, **fields: Any) -> str:
    """The address of the staff's page of a request that they wrote down."""
    page = desk.post("/staff/requests/new", **_BY_TELEPHONE | {"then": "send"} | fields)
    assert page.status_code == 200, words(page)
    return page.url.path


def hidden(page: httpx2.Response, name: str) -> str:
    """The value of a hidden field."""
    found = re.search(rf'name="{name}" value="([^"]*)"', page.text)
    assert found, f"no field {name}"
    return found[1]


def take_step(desk: Visitor, path: str, name: str, **fields: Any) -> httpx2.Response:
    """Take a step on a request as it stands now."""
    events = desk.get(path).text.count("<li>")
    return desk.post(f"{path}/steps/{name}", **{"seen": events, "text": "Because.", "then": "send"} | fields)
