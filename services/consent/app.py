"""Wires the consent service together; nothing connects before its life begins."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

from fastapi import FastAPI
from fastapi.concurrency import run_in_threadpool
from sqlalchemy import Connection

from services.consent.adapters import places, propagation
from services.consent.adapters.ledger import MIGRATIONS, outbox
from services.consent.adapters.log_reader import LogReader, Record, Take
from services.consent.api import permitted, proofs, receipts, registration
from services.consent.api.registration_body import Reader
from services.consent.domain.deadlines import DeadlineRules
from services.consent.domain.decisions import Terms
from services.consent.domain.renewals import Schedule
from services.consent.handlers.assisted import Assistance
from services.consent.handlers.consents import Consents
from services.consent.handlers.coverage import Coverages, Tabulating
from services.consent.handlers.life_cycle import LifeCycle, Living
from services.consent.handlers.oversight import Oversight
from services.consent.handlers.proof.anchoring import Anchoring
from services.consent.handlers.proof.permitted import PointInTime
from services.consent.handlers.proof.verification import Verification, Verifying
from services.consent.handlers.propagation import AskingAgain, Propagation
from services.consent.handlers.request_watch import RequestWatch
from services.consent.handlers.requests import Requests
from services.consent.notices import FOLDER, load_notices
from services.consent.pages import portal
from services.consent.pages.navigation import NAVIGATION
from services.consent.pages.oversight.question import QuestionPages
from services.consent.pages.oversight.routes import OversightPages
from services.consent.pages.portal import LOCALE, TEMPLATES
from services.consent.pages.register import routes as register_pages
from services.consent.pages.register.published import Published
from services.consent.pages.requests import routes as request_pages
from services.consent.pages.requests.parts import Parts
from services.consent.pages.student.parts import Parts as StudentParts
from services.consent.receipts.document import Issuer
from services.consent.receipts.issuing import Receipts
from services.consent.signing import Keys, PublicKeys
from services.kernel import database
from services.kernel.background import Background
from services.kernel.clock import SystemClock
from services.kernel.health import operations
from services.kernel.ids import Pseudonyms
from services.kernel.metrics import ConsentMetrics
from services.kernel.outbox import OutboxRelay
from services.kernel.settings import Settings, required
from services.kernel.topics import CONSENT_RECEIPTS, ENROLMENTS
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

    def committed() -> None:
        relay.wake()
        living.wake()

    consents = Consents(engine, clock, terms, metrics, committed)
    life_cycle = LifeCycle(engine, clock, _schedule(settings), notices, consents)
    living = Living(life_cycle, metrics)
    keys = Keys.of_file(settings.consent.signing_key_file)
    verification = Verification(engine, PublicKeys(keys.public), clock)
    verifying = Verifying(verification, clock, metrics)
    coverages = Coverages(engine, clock, zone, tuple(register.purpose))
    rules = _deadline_rules(settings)
    requests = Requests(engine, clock, rules)
    running: list[Background] = [
        relay,
        LogReader(engine, settings.kafka, ENROLMENTS, places.take, metrics),
        LogReader(engine, settings.kafka, CONSENT_RECEIPTS, _hearing(metrics), metrics),
        AskingAgain(engine, clock, metrics, relay.wake),
        Tabulating(coverages),
        RequestWatch(requests, metrics),
        living,
        Anchoring(engine, keys, clock, metrics),
        verifying,
    ]

    @asynccontextmanager
    async def life(_: FastAPI) -> AsyncIterator[None]:
        await run_in_threadpool(database.migrate, engine, MIGRATIONS)
        await run_in_threadpool(life_cycle.keep_texts)
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
    institution = settings.institution
    issuer = Issuer(
        institution.name, institution.data_protection_contact, settings.consent.public_url, register, notices
    )
    app.include_router(receipts.router(consents, Receipts(issuer, keys), pseudonyms))
    point_in_time = PointInTime(engine, register, pseudonyms, clock)
    app.include_router(permitted.router(point_in_time))
    pages = templates(settings, TEMPLATES, nav=NAVIGATION)
    site.install(app, settings, pages, settings.consent.public_url, metrics.sign_in, languages=Languages(LOCALE))
    shown = StudentParts(consents, register, notices, pseudonyms, clock, terms, pages)
    portal.install(app, shown, Propagation(engine, clock), secure_cookies=settings.session.secure_cookies)
    register_pages.install(app, settings, published, notices, pages)
    oversight = Oversight(engine, clock, verification, verifying, requests, notices)
    OversightPages(oversight, coverages, QuestionPages(point_in_time, zone, pages), register, pages).install(app)
    assistance = Assistance(consents, requests, clock, terms)
    request_pages.install(
        app, Parts(requests, assistance, consents, register, notices, pseudonyms, clock, rules, pages)
    )
    return app


def _hearing(metrics: ConsentMetrics) -> Take:
    """What to do with receipts: note them, and measure."""

    def heard(transaction: Connection, records: Sequence[Record]) -> None:
        for consumer, seconds in propagation.take(transaction, records):
            metrics.applied.labels(consumer).observe(seconds)

    return heard


def _schedule(settings: Settings) -> Schedule:
    consent = settings.consent
    return Schedule(
        settings.institution.zone, consent.renewal_days, consent.last_reminder_days, consent.reminders_per_minute
    )


def _deadline_rules(settings: Settings) -> DeadlineRules:
    consent = settings.consent
    return DeadlineRules(
        settings.institution.zone,
        consent.change_request_days,
        consent.complaint_answer_days,
        frozenset(consent.holidays),
    )
