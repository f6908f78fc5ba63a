"""Wires the consent service together; nothing connects before its life begins."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI
from fastapi.concurrency import run_in_threadpool

from services.consent.adapters import places
from services.consent.adapters.ledger import MIGRATIONS, outbox
from services.consent.adapters.log_reader import LogReader
from services.consent.api import permitted, proofs, registration
from services.consent.api.registration_body import Reader
from services.consent.domain.deadlines import DeadlineRules
from services.consent.domain.decisions import Terms
from services.consent.handlers.assisted import Assistance
from services.consent.handlers.consents import Consents
from services.consent.handlers.coverage import Coverages, Tabulating
from services.consent.handlers.oversight import Oversight
from services.consent.handlers.proof.anchoring import Anchoring
from services.consent.handlers.proof.permitted import PointInTime
from services.consent.handlers.proof.verification import Verification, Verifying
from services.consent.handlers.request_watch import RequestWatch
from services.consent.handlers.requests import Requests
from services.consent.notices import FOLDER, load_notices
from services.consent.pages.navigation import NAVIGATION
from services.consent.pages.oversight.routes import OversightPages
from services.consent.pages.portal import LOCALE, TEMPLATES, Portal
from services.consent.pages.register import routes as register_pages
from services.consent.pages.register.published import Published
from services.consent.pages.requests import routes as request_pages
from services.consent.pages.requests.parts import Parts
from services.consent.signing import Keys, PublicKeys
from services.kernel import database
from services.kernel.background import Background
from services.kernel.clock import SystemClock
from services.kernel.health import operations
from services.kernel.ids import Pseudonyms
from services.kernel.metrics import ConsentMetrics
from services.kernel.outbox import OutboxRelay
from services.kernel.settings import Settings, required
from services.kernel.topics import ENROLMENTS
from services.kernel.web import site
from services.kernel.web.i18n.catalogs import Languages
from services.kernel.web.pages import templates

SERVICE = "consent"


def create_app(settings: Settings, metrics: ConsentMetrics | None = None) -> FastAPI:
    """The service as an ASGI app; its database is migrated, and what works in the background runs, while it is up.

    Raises:
        ConfigurationError: a secret, the register or a notice is missing or wrong.
    """
    metrics = metrics or ConsentMetrics()
    published = Published.read(settings.register_file)
    register = published.register
    clock, zone = SystemClock(), settings.institution.zone
    notices = load_notices(register, settings.consent.notices_folder or FOLDER, clock, zone)
    pseudonyms = Pseudonyms(required(settings.institution.pseudonym_secret, "SIGNPOST_INSTITUTION__PSEUDONYM_SECRET"))
    engine = database.engine(settings.consent.database_url)
    relay = OutboxRelay(SERVICE, outbox, engine, settings.kafka, metrics.outbox)
    terms = Terms(zone, settings.consent.renewal_days)
    consents = Consents(engine, clock, terms, metrics, committed=relay.wake)
    keys = Keys.of_file(settings.consent.signing_key_file)
    verification = Verification(engine, PublicKeys(keys.public), clock)
    verifying = Verifying(verification, clock, metrics)
    coverages = Coverages(engine, clock, zone, tuple(register.purpose))
    rules = _deadline_rules(settings)
    requests = Requests(engine, clock, rules)
    running: list[Background] = [
        relay,
        LogReader(engine, settings.kafka, ENROLMENTS, places.take, metrics),
        Tabulating(coverages),
        RequestWatch(requests, metrics),
        Anchoring(engine, keys, clock, metrics),
        verifying,
    ]

    @asynccontextmanager
    async def life(_: FastAPI) -> AsyncIterator[None]:
        await run_in_threadpool(database.migrate, engine, MIGRATIONS)
        for thread in running:
            thread.start()
        yield
        for thread in running:
            await run_in_threadpool(thread.stop)
        engine.dispose()

    app = FastAPI(title="Signpost consent", lifespan=life, docs_url=None, redoc_url=None)
    checks = {"database": lambda: database.behind(engine, MIGRATIONS), "relay": relay.problem}
    app.include_router(operations(metrics.registry, checks))
    reader = Reader(register, notices.known, pseudonyms, zone)
    app.include_router(registration.router(consents, reader, settings.consent.registrar_token))
    app.include_router(proofs.router(engine, keys))
    app.include_router(permitted.router(PointInTime(engine, register, pseudonyms, clock)))
    pages = templates(settings, TEMPLATES, nav=NAVIGATION)
    site.install(app, settings, pages, settings.consent.public_url, metrics.sign_in, languages=Languages(LOCALE))
    Portal(consents, register, notices, pseudonyms, clock, zone, pages).install(app)
    register_pages.install(app, settings, published, notices, pages)
    oversight = Oversight(engine, clock, verification, verifying, requests, notices)
    OversightPages(oversight, coverages, register, pages).install(app)
    assistance = Assistance(consents, requests, clock, terms)
    request_pages.install(
        app, Parts(requests, assistance, consents, register, notices, pseudonyms, clock, rules, pages)
    )
    return app


def _deadline_rules(settings: Settings) -> DeadlineRules:
    consent = settings.consent
    return DeadlineRules(
        settings.institution.zone,
        consent.change_request_days,
        consent.complaint_answer_days,
        frozenset(consent.holidays),
    )
