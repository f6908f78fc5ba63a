"""Wires the consent service together; nothing connects before its life begins."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI
from fastapi.concurrency import run_in_threadpool

from services.consent.adapters.ledger import MIGRATIONS, outbox
from services.consent.api import registration
from services.consent.api.registration_body import Reader
from services.consent.domain.decisions import Terms
from services.consent.handlers.consents import Consents
from services.consent.notices import load_notices
from services.consent.pages.portal import TEMPLATES, Portal
from services.kernel import database
from services.kernel.clock import SystemClock
from services.kernel.health import operations
from services.kernel.ids import Pseudonyms
from services.kernel.metrics import ConsentMetrics
from services.kernel.outbox import OutboxRelay
from services.kernel.register import load_register
from services.kernel.settings import Settings, required
from services.kernel.web import site
from services.kernel.web.pages import templates

SERVICE = "consent"


def create_app(settings: Settings, metrics: ConsentMetrics | None = None) -> FastAPI:
    """The service as an ASGI app; its database is migrated, and its relay runs, while it is up.

    Raises:
        ConfigurationError: a secret, the register or a notice is missing or wrong.
    """
    metrics = metrics or ConsentMetrics()
    register = load_register(settings.register_file)
    notices = load_notices(register)
    pseudonyms = Pseudonyms(required(settings.institution.pseudonym_secret, "SIGNPOST_INSTITUTION__PSEUDONYM_SECRET"))
    engine = database.engine(settings.consent.database_url)
    relay = OutboxRelay(SERVICE, outbox, engine, settings.kafka, metrics.outbox)
    clock, zone = SystemClock(), settings.institution.zone
    terms = Terms(zone, settings.consent.renewal_days)
    consents = Consents(engine, clock, terms, metrics, committed=relay.wake)

    @asynccontextmanager
    async def life(_: FastAPI) -> AsyncIterator[None]:
        await run_in_threadpool(database.migrate, engine, MIGRATIONS)
        relay.start()
        yield
        await run_in_threadpool(relay.stop)
        engine.dispose()

    app = FastAPI(title="Signpost consent", lifespan=life, docs_url=None, redoc_url=None)
    checks = {"database": lambda: database.behind(engine, MIGRATIONS), "relay": relay.problem}
    app.include_router(operations(metrics.registry, checks))
    reader = Reader(register, notices.known, pseudonyms, zone)
    app.include_router(registration.router(consents, reader, settings.consent.registrar_token))
    pages = templates(settings, TEMPLATES)
    site.install(app, settings, pages)
    Portal(consents, register, notices, pseudonyms, clock, zone, pages).install(app)
    return app
