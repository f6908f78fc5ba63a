"""The door's HTTP interface: it only translates between requests and the use case.

Annotations are evaluated here, since FastAPI must find the dependencies that `routes` makes.
"""

import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Annotated

import msgspec
from fastapi import APIRouter, Depends, Request, Response
from fastapi.responses import JSONResponse

from services.ingest.adapters.sources import Source, Sources
from services.ingest.domain import Refused, latest_allowed_ms
from services.ingest.formats import native, xapi
from services.ingest.formats.text import read_json
from services.ingest.handlers import Door
from services.ingest.http import openapi
from services.ingest.http.access import allowed
from services.ingest.http.answers import Rejected, answer_to, problem
from services.ingest.http.body import bounded_body
from services.kernel.clock import LATEST_MS
from services.kernel.logs import log
from services.kernel.settings import IngestSettings

_NDJSON = frozenset(("application/x-ndjson", "application/ndjson"))
_CLOCK_BYTES = 1000
_log = log(__name__)
_Route = Callable[[], Awaitable[Response]]


class ClockSetting(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Body of `POST /v1/clock`; `heard` as of the tick, by the kind of source."""

    at_ms: Annotated[int, msgspec.Meta(ge=0, le=LATEST_MS)]
    heard: dict[str, Annotated[int, msgspec.Meta(ge=0)]] = {}


@dataclass(frozen=True)
class Readers:
    """What reads the events of one kind of source."""

    native: native.Reader
    xapi: xapi.Reader


@dataclass(frozen=True)
class Api:
    """The routes and what they stand on; `readers` by the kind of source."""

    door: Door
    readers: Mapping[str, Readers]
    settings: IngestSettings

    async def post_events(self, request: Request, source: Source) -> Response:
        """Native events: each is taken or refused for itself."""
        self.door.require_open()
        lines = _content_type(request) in _NDJSON
        if not lines and _content_type(request) != "application/json":
            raise Rejected(415, "content-type", "Send application/json or application/x-ndjson.")
        async with bounded_body(request, self.door.turnstile, self.settings.max_body_bytes) as body:
            reader = self.readers[str(source.source)].native
            read = reader.read_lines if lines else reader.read_document
            try:
                reading = read(body, self.settings.max_batch, self._latest_ms())
            except Refused as refused:
                self._count_refused(source, refused)
                raise
            await self.door.take(source.name, str(source.source), reading.claims, sent=len(reading.claims))
        for refusal in reading.refusals:
            self._count_refused(source, refusal)
        self._count_stripped(reading.stripped)
        return _native_answer(reading)

    async def post_statements(self, request: Request, source: Source) -> Response:
        """Statements of xAPI: all are taken, or none."""
        self.door.require_open()
        _require_version(request)
        if _content_type(request) != "application/json":
            raise Rejected(415, "content-type", "Send application/json; attachments are not taken.")
        async with bounded_body(request, self.door.turnstile, self.settings.max_body_bytes) as body:
            reading = self._read_statements(body, source)
            await self.door.take(source.name, str(source.source), reading.claims, sent=len(reading.ids))
        self.door.count_held_out(reading.held_out)
        self._count_stripped(reading.stripped)
        return JSONResponse(reading.ids)

    async def post_clock(self, request: Request) -> Response:
        """A replayer says what time it is."""
        async with bounded_body(request, self.door.turnstile, _CLOCK_BYTES) as body:
            try:
                setting = msgspec.convert(read_json(body), ClockSetting)
            except msgspec.ValidationError as error:
                raise Rejected(422, "invalid-field", f'{error}; send {{"at_ms": milliseconds since 1970}}.') from None
        if wrong := self.door.feeds.wrong(setting.heard, setting.at_ms):
            raise Rejected(422, "invalid-field", f"heard: {wrong}")
        await self.door.ticks.set_by_replayer(setting.at_ms, setting.heard)
        return self.get_clock()

    def get_clock(self) -> Response:
        """What time it is in the log."""
        return JSONResponse({"mode": self.door.ticks.mode, "at_ms": self.door.ticks.last_ms})

    async def observed(self, format_: str, route: _Route) -> Response:
        """Run a route, time it, and answer what goes wrong; of a bug the log gets the kind and place, never values."""
        began = time.monotonic()
        try:
            answer = await route()
        except Exception as error:  # noqa: BLE001 - nothing may reach the server's own log, which prints values
            answer = answer_to(error) or _bug(error)
        outcome = _OUTCOMES.get(answer.status_code, "rejected")
        self.door.metrics.request.labels(format_, outcome).observe(time.monotonic() - began)
        return answer

    def _read_statements(self, body: bytes, source: Source) -> xapi.Reading:
        try:
            return self.readers[str(source.source)].xapi.read(
                body,
                self.settings.max_batch,
                home_page=source.home_page,
                assignments=source.assignments,
                now_ms=self.door.ticks.clock.now_ms(),
                latest_ms=self._latest_ms(),
                new_id=self.door.secrets.event_id,
            )
        except Refused as refused:
            self._count_refused(source, refused)
            status = {"excluded": 403, "too-many": 413}.get(refused.reason, 400)
            raise Rejected(status, refused.reason, refused.detail) from None

    def _latest_ms(self) -> int | None:
        return latest_allowed_ms(self.door.ticks.mode, self.door.ticks.clock.now_ms())

    def _count_refused(self, source: Source, refused: Refused | native.Refusal) -> None:
        self.door.metrics.refused.labels(refused.reason).inc()
        if refused.rule:
            _log.warning("excluded_data_refused", system=source.name, rule=refused.rule)

    def _count_stripped(self, stripped: dict[str, int]) -> None:
        for category, count in stripped.items():
            self.door.metrics.stripped.labels(category).inc(count)


def routes(api: Api, sources: Sources) -> APIRouter:
    """The routes, with their place in the OpenAPI document."""
    router = APIRouter()
    native_source = Annotated[Source, Depends(allowed(sources, "events", "native"))]
    xapi_source = Annotated[Source, Depends(allowed(sources, "events", "xapi"))]
    clock_source = Annotated[Source, Depends(allowed(sources, "clock"))]

    @router.post("/v1/events", **openapi.POST_EVENTS)
    async def post_events(request: Request, source: native_source) -> Response:
        return await api.observed("native", lambda: api.post_events(request, source))

    @router.post("/xapi/statements", **openapi.POST_STATEMENTS)
    async def post_statements(request: Request, source: xapi_source) -> Response:
        answer = await api.observed("xapi", lambda: api.post_statements(request, source))
        answer.headers["X-Experience-API-Version"] = xapi.VERSION
        return answer

    @router.get("/xapi/about", **openapi.GET_ABOUT)
    async def about() -> Response:
        return JSONResponse({"version": [xapi.VERSION]}, headers={"X-Experience-API-Version": xapi.VERSION})

    @router.post("/v1/clock", **openapi.POST_CLOCK)
    async def post_clock(request: Request, _source: clock_source) -> Response:
        return await api.observed("clock", lambda: api.post_clock(request))

    @router.get("/v1/clock", **openapi.GET_CLOCK)
    async def get_clock() -> Response:
        return api.get_clock()

    return router


_OUTCOMES = {200: "accepted", 202: "accepted", 207: "partly", 422: "refused", 400: "refused", 503: "not-now"}


def _native_answer(reading: native.Reading) -> Response:
    accepted = len(reading.claims)
    body = {"accepted": accepted, "refused": msgspec.to_builtins(reading.refusals)}
    partly = 207 if accepted else 422
    return JSONResponse(body, status_code=partly if reading.refusals else 202)


def _require_version(request: Request) -> None:
    version = request.headers.get("x-experience-api-version", "")
    if version != "1.0" and not version.startswith("1.0."):
        raise Rejected(400, "version", f"Send the header X-Experience-API-Version: {xapi.VERSION}.")


def _content_type(request: Request) -> str:
    return request.headers.get("content-type", "").partition(";")[0].strip().casefold()


def _bug(error: Exception) -> Response:
    trace, places = error.__traceback__, []
    while trace is not None:
        places.append(f"{trace.tb_frame.f_code.co_filename.rpartition('/')[2]}:{trace.tb_lineno}")
        trace = trace.tb_next
    _log.error("request_failed", error=type(error).__name__, places=places)
    return problem(500, "our-fault", "Something went wrong at our end; nothing was accepted, send it again later.")
