"""Receipts and the question of a moment over HTTP: who gets what, and that each answer can be checked."""

from __future__ import annotations

import json
from typing import Any

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import Engine

from services.consent.adapters import access_log
from services.consent.receipts.checking import check
from services.consent.signing import PublicKeys
from services.kernel import database
from services.kernel.ids import Pseudonyms
from tests.support.consent import BEARER, Visitor, row
from tests.support.sessions import SECRET, sign_in

SHOWN = {"notice": "2026-2", "language": "en"}
ADA = Pseudonyms(SECRET).of("s0000001")
QUESTION = {
    "person": "s0000001",
    "purpose": "individual-indicators",
    "source": "vle",
    "at": "2026-10-01T12:00:00+01:00",
    "known_at": "",
    "reason": "complaint 7",
}


@pytest.fixture
def registered(consent_client: TestClient) -> TestClient:
    """A student who said yes at registration."""
    answer = consent_client.post("/v1/registration", json={"decisions": [row(), row("s0000002")]}, headers=BEARER)
    assert answer.status_code == 200
    return consent_client


def asked(client: TestClient, **changes: str) -> Any:
    sign_in(client, "d0000001", "data-protection-officer")
    question = {name: value for name, value in (QUESTION | changes).items() if value}
    return client.get("/v1/permitted", params=question)


def test_a_student_downloads_a_receipt_that_the_published_key_proves(registered: TestClient) -> None:
    answer = Visitor(registered, "s0000001").get("/decisions/1/receipt")
    keys = registered.get("/.well-known/jwks.json")

    assert answer.headers["content-disposition"] == 'attachment; filename="receipt-1.json"'
    (checked,) = check(answer.text, PublicKeys(keys.json()))
    assert "said YES to individual-indicators from vle" in checked.in_words()
    assert keys.headers["content-type"] == "application/jwk-set+json"
    assert "/.well-known/jwks.json" in answer.json()["check"]


def test_nobody_gets_the_receipts_of_another(registered: TestClient) -> None:
    stranger = Visitor(registered, "s0000003")

    assert stranger.get("/decisions/1/receipt").status_code == 404
    assert stranger.get("/v1/me/receipts").json()["receipts"] == []
    assert ADA not in Visitor(registered, "s0000002").get("/v1/me/receipts").text


def test_all_receipts_of_a_student_come_in_one_file(registered: TestClient) -> None:
    student = Visitor(registered, "s0000001")
    student.post("/withdraw", **SHOWN)
    answer = student.get("/v1/me/receipts")

    checked = check(answer.text, PublicKeys(registered.get("/.well-known/jwks.json").json()))
    assert [[event.decision.state for event in one.events] for one in checked] == [["given"], ["withdrawn"]]


@pytest.mark.requirement("R1")
def test_the_officer_asks_for_a_moment_and_the_student_can_see_it(
    registered: TestClient, consent_engine: Engine
) -> None:
    """What is known now, and what was known then: the registration was imported later than that."""
    now = asked(registered, known_at="2026-11-01T00:00:00Z").json()
    assert now["permitted"] is False
    event = asked(registered, at="2026-11-01T00:00:00Z", known_at=_moments_ago(registered)).json()

    assert (event["permitted"], event["stands"]) == (True, "given")
    assert "held from 2026-09-21T08:00:00Z until 2027-09-21T08:00:00Z" in event["why"]
    assert event["event"]["sequence"] in {1, 2}
    assert (event["event"]["version"], event["event"]["position"], len(event["event"]["digest"])) == (1, 0, 64)
    with database.reading(consent_engine) as transaction:
        seen = access_log.of(transaction, ADA)
    assert [(one.role, one.reason) for one in seen] == [("data-protection-officer", "complaint 7")] * 2
    assert seen[0].what == "individual-indicators / vle at 2026-11-01T00:00:00Z"


def _moments_ago(client: TestClient) -> str:
    """When the newest event was recorded."""
    receipts = Visitor(client, "s0000001").get("/v1/me/receipts").json()["receipts"]
    created: str = receipts[-1]["receipt"]["dct:created"]["@value"]
    return created


@pytest.mark.parametrize(
    ("changes", "field", "words"),
    [
        ({"person": ""}, "person", "institution's id"),
        ({"purpose": "marking"}, "purpose", "tutor-notify"),
        ({"purpose": ""}, "purpose", "it is missing"),
        ({"source": "fees"}, "source", "lecture-capture"),
        ({"at": ""}, "at", "2026-09-21T09:00:00+01:00"),
        ({"at": "yesterday"}, "at", "no ISO 8601"),
        ({"at": "2026-10-01"}, "at", "no offset"),
        ({"at": "1969-10-01T00:00:00Z"}, "at", "before 1970"),
        ({"at": "2999-10-01T00:00:00Z"}, "at", "future"),
        ({"known_at": "2999-10-01T00:00:00Z"}, "known_at", "future"),
        ({"reason": ""}, "reason", "the student can read it"),
        ({"reason": "\0"}, "reason", "the student can read it"),
        ({"reason": "x" * 501}, "reason", "too long"),
    ],
)
def test_each_wrong_part_of_a_question_is_named_and_leaves_no_trace(
    registered: TestClient, consent_engine: Engine, changes: dict[str, str], field: str, words: str
) -> None:
    answer = asked(registered, **changes)

    assert answer.status_code == 422
    (error,) = answer.json()["errors"]
    assert error["field"] == field
    assert words in json.dumps(error)
    with database.reading(consent_engine) as transaction:
        assert access_log.of(transaction, ADA) == []


def test_a_misspelt_parameter_is_not_passed_over(registered: TestClient) -> None:
    answer = asked(registered, known="2026-10-01T12:00:00Z")

    assert answer.status_code == 422
    assert "There is no known" in answer.json()["detail"]


def test_an_offset_whose_plus_was_not_encoded_is_understood(registered: TestClient) -> None:
    sign_in(registered, "d0000001", "data-protection-officer")
    rest = "&".join(f"{name}={value}" for name, value in QUESTION.items() if name in {"person", "purpose", "source"})
    answer = registered.get(f"/v1/permitted?{rest}&at=2026-10-01T12:00:00+01:00&reason=x")

    assert answer.json()["at_ms"] == 1_790_852_400_000


def test_only_who_oversees_the_service_gets_an_anchor_to_keep(registered: TestClient) -> None:
    sign_in(registered, "d0000001", "data-protection-officer")
    answer = registered.get("/v1/anchors/latest")

    assert answer.status_code == 404
    assert "within a minute" in answer.json()["detail"]
    assert Visitor(registered, "s0000001").get("/v1/anchors/latest").status_code == 403
