"""The consent service as an ASGI app; nothing connects before its life begins."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager

from fastapi import FastAPI
from fastapi.concurrency import run_in_threadpool

from services.consent.adapters.ledger import MIGRATIONS
from services.consent.api import consents, permitted, proofs, receipts, registration
from services.consent.api.registration_body import Reader
from services.consent.handlers.requests.assistance import Assistance
from services.consent.pages import portal
from services.consent.pages.navigation import navigation
from services.consent.pages.oversight.question import QuestionPages
from services.consent.pages.oversight.routes import OversightPages
from services.consent.pages.portal import LOCALE, TEMPLATES
from services.consent.pages.register.routes import RegisterPages
from services.consent.pages.requests import routes as request_pages
from services.consent.pages.requests.parts import Parts as RequestParts
from services.consent.pages.student.parts import Parts as StudentParts
from services.consent.wiring import Wiring
from services.kernel import database
from services.kernel.health import operations
from services.kernel.metrics import ConsentMetrics
from services.kernel.settings import Settings
from services.kernel.web import site
from services.kernel.web.i18n.catalogs import Languages
from services.kernel.web.pages import templates


def create_app(settings: Settings, metrics: ConsentMetrics | None = None) -> FastAPI:
    """The service; its database is migrated, and what works in the background runs, while it is up.

    Raises:
        ConfigurationError: a secret, the register or a notice is missing or wrong.
    """
    wiring = Wiring(settings, metrics or ConsentMetrics())
    app = FastAPI(title="Signpost consent", lifespan=_life(wiring), docs_url=None, redoc_url=None)
    _add_programs(app, wiring)
    _add_pages(app, wiring)
    return app


def _life(wiring: Wiring) -> Callable[[FastAPI], AbstractAsyncContextManager[None]]:
    @asynccontextmanager
    async def life(_: FastAPI) -> AsyncIterator[None]:
        await run_in_threadpool(database.migrate, wiring.engine, MIGRATIONS)
        await run_in_threadpool(wiring.life_cycle.keep_texts)
        running = wiring.running()
        for thread in running:
            thread.start()
        yield
        await asyncio.gather(*(run_in_threadpool(thread.stop) for thread in running))
        wiring.engine.dispose()

    return life


def _add_programs(app: FastAPI, wiring: Wiring) -> None:
    """What other programs, and the platform, ask for."""
    checks = {"database": lambda: database.behind(wiring.engine, MIGRATIONS), "relay": wiring.relay.problem}
    app.include_router(operations(wiring.metrics.registry, checks))
    reader = Reader(wiring.register, wiring.notices, wiring.pseudonyms, wiring.zone)
    app.include_router(registration.router(wiring.consents, reader, wiring.settings.consent.registrar_token))
    app.include_router(proofs.router(wiring.engine, wiring.keys))
    app.include_router(consents.router(wiring.consents, wiring.pseudonyms, wiring.clock))
    app.include_router(receipts.router(wiring.consents, wiring.receipts(), wiring.pseudonyms))
    app.include_router(permitted.router(wiring.point_in_time))


def _add_pages(app: FastAPI, wiring: Wiring) -> None:
    """What people see."""
    settings, register, notices = wiring.settings, wiring.register, wiring.notices
    pages = templates(settings, TEMPLATES, nav=navigation(register))
    address, sign_in = settings.consent.public_url, wiring.metrics.sign_in
    site.install(app, settings, pages, address, sign_in, languages=Languages(LOCALE))
    shown = StudentParts(wiring.consents, register, notices, wiring.pseudonyms, wiring.clock, wiring.terms, pages)
    portal.install(app, shown, wiring.propagation, secure_cookies=settings.session.secure_cookies)
    RegisterPages(settings, wiring.published, notices, pages).install(app)
    questions = QuestionPages(wiring.point_in_time, wiring.requests, wiring.zone, pages)
    OversightPages(wiring.oversight(), wiring.coverages, questions, register, pages).install(app)
    assistance = Assistance(wiring.consents, wiring.requests, wiring.clock, wiring.terms)
    request_pages.install(
        app,
        RequestParts(
            wiring.requests,
            assistance,
            wiring.consents,
            register,
            notices,
            wiring.pseudonyms,
            wiring.clock,
            wiring.rules,
            pages,
        ),
    )
