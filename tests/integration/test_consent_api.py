"""Bulk registration over HTTP: who may, what is answered, and that a bad request changes nothing."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import Engine, func, select

from services.consent.adapters.ledger import consent_events
from services.consent.api import registration as api
from services.consent.app import create_app
from services.kernel import database
from tests.support.consent import BEARER, row, settings


@pytest.fixture
def client(consent_client: TestClient) -> TestClient:
    return consent_client


def recorded(engine: Engine) -> int:
    with database.reading(engine) as transaction:
        return transaction.execute(select(func.count()).select_from(consent_events)).scalar_one()


def register(client: TestClient, *rows: Any) -> Any:
    return client.post("/v1/registration", json={"decisions": rows}, headers=BEARER)


@pytest.mark.parametrize(
    "headers", [{}, {"Authorization": "Bearer wrong"}, {"Authorization": "Basic eDp5"}, {"Authorization": "Bearer é"}]
)
def test_only_the_registrar_may(client: TestClient, consent_engine: Engine, headers: dict[str, str]) -> None:
    sent = [(name.encode(), value.encode()) for name, value in headers.items()]
    answer = client.post("/v1/registration", json={"decisions": [row()]}, headers=sent)

    assert answer.status_code == 401
    assert answer.headers["WWW-Authenticate"].startswith('Bearer realm="signpost"')
    assert "SIGNPOST_CONSENT__REGISTRAR_TOKEN" in answer.json()["detail"]
    assert recorded(consent_engine) == 0


def test_without_a_token_set_none_counts_as_one(tmp_path: Path) -> None:
    found = settings(tmp_path)
    without = found.model_copy(update={"consent": found.consent.model_copy(update={"registrar_token": None})})
    answer = TestClient(create_app(without)).post("/v1/registration", json={"decisions": []}, headers=BEARER)

    assert answer.status_code == 401
    assert "one of the role administrator" in answer.json()["detail"]


@pytest.mark.requirement("R3")
def test_the_same_body_again_changes_nothing(client: TestClient, consent_engine: Engine) -> None:
    rows = [row(), row("s2", state="refused"), row("s2", source="library")]

    assert register(client, *rows).json() == {"recorded": 3, "unchanged": 0, "overtaken": 0, "students": 2}
    assert register(client, *rows).json() == {"recorded": 0, "unchanged": 3, "overtaken": 0, "students": 0}
    assert recorded(consent_engine) == 3


def test_of_a_body_with_a_wrong_row_nothing_is_recorded(client: TestClient, consent_engine: Engine) -> None:
    answer = register(client, row(), row(purpose="marking"), row("s2", state="perhaps"))

    assert answer.status_code == 422
    body = answer.json()
    assert [(error["index"], error["field"]) for error in body["errors"]] == [(1, "purpose"), (2, "state")]
    assert all(error["problem"] and error["mend"] for error in body["errors"])
    assert "none was recorded" in body["detail"]
    assert recorded(consent_engine) == 0


def test_of_very_many_wrong_rows_the_first_are_shown(client: TestClient) -> None:
    body = register(client, *[row(source="fees")] * 150).json()

    assert (len(body["errors"]), body["not_shown"]) == (100, 50)


def test_a_body_that_is_none_is_refused(client: TestClient) -> None:
    answer = client.post("/v1/registration", content=b"person,purpose", headers=BEARER)

    assert answer.status_code == 400
    assert '{"decisions"' in answer.json()["detail"]


def test_a_body_too_large_is_refused(client: TestClient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(api, "MAX_BODY_BYTES", 100)

    assert register(client, row()).status_code == 413


def test_thousands_of_decisions_go_in_one_request(client: TestClient, consent_engine: Engine) -> None:
    sources = ("vle", "assessment", "attendance", "library", "lecture-capture")
    rows = [row(f"s{number}", source=source) for number in range(1000) for source in sources]

    assert register(client, *rows).json()["recorded"] == 5000
    assert recorded(consent_engine) == 5000


def test_decisions_are_counted_by_state_and_channel(client: TestClient) -> None:
    register(client, row(), row("s2", state="refused"))

    counted = 'signpost_consent_decisions_total{channel="registration",state="refused"} 1.0'
    assert counted in client.get("/metrics").text


def test_not_ready_before_the_database_is_migrated_and_the_relay_runs(tmp_path: Path) -> None:
    answer = TestClient(create_app(settings(tmp_path))).get("/health/ready")

    assert answer.status_code == 503
    assert answer.json()["checks"] == {
        "database": "its migrations are not applied",
        "relay": "its thread does not run",
    }
