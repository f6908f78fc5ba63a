"""A stack that a replay can be tried on: one small real HTTP server that plays the three services and makes trouble.

It notes every breach of what a replayer owes: no event may come after the tick that closed its day, the clock may not
go back, and so many requests at most may be under way.
"""

from __future__ import annotations

import asyncio
import datetime as dt
import json
import threading
from base64 import b64encode
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import uvicorn
from fastapi import FastAPI, Request, Response
from fastapi.responses import JSONResponse, PlainTextResponse

from deploy.demo.events import SOURCES
from deploy.demo.stack import Stack
from tests.support.waiting import eventually

_SYSTEMS = {  # by their credentials, NAME:key
    f"Basic {b64encode(f'demo-{kind}:key'.encode()).decode()}": f"demo-{kind}" for kind in SOURCES
}


@dataclass
class PlayedStack:
    """What came in, and what is to go wrong.

    Attributes:
        trouble: of each so many requests with events, three fail: one is sent away with 503, one with 429, and one is
            taken, but its answer is lost on the way (504).
        jump_to_ms: where somebody else brings the clock once events come in.
        backlog: how often the outboxes say that something waits, before they are empty.
        breaches: what a replayer must not do, and did.
    """

    mode: str = "replay"
    trouble: int = 0
    jump_to_ms: int | None = None
    backlog: int = 3
    max_lanes: int = 4
    clock_ms: int | None = None
    url: str = ""
    ticks: list[int] = field(default_factory=list)
    heard: list[dict[str, int]] = field(default_factory=list)
    events: dict[str, dict[str, Any]] = field(default_factory=dict)
    systems: dict[str, str] = field(default_factory=dict)
    order: list[str] = field(default_factory=list)
    sent_again: int = 0
    posts: Counter[str] = field(default_factory=Counter)
    people: dict[str, dict[str, Any]] = field(default_factory=dict)
    decisions: dict[tuple[str, str, str], dict[str, Any]] = field(default_factory=dict)
    early: int = 0
    breaches: list[str] = field(default_factory=list)
    _under_way: int = 0

    @property
    def stack(self) -> Stack:
        """How to reach it."""
        return Stack(
            ingest=self.url,
            consent=self.url,
            notify=self.url,
            indicators=self.url,
            source_key="key",
            further_keys=dict.fromkeys(SOURCES[1:], "key"),
            registrar_token="registrar",
            directory_token="directory",
        )

    def app(self) -> FastAPI:
        """The server's routes."""
        app = FastAPI()
        app.get("/v1/clock")(self.get_clock)
        app.post("/v1/clock")(self.post_clock)
        app.post("/v1/events")(self.post_events)
        app.post("/v1/directory")(self.post_directory)
        app.post("/v1/registration")(self.post_registration)
        app.get("/metrics")(self.metrics)
        return app

    async def get_clock(self) -> dict[str, Any]:
        return {"mode": self.mode, "at_ms": self.clock_ms}

    async def post_clock(self, request: Request) -> Response:
        body = await request.json()
        at_ms = body["at_ms"]
        if self._under_way:
            self.breaches.append("a tick while events were under way")
        if self.clock_ms is not None and at_ms < self.clock_ms:
            return JSONResponse({"detail": "The clock never runs backwards."}, 409)
        self.clock_ms = at_ms
        self.ticks.append(at_ms)
        self.heard.append(body["heard"])
        return JSONResponse({"mode": self.mode, "at_ms": at_ms})

    async def post_events(self, request: Request) -> Response:
        system = _SYSTEMS.get(request.headers["Authorization"])
        if system is None:
            return JSONResponse({"detail": "Who are you?"}, 401)
        self._under_way += 1
        if self._under_way > self.max_lanes:
            self.breaches.append("too many requests at a time")
        try:
            await asyncio.sleep(0.001)  # so that requests can overlap
            return self._take(system, [json.loads(line) for line in (await request.body()).splitlines()])
        finally:
            self._under_way -= 1

    async def post_directory(self, request: Request) -> Response:
        assert request.headers["Authorization"] == "Bearer directory"
        body = await request.json()
        self.people |= {person["id"]: person for person in body["people"]}
        if any(pair["tutor"] not in self.people for pair in body["tutoring"]):
            self.breaches.append("a tutor that nobody knows yet")
        return JSONResponse({"ok": True})

    async def post_registration(self, request: Request) -> Response:
        assert request.headers["Authorization"] == "Bearer registrar"
        for decision in (await request.json())["decisions"]:
            self.decisions[decision["person"], decision["purpose"], decision["source"]] = decision
        return JSONResponse({"recorded": 1})

    async def metrics(self) -> Response:
        self.backlog = max(0, self.backlog - 1)
        students = len({person for person, _, _ in self.decisions})
        return PlainTextResponse(
            "# TYPE signpost_outbox_backlog gauge\n"
            f"signpost_outbox_backlog {self.backlog}\n"
            "# TYPE signpost_door_consent_students gauge\n"
            f"signpost_door_consent_students {students}\n"
            "# TYPE signpost_door_consent_age_seconds gauge\n"
            "signpost_door_consent_age_seconds 0.0\n"
        )

    def _take(self, system: str, events: list[dict[str, Any]]) -> Response:
        self.posts["events"] += 1
        turn = self.posts["events"] % self.trouble if self.trouble else None
        if turn == 1:
            return JSONResponse({"detail": "Not now."}, 503, {"Retry-After": "0.01"})
        if turn == 2:
            return JSONResponse({"detail": "Not so fast."}, 429, {"Retry-After": "0.01"})
        self.clock_ms = self.jump_to_ms or self.clock_ms
        self.systems |= {event["id"]: system for event in events}
        if self.backlog:
            self.early += len(events)
        refused = [line for line, event in enumerate(events, 1) if not self._accept(event)]
        if turn == 3:
            return JSONResponse({"detail": "The answer was lost."}, 504, {"Retry-After": "soon"})
        answer = {
            "accepted": len(events) - len(refused),
            "refused": [{"line": n, "reason": "unknown-activity", "detail": "mend it so"} for n in refused],
        }
        status = 202 if not refused else 207 if answer["accepted"] else 422
        return JSONResponse(answer, status)

    def _accept(self, event: dict[str, Any]) -> bool:
        if event["activity"] == "unknown":
            return False
        if event["id"] in self.events:
            self.sent_again += 1
            return True
        at_ms = dt.datetime.fromisoformat(event["at"]).timestamp() * 1000
        if self.clock_ms is None or at_ms < self.clock_ms:
            self.breaches.append("an event after the tick that closed its day")
        self.events[event["id"]] = event
        self.order.append(event["id"])
        return True


@contextmanager
def played_stack(**changes: Any) -> Iterator[PlayedStack]:
    """A server on a free port of this machine, stopped at the end."""
    played = PlayedStack(**changes)
    config = uvicorn.Config(played.app(), port=0, log_level="warning", ws="none", lifespan="off")
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        eventually(lambda: server.started, what="the played stack to listen")
        played.url = f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
        yield played
    finally:
        server.should_exit = True
        thread.join()
