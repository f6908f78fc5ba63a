"""A notify service with invented people, for tests: its directory, consents, triggers, and a tutor's browser."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from typing import Any, Literal
from zoneinfo import ZoneInfo

import msgspec
import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient
from pydantic import SecretStr
from sqlalchemy import Engine

from services.kernel import database
from services.kernel.clock import DAY_MS, StreamClock, SystemClock, iso_day
from services.kernel.events import Indicator, IndicatorsComputed, ModuleIndicators, SupportTriggered
from services.kernel.ids import Pseudonyms, deterministic_id
from services.kernel.metrics import SignInMetrics
from services.kernel.register import load_register
from services.kernel.settings import (
    InstitutionSettings,
    KafkaSettings,
    NotifySettings,
    SessionSettings,
    Settings,
)
from services.kernel.topics import CONSENT_STATE, ENGAGEMENT_INDICATORS, RENEWALS, SUPPORT_TRIGGERS, Topic
from services.kernel.web import site
from services.kernel.web.pages import templates
from services.notify.app import MIGRATIONS, PAGES
from services.notify.handlers import directory, intake
from services.notify.handlers.gate import Gate
from services.notify.handlers.intake import Event, Record, Result
from services.notify.handlers.unit import Unit
from services.notify.letters import Letterhead
from services.notify.pages import routes
from tests.support.sessions import SECRET, sign_in
from tests.support.students import START_DAY, START_MS

TOKEN = "a token of the tests"
RULE = "days-since-last-activity"
NOW_MS = START_MS + 30 * DAY_MS
_TOPICS = {
    "ConsentStateChanged": CONSENT_STATE,
    "IndicatorsComputed": ENGAGEMENT_INDICATORS,
    "RenewalRequested": RENEWALS,
}

DIRECTORY: dict[str, list[dict[str, Any]]] = {
    "people": [
        {"id": "t1", "name": "Grace Okafor", "email": "grace@staff.example", "role": "tutor"},
        {"id": "t2", "name": "Ivo Brandt", "email": "ivo@staff.example", "role": "tutor"},
        {"id": "s1", "name": "Amina Yusuf", "email": "amina@students.example", "role": "student"},
        {"id": "s2", "name": "Ben Carter", "email": "ben@students.example", "role": "student"},
        {"id": "s3", "name": "Chloé Martin", "email": "chloe@students.example", "role": "student"},
    ],
    "modules": [
        {"code": "HIST101", "title": "A History of Maps"},
        {"code": "BIOL120", "title": "Cells and Tissues"},
    ],
    "enrolments": [
        {"person": student, "module": "HIST101", "start_day": START_DAY, "end_day": "2026-03-22"}
        for student in ("s1", "s2", "s3")
    ],
    "tutoring": [
        {"tutor": "t1", "student": "s1"},
        {"tutor": "t1", "student": "s2"},
        {"tutor": "t2", "student": "s3"},
    ],
}

LETTERHEAD = Letterhead(
    "signpost@university.example",
    "https://signpost.example",
    "https://choices.example",
    "University of Signpost",
    ZoneInfo("Europe/London"),
)
pseudonyms = Pseudonyms(SECRET)
student_of = pseudonyms.of


@pytest.fixture
def notify_engine(database_url: str) -> Iterator[Engine]:
    """The notify service's database, migrated and empty."""
    made = database.engine(database_url)
    database.migrate(made, MIGRATIONS)
    yield made
    made.dispose()


@pytest.fixture
def notify_gate(notify_engine: Engine) -> Gate:
    """A gate whose clock stands still, over a directory of invented people."""
    gate = new_gate()
    fill_directory(notify_engine, gate)
    mark_consent_current(notify_engine)
    return gate


def notify_settings(database_url: str, kafka: KafkaSettings | None = None, **notify: Any) -> Settings:
    """Settings of a notify service for tests."""
    return Settings(
        clock="replay",
        kafka=kafka or KafkaSettings(partitions=4),
        institution=InstitutionSettings(pseudonym_secret=SecretStr(SECRET)),
        session=SessionSettings(secret=SecretStr(SECRET), secure_cookies=False),
        notify=NotifySettings(database_url=database_url, directory_token=SecretStr(TOKEN), **notify),
    )


def new_gate(now_ms: int = NOW_MS, partitions: int = 4) -> Gate:
    """A gate whose clock stands still."""
    return Gate(load_register(), StreamClock(now_ms), partitions)


def fill_directory(engine: Engine, gate: Gate, rows: dict[str, list[dict[str, Any]]] = DIRECTORY) -> dict[str, int]:
    """Import the invented people, or others."""
    with engine.begin() as tx:
        return directory.take(Unit.of(tx), gate, pseudonyms, directory.read(json.dumps(rows).encode()))


def mark_consent_current(engine: Engine, partitions: int = 4) -> None:
    """Let the view of consent count as current, as a consumer at the end of the log does."""
    with engine.begin() as tx:
        Unit.of(tx).snapshots.mark_current(CONSENT_STATE.name, range(partitions), SystemClock().now_ms())


def take(engine: Engine, gate: Gate, *events: Event) -> Result:
    """Let records of these events take effect, in one batch."""
    batches: dict[tuple[str, int], list[Record]] = {}
    for offset, event in enumerate(events):
        topic = topic_of(event)
        batches.setdefault((topic.name, 0), []).append(Record(topic, 0, offset, event.student, event))
    with engine.begin() as tx:
        return intake.take(Unit.of(tx), gate, batches)


def topic_of(event: Event) -> Topic:
    """The topic that carries such an event."""
    return _TOPICS.get(type(event).__name__, SUPPORT_TRIGGERS)


def trigger(student: str, state: str = "opened", module: str = "HIST101", **changes: Any) -> SupportTriggered:
    """A trigger of the 14-day rule."""
    said = {
        "id": deterministic_id(student, module, RULE, "2026-01-27"),
        "student": student,
        "module": module,
        "rule": RULE,
        "state": state,
        "value": 14.0,
        "threshold": 14.0,
        "episode_day": "2026-01-27",
        "day": "2026-02-10",
        "raised_ms": NOW_MS - DAY_MS,
        "consent_version": 1,
        "notice": "2026-1",
        "register_version": "2026-1",
    }
    return msgspec.convert(said | changes, SupportTriggered)


def computed(
    student: str,
    days: float = 15,
    weeks: Sequence[int] = (4, 5, 5, 3, 4, 1, 0, 0),
    module: str = "HIST101",
    **changes: Any,
) -> IndicatorsComputed:
    """A student's indicators on one module."""
    as_of_ms = changes.get("as_of_ms", NOW_MS)
    today = as_of_ms // DAY_MS
    figures = ModuleIndicators(
        module=module,
        since_day=START_DAY,
        last_active_day=iso_day(int(today - days)),
        weekly_active_days=tuple(weeks),
        indicators=(
            Indicator(name=RULE, value=days, level="alert" if days >= 14 else "none", threshold=14),
            Indicator(name="active-days-14", value=sum(weeks[-2:]), window_days=14),
            Indicator(name="active-days-28", value=sum(weeks[-4:]), window_days=28),
            Indicator(name="volume-28", value=31, window_days=28),
        ),
    )
    said = {
        "student": student,
        "as_of_ms": as_of_ms,
        "day": iso_day(today),
        "consent_version": 1,
        "register_version": "2026-1",
        "sources": ("vle",),
        "modules": (figures,),
    }
    return IndicatorsComputed(**(said | changes))


def everything(student: str) -> IndicatorsComputed:
    """A student's indicators with every figure of the register: most are said, and some cannot be."""
    few = computed(student, sources=("vle", "assessment"))
    group = {"students": 31.0, "places": 60.0, "volume": 31.0, "middle": 212.0, "parts": 4.0}
    figures: list[tuple[str, float, Literal["none", "watch", "alert"], float | None, dict[str, float]]] = [
        (RULE, 15, "alert", 14, {}),
        ("active-days-7", 0, "none", None, {}),
        ("active-days-14", 0, "alert", 1, {}),
        ("active-days-28", 5, "none", None, {}),
        ("volume-7", 0, "none", None, {}),
        ("volume-28", 31, "none", None, {}),
        ("volume-28-centile", 6.5, "none", None, group),
        ("volume-28-robust-z", -1.62, "alert", -1.5, group),
        ("own-trend", -2.43, "alert", -1.1, {"last-week": 0, "weeks-before": 10.33}),
        ("sessions-7", 0, "none", None, {}),
        ("regularity", 0.31, "none", None, {"active-days": 5}),
        ("longest-gap", 15, "none", None, {}),
        ("breadth", 2, "none", None, {}),
        ("time-to-first-activity", 2, "none", None, {}),
        ("late-work", 0, "none", None, {"due": 2}),
        ("missing-work", 1, "watch", 1, {"due": 2}),
        ("engagement-index", 1.27, "none", None, group),
    ]
    said = tuple(
        Indicator(name=name, value=value, level=level, threshold=limit, inputs=inputs, sources=("vle", "assessment"))
        for name, value, level, limit, inputs in figures
    )
    unsaid = {"session-minutes-7": "no-sessions", "attendance": "no-source"}
    module = msgspec.structs.replace(few.modules[0], indicators=said, unsaid=unsaid, cohort_day="2026-02-09")
    return msgspec.structs.replace(few, modules=(module,))


def pages_app(engine: Engine, gate: Gate, settings: Settings) -> FastAPI:
    """The pages alone, without anything in the background."""
    app = FastAPI()
    pages = templates(settings, PAGES, clock=gate.clock, nav=routes.NAVIGATION)
    site.install(app, settings, pages, settings.notify.public_url, SignInMetrics())
    routes.install(app, engine, gate, pages)
    return app


def csrf_of(page: str) -> str:
    """The token of a page's forms."""
    found = re.search(r'name="csrf" value="([^"]+)"', page)
    assert found
    return found.group(1)


def browser_of(app: FastAPI, person: str) -> TestClient:
    """A browser in which the person is signed in."""
    client = TestClient(app, follow_redirects=False, headers={"accept": "text/html"})
    known = next(each for each in DIRECTORY["people"] if each["id"] == person)
    return sign_in(client, person, known["role"], name=known["name"])
