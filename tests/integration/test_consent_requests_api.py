"""Requests for programs, and what Prometheus is told of them."""

from __future__ import annotations

import datetime as dt
import math
from pathlib import Path

import pytest
from fastapi.testclient import TestClient
from prometheus_client import generate_latest
from sqlalchemy import Engine

from services.consent.handlers.requests.handling import Requests
from services.consent.handlers.requests.watch import RequestWatch
from services.kernel import database
from services.kernel.clock import DAY_MS, StreamClock
from services.kernel.errors import TransientError
from services.kernel.metrics import ConsentMetrics
from tests.support.consent_requests import NOW, RULES, asked, client_of, made, requests, staff, step, student, words
from tests.support.identity import Identity
from tests.support.sessions import sign_in


@pytest.fixture
def client(tmp_path: Path) -> TestClient:
    return client_of(tmp_path)


@pytest.mark.requirement("R10")
def test_a_student_and_staff_read_requests_as_json(client: TestClient) -> None:
    ada = student(client)
    path = made(ada, "consent-change", about=["tutor-notify"])
    mine = client.get("/v1/me/requests").json()["requests"]
    staff(client)
    all_of = client.get("/v1/requests").json()["requests"]

    assert len(mine) == len(all_of) == 1
    assert (mine[0]["id"], mine[0]["kind"], mine[0]["state"]) == (path.rpartition("/")[2], "consent-change", "open")
    assert mine[0]["about"] == ["tutor-notify"]
    assert [event["what"] for event in mine[0]["history"]] == ["opened"]
    due = mine[0]["deadline"]
    assert dt.date.fromisoformat(due["day"]).weekday() < 5
    assert (due["task"], due["running"], due["overdue"]) == ("answer", True, False)
    assert 5 <= due["days_left"] <= 7
    assert "history" not in all_of[0]
    assert client.get("/v1/requests?state=closed").json() == {"requests": []}
    assert client.get("/v1/requests?state=lost").status_code == 422


def test_a_students_program_cannot_read_what_is_staffs(client: TestClient) -> None:
    sign_in(client, "s0000001", "student")
    assert client.get("/v1/requests").status_code == 403
    sign_in(client, "a0000001", "administrator")
    assert client.get("/v1/me/requests").status_code == 403


def test_a_cookie_alone_makes_no_request(client: TestClient) -> None:
    """Another site could have a browser send it; programs send a token."""
    sign_in(client, "s0000001", "student")
    assert client.post("/v1/me/requests", content='{"kind": "erasure"}').status_code == 403
    assert client.get("/v1/me/requests").json() == {"requests": []}


def test_a_character_that_no_database_keeps_is_no_fault_of_ours(consent_client: TestClient) -> None:
    ada = student(consent_client)
    path = made(ada, "complaint", words="What is\0 this?")
    desk = staff(consent_client)

    assert "What is this?" in words(desk.get(f"/staff{path}"))
    assert desk.get("/staff/requests/%00").status_code == 404
    assert desk.get("/staff/requests?q=%00").status_code == 200


@pytest.fixture
def tokens(tmp_path: Path, identity: Identity) -> TestClient:
    """The service as programs with the provider's tokens meet it."""
    return client_of(tmp_path, sign_in=identity.settings())


@pytest.mark.requirement("R10")
def test_a_students_program_makes_a_request(tokens: TestClient, identity: Identity) -> None:
    ada = identity.bearer("s0000001", "student")
    sent = {"kind": "consent-change", "words": "Yes to the tutor.", "about": ["tutor-notify"], "language": "cy"}
    answer = tokens.post("/v1/me/requests", json=sent, headers=ada)

    assert answer.status_code == 201
    made = answer.json()
    assert answer.headers["Location"] == f"/requests/{made['id']}"
    assert (made["language"], made["state"], made["channel"]) == ("cy", "open", "portal")
    assert tokens.get("/v1/me/requests", headers=ada).json() == {"requests": [made]}
    assert tokens.get("/v1/me/requests", headers=identity.bearer("s0000002", "student")).json() == {"requests": []}


@pytest.mark.parametrize(
    ("body", "status", "said"),
    [
        ("no json", 400, "JSON is malformed"),
        ('{"words": "x"}', 400, "missing required field `kind`"),
        ('{"kind": "access", "person": "s2"}', 400, "unknown field `person`"),
        ('{"kind": "marking"}', 422, "one of: consent-change, access"),
        ('{"kind": "complaint"}', 422, "Write in a sentence"),
        ('{"kind": "consent-change", "about": ["marking"]}', 422, "the register declares nothing else"),
        ('{"kind": "access", "language": "la"}', 422, "Choose the language"),
        ('{"kind": "access", "words": "' + "x" * 70_000 + '"}', 413, "at most 64000 bytes"),
    ],
)
def test_a_body_that_is_wrong_makes_none_and_says_how_to_mend_it(
    tokens: TestClient, identity: Identity, body: str, status: int, said: str
) -> None:
    ada = identity.bearer("s0000001", "student")
    answer = tokens.post("/v1/me/requests", content=body, headers=ada)

    assert answer.status_code == status
    assert said in answer.text
    assert tokens.get("/v1/me/requests", headers=ada).json() == {"requests": []}


def test_open_and_overdue_requests_are_counted_by_kind(consent_engine: Engine) -> None:
    metrics = ConsentMetrics()
    service = requests(consent_engine)
    watch = RequestWatch(service, metrics)
    watch.count()
    assert metrics.requests_deadline._value.get() == math.inf  # noqa: SLF001 - the client has no other way

    service.open(asked(opened_ms=NOW - 40 * DAY_MS))
    service.open(asked())
    gone = service.open(asked("complaint"))
    service.step(gone.id, step("withdrawn", "student"))
    watch.count()
    told = generate_latest(metrics.registry).decode()

    assert 'signpost_requests_open{kind="access"} 2.0' in told
    assert 'signpost_requests_open{kind="complaint"} 0.0' in told
    assert 'signpost_requests_overdue{kind="access"} 1.0' in told
    assert metrics.requests_deadline._value.get() < 0  # noqa: SLF001 - the same


def test_a_database_that_is_away_stops_no_counting(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    service = Requests(database.engine(f"sqlite:///{tmp_path}/none.db"), StreamClock(NOW), RULES)
    watch = RequestWatch(service, ConsentMetrics())
    monkeypatch.setattr("services.consent.handlers.requests.watch.EVERY_S", 0)
    watch.round()
    with pytest.raises(TransientError):
        watch.count()
