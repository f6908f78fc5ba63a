"""Requests for programs, and what Prometheus is told of them."""

from __future__ import annotations

import datetime as dt
import math
from pathlib import Path

import pytest
from fastapi.testclient import TestClient
from prometheus_client import generate_latest
from sqlalchemy import Engine

from services.consent.handlers.request_watch import RequestWatch
from services.consent.handlers.requests import Requests
from services.kernel import database
from services.kernel.clock import DAY_MS, StreamClock
from services.kernel.errors import TransientError
from services.kernel.metrics import ConsentMetrics
from tests.support.consent_requests import NOW, RULES, asked, client_of, made, requests, staff, step, student
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
    monkeypatch.setattr("services.consent.handlers.request_watch.EVERY_S", 0)
    watch.round()
    with pytest.raises(TransientError):
        watch.count()
