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


def totals(**changes: Any) -> dict[str, Any]:
    """What the API answers where nothing came of it, but for the changes."""
    return {"dry_run": False, "recorded": 0, "unchanged": 0, "overtaken": 0, "students": 0, "states": {}} | changes


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

    assert register(client, *rows).json() == totals(recorded=3, students=2, states={"given": 2, "refused": 1})
    assert register(client, *rows).json() == totals(unchanged=3)
    assert recorded(consent_engine) == 3


def test_a_dry_run_says_exactly_what_would_be_recorded_and_records_nothing(
    client: TestClient, consent_engine: Engine
) -> None:
    register(client, row(), row("s2", state="refused", **{"from": "2026-10-21T09:00:00+01:00"}))
    rows = [row(), row("s2"), row("s3"), row("s3", source="library", state="refused")]
    dry = client.post("/v1/registration?dry_run=true", json={"decisions": rows}, headers=BEARER)

    foreseen = {"recorded": 2, "unchanged": 1, "overtaken": 1, "students": 1, "states": {"given": 1, "refused": 1}}
    assert dry.json() == totals(dry_run=True, **foreseen)
    assert recorded(consent_engine) == 2
    assert register(client, *rows).json() == totals(**foreseen)


def test_a_dry_run_names_wrong_rows_as_the_real_one_does(client: TestClient) -> None:
    body = {"decisions": [row(purpose="marking")]}
    answers = [client.post(f"/v1/registration{query}", json=body, headers=BEARER) for query in ("", "?dry_run=1")]

    assert [answer.status_code for answer in answers] == [422, 422]
    assert answers[0].json() == answers[1].json()


def test_a_spreadsheet_goes_in_as_it_is(client: TestClient, consent_engine: Engine) -> None:
    text = (
        "\ufeffperson;purpose;source;state;from;until;notice;language\r\n"
        "s1;tutor-notify;vle;given;2026-09-21T09:00:00+01:00;;2026-1;cy\r\n"
    )
    headers = BEARER | {"Content-Type": "text/csv"}
    answer = client.post("/v1/registration", content=text.encode(), headers=headers)

    assert answer.json() == totals(recorded=1, students=1, states={"given": 1})
    wrong = client.post("/v1/registration", content=text.replace("vle", "fees").encode(), headers=headers).json()
    assert [(error["line"], error["field"]) for error in wrong["errors"]] == [(2, "source")]
    assert recorded(consent_engine) == 1


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
