"""The ingest service in a test: settings, credentials, and a running door."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal

from fastapi import FastAPI
from fastapi.testclient import TestClient

from services.ingest.adapters.sources import Scope, add_source, load_sources
from services.ingest.api import routes
from services.ingest.app import api_of, create_app
from services.ingest.domain import Secrets
from services.ingest.feeds import Feeds
from services.ingest.handlers import Door
from services.ingest.http.answers import Rejected, on_error
from services.ingest.ticks import Ticks
from services.ingest.turnstile import Turnstile
from services.kernel.codec import decoder, encode
from services.kernel.errors import TransientError
from services.kernel.events import ActivityRecorded, ClockTicked, ConsentStateChanged
from services.kernel.ids import Pseudonyms
from services.kernel.metrics import IngestMetrics
from services.kernel.register import load_register
from services.kernel.settings import IngestSettings, InstitutionSettings, KafkaSettings, Settings
from services.kernel.topics import ACTIVITY_EVENTS, ALL_TOPICS, CONSENT_STATE
from tests.support.kafka import Record, read_topic, write
from tests.support.students import consent
from tests.support.waiting import eventually

SECRET = "a secret of the tests"
NOWHERE = KafkaSettings(bootstrap="127.0.0.1:1")
HOME_PAGE = "https://people.university.example"
AT = "2026-01-20T10:15:00+00:00"
AT_MS = 1_768_904_100_000
XAPI = {"X-Experience-API-Version": "1.0.3"}
student_of = Pseudonyms(SECRET).of


def event(student: str, **changes: Any) -> dict[str, Any]:
    """A native event."""
    return {"student": student, "module": "HIST101", "activity": "forum", "at": AT} | changes


def statement(person: str, **changes: Any) -> dict[str, Any]:
    """An xAPI statement."""
    course = {"id": "https://vle.university.example/course/HIST101"}
    return {
        "actor": {"account": {"homePage": HOME_PAGE, "name": person}},
        "verb": {"id": "http://id.tincanapi.com/verb/replied"},
        "object": {"id": "https://vle.university.example/mod/forum/discuss.php?d=1#p1"},
        "context": {"contextActivities": {"grouping": [course]}},
        "timestamp": AT,
    } | changes


class RunningDoor:
    """An ingest service that runs in this process."""

    def __init__(self, client: TestClient, kafka: KafkaSettings, key: str) -> None:
        self.client, self.kafka = client, kafka
        self.auth = {"Authorization": f"Bearer vle-test.{key}"}

    def post(self, body: Any, path: str = "/v1/events", **headers: str) -> Any:
        """Send as the source system of the test; returns the client's response."""
        content = {"content": body} if isinstance(body, bytes) else {"json": body}
        given = {"Content-Type": "application/json"} | self.auth | XAPI | headers
        return self.client.post(path, headers=given, **content)

    def until_open(self) -> None:
        """Wait until it is ready."""
        eventually(lambda: self.client.get("/health/ready").status_code == 200, what="the door to be ready")

    def until_sees(self, students: int) -> None:
        """Wait until its view of consent holds so many students."""
        wanted = f"signpost_door_consent_students {float(students)}"
        eventually(lambda: wanted in self.metrics(), what=f"{students} students in the door's view")

    def metrics(self) -> str:
        """Its metrics, as Prometheus reads them."""
        return str(self.client.get("/metrics").text)


@contextmanager
def running_door(
    folder: Path, kafka: KafkaSettings, clock: Literal["live", "replay"] = "replay", **changes: Any
) -> Iterator[RunningDoor]:
    """Start a door, and stop it at the end."""
    file = folder / "sources.json"
    scopes: tuple[Scope, ...] = ("events", "clock")
    key = add_source(file, name="vle-test", source="vle", scopes=scopes, home_page=HOME_PAGE)
    settings = Settings(
        clock=clock,
        kafka=kafka,
        institution=InstitutionSettings(pseudonym_secret=SECRET),
        ingest=IngestSettings(sources_file=file, **changes),
    )
    with TestClient(create_app(settings), raise_server_exceptions=False) as client:
        yield RunningDoor(client, kafka, key)


def publish(kafka: KafkaSettings, *states: ConsentStateChanged) -> None:
    """Put consent states on their topic."""
    for state in states:
        write(kafka, CONSENT_STATE, state.student, encode(state))


def publish_consent(kafka: KafkaSettings, *people: str, **changes: Any) -> None:
    """Let people consent, for a year from before the term on."""
    publish(kafka, *(consent(student_of(person), **changes) for person in people))


def events_on(kafka: KafkaSettings) -> list[tuple[Record, ActivityRecorded]]:
    """The activity that stands on the topic."""
    return [(record, found) for record, found in _read(kafka) if isinstance(found, ActivityRecorded)]


def ticks_on(kafka: KafkaSettings) -> list[tuple[int, int]]:
    """The ticks that stand on the topic: partition and time."""
    return [(record.partition, found.at_ms) for record, found in _read(kafka) if isinstance(found, ClockTicked)]


def everything_on(kafka: KafkaSettings, *, but: Mapping[str, object] | None = None) -> bytes:
    """All bytes of all topics, keys and values, but for topics named."""
    topics = [topic for topic in ALL_TOPICS if topic.name not in (but or {})]
    records = [record for topic in topics for record in read_topic(kafka, topic, committed=False)]
    return b"\n".join((record.key or b"") + b" " + (record.value or b"") for record in records)


def _read(kafka: KafkaSettings) -> list[tuple[Record, Any]]:
    read = decoder(ACTIVITY_EVENTS)
    return [(record, read(record.value or b"")) for record in read_topic(kafka, ACTIVITY_EVENTS)]


class ConsentsInMemory:
    """A view of consent that a test fills."""

    def __init__(self, *states: ConsentStateChanged) -> None:
        self.states = {state.student: state for state in states}
        self.wrong: str | None = None

    def of(self, student: str) -> ConsentStateChanged | None:
        """What a student permits."""
        return self.states.get(student)

    def problem(self) -> str | None:
        """What the test says is wrong."""
        return self.wrong


class LogInMemory:
    """An event log that keeps its records in a list, and can be away."""

    def __init__(self) -> None:
        self.records: list[ActivityRecorded | int] = []
        self.away = False
        self.heard: list[dict[str, int]] = []
        self.attempts = 0
        self.gate: asyncio.Event | None = None

    async def append(self, events: Sequence[ActivityRecorded]) -> None:
        """Keep the events; when there is a gate, only after it opens."""
        await self._pass()
        self.records.extend(events)

    async def tick(self, tick: ClockTicked) -> None:
        """Keep the tick, and apart what it says was heard."""
        await self._pass()
        self.records.append(tick.at_ms)
        self.heard.append(tick.heard)

    async def _pass(self) -> None:
        self.attempts += 1
        if self.gate is not None:
            await self.gate.wait()
        if self.away:
            raise TransientError("the log is away")


class DoorInMemory:
    """The door's routes on top of fakes."""

    def __init__(self, folder: Path, clock: Literal["live", "replay"] = "replay", **changes: Any) -> None:
        register = load_register()
        file = folder / "sources.json"
        key = add_source(file, name="vle-test", source="vle", scopes=("events", "clock"), home_page=HOME_PAGE)
        self.auth = {"Authorization": f"Bearer vle-test.{key}"}
        self.file, self.consents, self.log, self.metrics = file, ConsentsInMemory(), LogInMemory(), IngestMetrics()
        turnstile = Turnstile(changes.get("max_in_flight_bytes", 1_000_000))
        sources = load_sources(file, register)
        self.feeds = Feeds(sources.kinds, self.metrics)
        self.ticks = Ticks(clock, self.log, turnstile, self.feeds, self.metrics)
        self.ticks.recovered(None)
        self.door = Door(
            consents=self.consents,
            log=self.log,
            feeds=self.feeds,
            ticks=self.ticks,
            turnstile=turnstile,
            metrics=self.metrics,
            pseudonyms=Pseudonyms(SECRET),
            secrets=Secrets(SECRET),
            qualifying={activity.name: activity.qualifying for activity in register.activities},
        )
        settings = Settings(ingest=IngestSettings(**({"max_batch": 5, "max_body_bytes": 10_000} | changes)))
        self.app = FastAPI()
        self.app.add_exception_handler(Rejected, on_error)
        self.app.include_router(routes(api_of(self.door, register, settings), sources))
        self.client = TestClient(self.app, raise_server_exceptions=False)

    def post(self, body: Any, path: str = "/v1/events", **headers: str) -> Any:
        """Send as the source system of the test; returns the client's response."""
        content = {"content": body} if isinstance(body, bytes) else {"json": body}
        given = {"Content-Type": "application/json"} | self.auth | XAPI | headers
        return self.client.post(path, headers=given, **content)

    def counted(self, name: str, **labels: str) -> float:
        """A counter of the door's metrics; 0 where it never counted."""
        return self.metrics.registry.get_sample_value(f"signpost_{name}_total", labels) or 0
