"""Wires the door by hand; nothing connects before the app's lifespan begins."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager

from fastapi import FastAPI

from services.ingest.adapters.consent_view import ConsentView
from services.ingest.adapters.event_log import EventLog
from services.ingest.adapters.sources import load_sources
from services.ingest.adapters.tick_log import last_tick
from services.ingest.api import Api, Readers, routes
from services.ingest.domain import Screen, Secrets
from services.ingest.feeds import Feeds
from services.ingest.formats import native, xapi
from services.ingest.handlers import Door
from services.ingest.http.answers import Rejected, on_error
from services.ingest.receipts import Receipts
from services.ingest.ticks import Ticks
from services.ingest.turnstile import Turnstile
from services.kernel.clock import SystemClock
from services.kernel.errors import TransientError
from services.kernel.health import operations
from services.kernel.ids import Pseudonyms
from services.kernel.logs import log
from services.kernel.metrics import IngestMetrics
from services.kernel.register import Register, load_register
from services.kernel.settings import KafkaSettings, Settings, required

_AGAIN_S = 1.0
_log = log(__name__)


def create_app(settings: Settings) -> FastAPI:
    """The ingest service.

    Raises:
        ConfigurationError: the secret is missing, or the register or the list of source systems cannot be used.
    """
    secret = required(settings.institution.pseudonym_secret, "SIGNPOST_INSTITUTION__PSEUDONYM_SECRET")
    register = load_register(settings.register_file)
    sources = load_sources(settings.ingest.sources_file, register)
    metrics = IngestMetrics()
    event_log = EventLog(settings.kafka)
    turnstile = Turnstile(settings.ingest.max_in_flight_bytes)
    receipts = Receipts(turnstile, event_log)
    feeds = Feeds(sources.kinds, metrics)
    consents = ConsentView(settings.kafka, settings.ingest.consent_staleness_s, metrics, receipts.give)
    door = Door(
        consents=consents,
        log=event_log,
        feeds=feeds,
        ticks=Ticks(settings.clock, event_log, turnstile, feeds, metrics),
        turnstile=turnstile,
        metrics=metrics,
        pseudonyms=Pseudonyms(secret),
        secrets=Secrets(secret),
        qualifying={activity.name: activity.qualifying for activity in register.activities},
    )
    app = FastAPI(
        title="Signpost ingest",
        summary="Where source systems send activity",
        lifespan=_lifespan(settings.kafka, consents, event_log, door.ticks),
    )
    app.add_exception_handler(Rejected, on_error)
    app.include_router(routes(api_of(door, register, settings), sources))
    checks = {"consent-view": consents.problem, "event-log": event_log.problem, "clock": door.ticks.problem}
    app.include_router(operations(metrics.registry, checks))
    return app


def api_of(door: Door, register: Register, settings: Settings) -> Api:
    """The routes' part: the door with the formats that it reads."""
    screen = Screen(register)
    readers = {
        source: Readers(
            native.Reader(screen, register.activities_of(source)),
            xapi.Reader(screen, {verb: activity.name for verb, activity in register.verbs_of(source).items()}),
        )
        for source in register.source
    }
    return Api(door, readers, settings.ingest)


def _lifespan(
    kafka: KafkaSettings, consents: ConsentView, event_log: EventLog, ticks: Ticks
) -> Callable[[FastAPI], AbstractAsyncContextManager[None]]:
    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        tasks = [asyncio.create_task(consents.run()), asyncio.create_task(_start(kafka, event_log, ticks))]
        for task in tasks:
            task.add_done_callback(_end_process_on_bug)
        yield
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)
        await event_log.close()

    return lifespan


async def _start(kafka: KafkaSettings, event_log: EventLog, ticks: Ticks) -> None:
    """Connect, find out what time it is, and in live mode keep it."""
    while ticks.problem():
        try:
            await event_log.connect()
            ticks.recovered(await last_tick(kafka))
        except TransientError as error:
            _log.warning("start_waits", reason=str(error))
            await asyncio.sleep(_AGAIN_S)
    if ticks.mode == "live":
        await ticks.run_live(SystemClock())


def _end_process_on_bug(task: asyncio.Task[None]) -> None:
    """A part that the door's life depends on failed for a reason nobody foresaw: end loudly, a supervisor restarts."""
    if not task.cancelled() and (error := task.exception()):
        _log.error("background_failed", exc_info=error)
        os.kill(os.getpid(), signal.SIGTERM)
