"""Both services with invented people, served to a real browser: each kind of state that a page can show is there."""

from __future__ import annotations

import shutil
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import uvicorn
from fastapi import FastAPI
from sqlalchemy import Engine

from deploy.local.machine.ports import free_port
from services.consent.adapters import places
from services.consent.adapters.kafka.log_reader import Record
from services.consent.adapters.ledger import MIGRATIONS as CONSENT_MIGRATIONS
from services.consent.app import create_app
from services.consent.domain.decisions import PORTAL, Cell, Decision, Via
from services.consent.domain.requests.request import Kind, Request, RequestEvent
from services.consent.handlers.consents import Consents
from services.consent.handlers.coverage import Coverages
from services.consent.handlers.requests.handling import Requests
from services.consent.notices import FOLDER
from services.kernel import database
from services.kernel.clock import DAY_MS, StreamClock, SystemClock, iso_day
from services.kernel.events import Enrolment, EnrolmentsChanged
from services.kernel.ids import Pseudonyms
from services.kernel.metrics import ConsentMetrics
from services.kernel.register import SHIPPED, load_register
from services.kernel.settings import Settings
from services.kernel.topics import CONSENT_STATE
from services.notify.app import MIGRATIONS as NOTIFY_MIGRATIONS
from services.notify.handlers.unit import Unit
from tests.support import consent, notify, students
from tests.support.consent_requests import RULES
from tests.support.registers import BENEFIT
from tests.support.sessions import COOKIE, SECRET, cookie
from tests.support.waiting import eventually

UNDECIDED, MIXED, ALL_YES = "s0000001", "s0000002", "s0000003"
SPECIAL = "special-category:ethnicity"
REQUEST, ANSWERED = "7KQ3-M2XD", "8KQ3-M2XD"
OFFICER, TUTOR = "o0000001", "t1"
_TERMS = replace(consent.TERMS, special=frozenset({SPECIAL}))
_LIFE_CYCLE = Via("life-cycle", "signpost")
_NEW_NOTICE = """
[purposes."{name}"]
question = "{question}"
does = "{does}"
seen_by = "{seen_by}"
if_no = "{if_no}"
now_yes = "{now_yes}"
now_no = "{now_no}"
"""
_WORDS = {
    "en": {
        "changed": "We now ask about your ethnic origin, too, and tell you how long figures are kept.",
        "question": "May we see whether support reaches students of every ethnic origin?",
        "does": "We add your ethnic origin to totals, to see whether help is offered fairly.",
        "seen_by": "People who review how support works. They see totals of ten or more students, never you.",
        "if_no": "The totals leave you out. Nothing changes for you.",
        "now_yes": "You count in these totals from now on.",
        "now_no": "These totals leave you out.",
    },
    "cy": {
        "changed": "Rydym bellach yn gofyn am eich tarddiad ethnig hefyd, ac yn dweud pa mor hir y cedwir ffigurau.",
        "question": "Gawn ni weld a yw cymorth yn cyrraedd myfyrwyr o bob tarddiad ethnig?",
        "does": "Rydym yn ychwanegu eich tarddiad ethnig at gyfansymiau, i weld a gynigir cymorth yn deg.",
        "seen_by": "Pobl sy'n adolygu sut mae cymorth yn gweithio. Cyfansymiau o ddeg neu fwy, byth chi.",
        "if_no": "Nid yw'r cyfansymiau'n eich cynnwys. Nid oes dim yn newid i chi.",
        "now_yes": "Rydych yn cyfrif yn y cyfansymiau hyn o hyn ymlaen.",
        "now_no": "Nid yw'r cyfansymiau hyn yn eich cynnwys.",
    },
}  # fmt: skip
_pseudonym = Pseudonyms(SECRET).of


@dataclass(frozen=True, slots=True)
class Site:
    """A service that answers at `url`."""

    url: str
    app: FastAPI

    def session(self, person: str, *roles: str) -> dict[str, Any]:
        """The cookie of somebody who is signed in."""
        name = "Angharad Llewelyn-Featherstonehaugh" if "student" in roles else "Sam Example"
        return {"name": COOKIE, "value": cookie(person, *roles, name=name), "url": self.url}


@contextmanager
def served(app: FastAPI) -> Iterator[Site]:
    """The app in a thread, without what it does in the background."""
    port = free_port()
    config = uvicorn.Config(app, port=port, log_level="warning", ws="none", lifespan="off")
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    eventually(lambda: server.started, what="a site that listens")
    yield Site(f"http://127.0.0.1:{port}", app)
    server.should_exit = True
    thread.join(10)


def consent_app(folder: Path) -> FastAPI:
    """The consent service: students who decided, who did not, and whose yes ended; requests; coverage.

    Its text has changed since, and asks about a special category.
    """
    wired = consent.settings(folder)
    changed = wired.consent.model_copy(update={"notices_folder": _notices(folder / "notices")})
    wired = wired.model_copy(update={"consent": changed, "register_file": _register(folder)})
    engine = database.engine(wired.consent.database_url)
    database.migrate(engine, CONSENT_MIGRATIONS)
    _fill(engine, wired)
    engine.dispose()
    return create_app(wired)


def notify_app(folder: Path) -> FastAPI:
    """The notify service's pages: a tutor with two open cases."""
    engine = database.engine(f"sqlite:///{folder}/notify.db")
    database.migrate(engine, NOTIFY_MIGRATIONS)
    gate = notify.new_gate()
    notify.fill_directory(engine, gate)
    with engine.begin() as transaction:  # for longer than any run of tests, however slow the machine
        known_ms = SystemClock().now_ms() + DAY_MS
        Unit.of(transaction).snapshots.mark_current(CONSENT_STATE.name, range(4), known_ms)
    for person in ("s1", "s2"):
        student = notify.student_of(person)
        permitted = students.consent(student, sources=("vle", "assessment"))
        notify.take(engine, gate, permitted, notify.trigger(student), notify.everything(student))
    return notify.pages_app(engine, gate, notify.notify_settings(str(engine.url)))


def open_case(folder: Path) -> str:
    """The id of a case of the tutor's."""
    engine = database.engine(f"sqlite:///{folder}/notify.db")
    with engine.begin() as transaction:
        case = Unit.of(transaction).cases.open_of(notify.student_of("s1"))
    engine.dispose()
    assert case
    return case.id


def _notices(folder: Path) -> Path:
    folder.mkdir()
    for language, words in _WORDS.items():
        text = (FOLDER / f"2026-1.{language}.toml").read_text("utf-8")
        (folder / f"2026-1.{language}.toml").write_text(text, "utf-8")
        text = text.replace("in_force_from = 2026-01-01", f'in_force_from = 2026-11-02\nchanged = "{words["changed"]}"')
        (folder / f"2026-2.{language}.toml").write_text(text + _NEW_NOTICE.format(name=SPECIAL, **words), "utf-8")
    return folder


def _register(folder: Path) -> Path:
    """The register with an approved benefit of one special category."""
    shutil.copytree(SHIPPED.with_name("registers"), folder / "registers")
    file = folder / "register.toml"
    file.write_text(SHIPPED.read_text("utf-8").replace("[special_categories.cy]", BENEFIT, 1), "utf-8")
    return file


def _fill(engine: Engine, wired: Settings) -> None:
    now_ms = SystemClock().now_ms()
    register = load_register(wired.register_file)
    every = [(purpose, source) for purpose in register.askable for source in register.source]
    _record(engine, ALL_YES, dict.fromkeys(every, "given"), now_ms - 10 * DAY_MS)
    _record_a_long_history(engine, now_ms)
    _fill_places(engine, wired, tuple(register.purpose))
    _fill_requests(engine, now_ms)


def _record_a_long_history(engine: Engine, now_ms: int) -> None:
    """Given in part, refused, taken back, ended by date, ending soon, ended by a new text, and merely asked."""
    figures, tutor, view, cohort = "individual-indicators", "tutor-notify", "student-view", "cohort-improvement"
    old = ("2026-1", "cy")
    year = 365 * DAY_MS
    _record(engine, MIXED, {(view, "vle"): "given"}, now_ms - year - 20 * DAY_MS, now_ms - 20 * DAY_MS, shown=old)
    _record(
        engine, MIXED, {(figures, "vle"): "given", (figures, "library"): "refused"}, now_ms - 355 * DAY_MS, shown=old
    )
    _record(engine, MIXED, {(tutor, source): "given" for source in ("vle", "library")}, now_ms - 90 * DAY_MS, shown=old)
    invalid = {(tutor, source): "invalidated" for source in ("vle", "library")}
    _record(engine, MIXED, invalid, now_ms - 22 * DAY_MS, via=_LIFE_CYCLE)
    _record(engine, MIXED, {(view, "vle"): "expired"}, now_ms - 20 * DAY_MS, via=_LIFE_CYCLE, shown=old)
    _record(engine, MIXED, {(view, "vle"): "requested"}, now_ms - 20 * DAY_MS, via=_LIFE_CYCLE)
    staff = Via("staff-assisted", "c" * 64, ANSWERED)
    _record(engine, MIXED, {(cohort, "vle"): "given", (cohort, "library"): "given"}, now_ms - 5 * DAY_MS, via=staff)
    _record(engine, MIXED, {(cohort, "library"): "withdrawn"}, now_ms - 3_600_000)


def _record(  # noqa: PLR0913 - a decision has so many sides
    engine: Engine,
    person: str,
    says: Mapping[Cell, Any],
    at_ms: int,
    until_ms: int | None = None,
    *,
    via: Via = PORTAL,
    shown: tuple[str, str] = ("2026-2", "en"),
) -> None:
    ends = until_ms or at_ms + 365 * DAY_MS
    decisions = [
        via.of(Decision(*cell, state, at_ms, ends if state == "given" else None, *shown, "portal"))
        for cell, state in says.items()
    ]
    consents = Consents(engine, StreamClock(at_ms), _TERMS, ConsentMetrics(), lambda: None)
    consents.record([_pseudonym(person)], lambda _student, _history: decisions)


def _fill_places(engine: Engine, wired: Settings, purposes: tuple[str, ...]) -> None:
    with engine.begin() as transaction:
        for number in range(40):
            on = [Enrolment(module="HIST101", start_day="2020-01-01", end_day="2099-12-31")]
            on += [Enrolment(module="BIOL120", start_day="2020-01-01", end_day="2099-12-31")] * (number < 8)
            message = EnrolmentsChanged(student=_pseudonym(f"s{number:07d}"), version=1, enrolments=tuple(on))
            places.take(transaction, [Record(message.student, message)])
    Coverages(engine, SystemClock(), wired.institution.zone, purposes).keep()


def _fill_requests(engine: Engine, now_ms: int) -> None:
    requests = Requests(engine, StreamClock(now_ms), RULES)
    words = "Please show me all of it.\n\nI should like to know what my tutor sees."
    kinds: dict[str, Kind] = {REQUEST: "access", ANSWERED: "consent-change"}
    for number, kind in kinds.items():
        opened = RequestEvent(0, now_ms - 8 * DAY_MS, "opened", "student", "student", words)
        about = ("cohort-improvement",) if kind == "consent-change" else ()
        day = iso_day(opened.at_ms // DAY_MS)
        student = _pseudonym(MIXED)
        requests.open(Request(number, kind, student, MIXED, "portal", "en", day, about, (opened,)))
