"""Wires the notify service together; nothing connects before its life begins."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from fastapi import FastAPI
from fastapi.concurrency import run_in_threadpool
from sqlalchemy import Engine

from services.kernel import database
from services.kernel.clock import StreamClock, service_clock
from services.kernel.health import operations
from services.kernel.ids import Pseudonyms
from services.kernel.metrics import NotifyMetrics
from services.kernel.outbox import OutboxRelay
from services.kernel.register import load_register
from services.kernel.settings import Settings, required
from services.kernel.web import site
from services.kernel.web.pages import templates
from services.notify import api
from services.notify.adapters.smtp import SmtpMailer
from services.notify.adapters.tables import outbox
from services.notify.consumer import Consumer
from services.notify.courier import Courier
from services.notify.handlers.gate import Gate
from services.notify.handlers.unit import Unit
from services.notify.letters import Letterhead
from services.notify.pages import routes

SERVICE = "notify"
MIGRATIONS = Path(__file__).with_name("adapters") / "migrations"
PAGES = Path(__file__).with_name("pages") / "templates"


def create_app(settings: Settings, metrics: NotifyMetrics | None = None) -> FastAPI:
    """The service as an ASGI app; while it is up its database is migrated, and it reads, relays and sends.

    Raises:
        ConfigurationError: a secret or the register is missing or wrong.
    """
    metrics = metrics or NotifyMetrics()
    engine = database.engine(settings.notify.database_url)
    _count(metrics, engine)
    stream = StreamClock()
    register = load_register(settings.register_file)
    gate = Gate(register, service_clock(settings.clock, stream), settings.kafka.partitions)
    relay = OutboxRelay(SERVICE, outbox, engine, settings.kafka, metrics.outbox)
    courier = Courier(engine, gate, _mailer(settings), _letterhead(settings), metrics)

    def committed() -> None:
        courier.wake()
        relay.wake()

    consumer = Consumer(engine, gate, settings.kafka, stream, committed, metrics)

    @asynccontextmanager
    async def life(_: FastAPI) -> AsyncIterator[None]:
        await run_in_threadpool(prepare, engine, stream)
        for background in (relay, courier, consumer):
            background.start()
        yield
        for background in (consumer, courier, relay):
            await run_in_threadpool(background.stop)
        engine.dispose()

    app = FastAPI(title="Signpost notify", lifespan=life, docs_url=None, redoc_url=None)
    checks = {
        "database": lambda: database.behind(engine, MIGRATIONS),
        "consumer": consumer.idle,
        "relay": relay.problem,
        "courier": courier.problem,
    }
    app.include_router(operations(metrics.registry, checks))
    secret = required(settings.institution.pseudonym_secret, "SIGNPOST_INSTITUTION__PSEUDONYM_SECRET")
    app.include_router(api.directory(engine, gate, Pseudonyms(secret), settings.notify.directory_token, relay))
    pages = templates(settings, PAGES, clock=gate.clock, nav=routes.NAVIGATION)
    site.install(app, settings, pages, settings.notify.public_url, metrics.sign_in)
    routes.install(app, engine, gate, pages)
    return app


def prepare(engine: Engine, stream: StreamClock) -> None:
    """Migrate the database, and let the stream's clock stand where it stood."""
    database.migrate(engine, MIGRATIONS)
    with engine.begin() as tx:
        stream.advance(Unit.of(tx).snapshots.stream_ms())


def _mailer(settings: Settings) -> SmtpMailer:
    return SmtpMailer(settings.notify.smtp_host, settings.notify.smtp_port)


def _letterhead(settings: Settings) -> Letterhead:
    return Letterhead(
        settings.notify.mail_from,
        settings.notify.public_url.rstrip("/"),
        settings.consent.public_url.rstrip("/"),
        settings.institution.name,
        settings.institution.zone,
    )


def _count(metrics: NotifyMetrics, engine: Engine) -> None:
    """Let the figures that must survive a restart come from the database whenever they are read."""

    def deliveries(state: str) -> float:
        with engine.begin() as tx:
            return Unit.of(tx).deliveries.count(state)

    def open_cases() -> float:
        with engine.begin() as tx:
            return Unit.of(tx).cases.count_open()

    metrics.open_cases.set_function(open_cases)
    metrics.mails_sent.set_function(lambda: deliveries("sent"))
    metrics.mails_waiting.set_function(lambda: deliveries("waiting"))
