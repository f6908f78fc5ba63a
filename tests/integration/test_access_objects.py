"""The right role is not enough: a student reaches only what is their own, a tutor only their own students' cases."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import httpx2
import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient
from sqlalchemy import Engine, select

from services.consent.adapters.ledger import MIGRATIONS as CONSENT_MIGRATIONS
from services.consent.app import create_app
from services.kernel import database
from services.notify.adapters.tables import support_case
from services.notify.app import MIGRATIONS as NOTIFY_MIGRATIONS
from tests.support import access, consent, notify
from tests.support.access import CONSENT, NOTIFY
from tests.support.identity import Identity
from tests.support.sessions import CSRF, sign_in
from tests.support.students import consent as consenting

pytestmark = pytest.mark.requirement("R9")
OBJECTS = {"version", "request_id", "case_id"}  # that belong to somebody
WORDS = {"purpose", "kind"}  # that are the same for everybody
ADA, BEN = "s0000001", "s0000002"


def of_somebody(declared: dict[str, str]) -> list[str]:
    """The routes of one's own things, or of one's own students', that name a thing."""
    own = [route for route, what in declared.items() if what.startswith("own-") or what.endswith("-of-own-students")]
    parameters = {name for route in own for name in re.findall(r"\{(\w+)\}", route)}
    assert parameters <= OBJECTS | WORDS, "say of the new parameter whether it names something that is somebody's"
    return [route for route in own if OBJECTS & set(re.findall(r"\{(\w+)\}", route))]


@pytest.fixture
def app(tmp_path: Path, identity: Identity) -> FastAPI:
    """The consent service, in which Ada has decided something and asked for something."""
    settings = consent.settings(tmp_path).model_copy(update={"sign_in": identity.settings()})
    engine = database.engine(settings.consent.database_url)
    database.migrate(engine, CONSENT_MIGRATIONS)
    engine.dispose()
    return create_app(settings)


def asked(client: TestClient, route: str, values: dict[str, str], **headers: str) -> httpx2.Response:
    method, path = route.split(" ")
    data = {"csrf": CSRF, "words": "Please."} if method == "POST" else None
    answer: httpx2.Response = client.request(method, access.filled(path, values), headers=headers, data=data)
    return answer


def test_a_student_reaches_nothing_of_another(app: FastAPI, identity: Identity) -> None:
    client = TestClient(app, follow_redirects=False, headers={"accept": "text/html"})
    ada = identity.bearer(ADA, "student")
    shown = {"notice": "2026-2", "language": "en", "vle": "yes", "all": "yes"}
    made = sign_in(client, ADA, "student").post("/choices/tutor-notify", data={"csrf": CSRF, **shown})
    request = client.post("/v1/me/requests", json={"kind": "access", "words": "All."}, headers=ada).json()["id"]
    values = {"version": made.headers["location"].rpartition("/")[2], "request_id": request}
    client.cookies.clear()
    for route in of_somebody(CONSENT):
        as_ben = asked(client, route, values, **identity.bearer(BEN, "student"))
        in_a_browser = asked(sign_in(client, BEN, "student"), route, values)
        client.cookies.clear()
        assert (as_ben.status_code, in_a_browser.status_code) == (404, 404), route
    for route in of_somebody(CONSENT):  # and it is there: Ada does reach it
        assert asked(client, route, values, **ada).status_code in {200, 303, 409}, route


def test_what_a_student_lists_is_their_own(app: FastAPI, identity: Identity) -> None:
    client, ada = TestClient(app), identity.bearer(ADA, "student")
    client.post("/v1/me/requests", json={"kind": "access", "words": "All."}, headers=ada)
    assert len(client.get("/v1/me/requests", headers=ada).json()["requests"]) == 1
    assert client.get("/v1/me/requests", headers=identity.bearer(BEN, "student")).json()["requests"] == []


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    engine = database.engine(f"sqlite:///{tmp_path}/notify.db")
    database.migrate(engine, NOTIFY_MIGRATIONS)
    yield engine
    engine.dispose()


def test_a_tutor_reaches_no_case_of_anothers_student(engine: Engine, identity: Identity) -> None:
    gate, student = notify.new_gate(), notify.student_of("s1")
    notify.fill_directory(engine, gate)
    notify.mark_consent_current(engine)
    notify.take(engine, gate, consenting(student), notify.trigger(student))
    with engine.begin() as tx:
        case_id = tx.scalars(select(support_case.c.id)).one()
    settings = notify.notify_settings(str(engine.url)).model_copy(update={"sign_in": identity.settings()})
    client = TestClient(notify.pages_app(engine, gate, settings), follow_redirects=False)
    values, own = {"case_id": str(case_id)}, identity.bearer("t1", "tutor")
    for route in of_somebody(NOTIFY):
        assert asked(client, route, values, **identity.bearer("t2", "tutor", "senior-tutor")).status_code == 404, route
    assert asked(client, "GET /tutor/cases/{case_id}", values, **own).status_code == 200
