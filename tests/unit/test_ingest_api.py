"""The door's HTTP interface: statuses, headers, limits, and what never reaches an answer or a log."""

from __future__ import annotations

import asyncio
import base64
import json
import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from fastapi import Request
from starlette.types import Message

from services.ingest.adapters.sources import add_source, load_sources
from services.ingest.http.answers import Rejected
from services.ingest.http.body import bounded_body
from services.ingest.http.openapi import NATIVE_EVENT, STATEMENT
from services.ingest.turnstile import Turnstile
from services.kernel.events import ActivityRecorded
from services.kernel.register import load_register
from tests.support.door import AT_MS, DoorInMemory, event, statement, student_of
from tests.support.students import consent

NDJSON = {"Content-Type": "application/x-ndjson"}


@pytest.fixture
def door(tmp_path: Path) -> DoorInMemory:
    """A door that knows one consenting student."""
    made = DoorInMemory(tmp_path)
    student = student_of("31000001")
    made.consents.states[student] = consent(student)
    return made


def test_an_event_is_taken(door: DoorInMemory) -> None:
    answer = door.post(event("31000001"))
    assert (answer.status_code, answer.json()) == (202, {"accepted": 1, "refused": []})
    [found] = door.log.records
    assert isinstance(found, ActivityRecorded)
    assert found.student == student_of("31000001")
    assert door.counted("events_accepted", source="vle") == 1


def test_the_same_event_has_the_same_id_however_often_it_comes(door: DoorInMemory) -> None:
    for sent in (event("31000001", id="1"), event("31000001"), event("31000001", weight=2)):
        assert door.post(sent).status_code == door.post(sent).status_code == 202
    ids = [record.id for record in door.log.records if isinstance(record, ActivityRecorded)]
    assert ids[::2] == ids[1::2]
    assert len(set(ids)) == 3


@pytest.mark.requirement("R1")
def test_the_answer_does_not_tell_whether_a_student_consents(door: DoorInMemory) -> None:
    def told(answer: Any) -> tuple[Any, ...]:
        return answer.status_code, answer.content, answer.headers

    assert told(door.post(event("31000001"))) == told(door.post(event("31999999")))
    door.log.away = True
    assert told(door.post(event("31000001"))) == told(door.post(event("31999999")))
    assert door.counted("events_discarded", reason="no-grant") == 1


def test_all_refused_is_422_and_some_207(door: DoorInMemory) -> None:
    bad = event("31000001", activity="telepathy")
    some, none = door.post([bad, event("31000001")]), door.post([bad])
    assert (some.status_code, some.json()["accepted"]) == (207, 1)
    assert (none.status_code, none.json()["accepted"]) == (422, 0)
    assert [refused["line"] for refused in some.json()["refused"]] == [1]
    assert door.counted("events_refused", reason="unknown-activity") == 2


@pytest.mark.parametrize(
    ("body", "headers", "status", "reason"),
    [
        (b"{", {}, 422, "not-json"),
        (b"[]", {}, 422, "empty"),
        (b"", NDJSON, 422, "empty"),
        (b"[1,2,3,4,5,6]", {}, 413, "too-many"),
        (b"\n".join([b"1"] * 6), NDJSON, 413, "too-many"),
    ],
)
def test_a_body_that_cannot_be_read_is_refused_as_a_whole(
    door: DoorInMemory, body: bytes, headers: dict[str, str], status: int, reason: str
) -> None:
    answer = door.post(body, **headers)
    assert answer.status_code == status
    assert [refused["reason"] for refused in answer.json()["refused"]] == [reason]


@pytest.mark.parametrize("path", ["/v1/events", "/xapi/statements", "/v1/clock"])
def test_bodies_have_a_largest_size(door: DoorInMemory, path: str) -> None:
    def chunks() -> Iterator[bytes]:
        yield from [b" " * 1000] * 11

    for body in (b" " * 10_001, chunks()):
        headers = {"Content-Type": "application/json"} | door.auth | {"X-Experience-API-Version": "1.0.3"}
        answer = door.client.post(path, content=body, headers=headers)
        assert (answer.status_code, answer.json()["reason"]) == (413, "too-large")


def test_compressed_bodies_and_other_content_types_are_not_taken(door: DoorInMemory) -> None:
    assert door.post(b"x", **{"Content-Encoding": "gzip"}).status_code == 415
    for path in ("/v1/events", "/xapi/statements"):
        assert door.post(b"x", path, **{"Content-Type": "text/csv"}).status_code == 415


def test_a_body_that_trickles_in_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("services.ingest.http.body.PATIENCE_S", 0.01)

    async def never() -> Message:
        await asyncio.Event().wait()
        return {}

    async def scenario() -> None:
        request = Request({"type": "http", "method": "POST", "headers": []}, receive=never)
        async with bounded_body(request, Turnstile(1000), 1000):
            raise AssertionError("there was no body")

    with pytest.raises(Rejected) as caught:
        asyncio.run(scenario())
    assert (caught.value.status, caught.value.reason) == (408, "too-slow")


def test_without_room_inside_it_says_later(tmp_path: Path) -> None:
    answer = DoorInMemory(tmp_path, max_in_flight_bytes=50).post(event("31000001"))
    assert (answer.status_code, answer.json()["reason"]) == (503, "not-now")
    assert int(answer.headers["Retry-After"]) > 0


@pytest.mark.requirement("R1")
@pytest.mark.parametrize(
    ("path", "body"), [("/v1/events", event("31000001")), ("/xapi/statements", statement("31000001"))]
)
def test_while_consent_cannot_be_known_it_says_later(door: DoorInMemory, path: str, body: Any) -> None:
    door.consents.wrong = "not confirmed for 9 s"
    answer = door.post(body, path)
    assert (answer.status_code, answer.json()["reason"]) == (503, "not-now")
    assert int(answer.headers["Retry-After"]) > 0
    assert door.log.records == []
    door.consents.wrong = None
    assert door.post(body, path).is_success


def test_while_the_log_is_away_nothing_is_counted_as_accepted(door: DoorInMemory) -> None:
    door.log.away = True
    assert door.post(event("31000001")).status_code == 503
    assert door.post(statement("31000001"), "/xapi/statements").status_code == 503
    assert door.counted("events_accepted", source="vle") == 0


def test_strangers_are_turned_away(door: DoorInMemory) -> None:
    for path in ("/v1/events", "/xapi/statements", "/v1/clock"):
        answer = door.client.post(path, json=event("31000001"))
        assert (answer.status_code, answer.json()["reason"]) == (401, "unknown-source")
        assert answer.headers["WWW-Authenticate"].startswith("Basic")


def test_basic_credentials_are_as_good(door: DoorInMemory) -> None:
    name, _, key = door.auth["Authorization"].removeprefix("Bearer ").partition(".")
    token = base64.b64encode(f"{name}:{key}".encode()).decode()
    assert door.post(event("31000001"), Authorization=f"Basic {token}").status_code == 202


def test_a_source_does_only_what_its_entry_says(tmp_path: Path) -> None:
    file = tmp_path / "sources.json"
    key = add_source(file, name="narrow", source="vle", formats=("native",))
    door = DoorInMemory(tmp_path)
    assert load_sources(file, load_register()).authenticate(f"Bearer narrow.{key}") is not None
    narrow = {"Authorization": f"Bearer narrow.{key}"}
    assert door.post(event("31000001"), **narrow).status_code == 202
    assert door.post(statement("31000001"), "/xapi/statements", **narrow).json()["reason"] == "not-its-format"
    assert door.post({"at_ms": 1}, "/v1/clock", **narrow).json()["reason"] == "not-in-scope"


def test_statements_are_answered_with_their_ids(door: DoorInMemory) -> None:
    own = "7ccd3322-e1a5-411a-a67d-6a735c76f119"
    answer = door.post([statement("31000001", id=own), statement("31999999")], "/xapi/statements")
    assert answer.status_code == 200
    assert answer.json()[0] == own
    assert len(answer.json()) == 2
    assert answer.headers["X-Experience-API-Version"] == "1.0.3"
    assert len(door.log.records) == 1


@pytest.mark.parametrize(
    ("version", "status"), [("1.0", 200), ("1.0.0", 200), ("1.0.9", 200), ("0.95", 400), ("2.0.0", 400), ("", 400)]
)
def test_the_version_header_decides(door: DoorInMemory, version: str, status: int) -> None:
    answer = door.post(statement("31000001"), "/xapi/statements", **{"X-Experience-API-Version": version})
    assert answer.status_code == status


def test_one_wrong_statement_refuses_all(door: DoorInMemory) -> None:
    answer = door.post([statement("31000001"), statement("31000001", verb={})], "/xapi/statements")
    assert (answer.status_code, answer.json()["reason"]) == (400, "invalid-statement")
    assert answer.json()["detail"].startswith("/1/verb: ")
    assert door.log.records == []


def test_held_out_statements_are_counted_and_the_answer_is_unchanged(door: DoorInMemory) -> None:
    unmapped = statement("31000001", verb={"id": "http://adlnet.gov/expapi/verbs/scored"})
    unknown = statement("31000001", actor={"mbox": "mailto:one@university.example"})
    assert door.post([unmapped, unknown], "/xapi/statements").status_code == 200
    assert door.counted("events_discarded", reason="unmapped-activity") == 1
    assert door.counted("events_discarded", reason="unknown-identity") == 1
    assert door.log.records == []


@pytest.mark.requirement("R5")
def test_excluded_data_is_refused_counted_and_kept_nowhere(
    door: DoorInMemory, caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    caplog.set_level(logging.DEBUG)
    secret = "owes-4096-pounds"
    native = door.post(event("31000001", debt=secret))
    xapi = door.post(
        statement("31000001", context={"extensions": {"https://x.example/debt": secret}}), "/xapi/statements"
    )

    assert (native.status_code, native.json()["refused"][0]["rule"]) == (422, "fees")
    assert (xapi.status_code, xapi.json()["reason"]) == (403, "excluded")
    assert door.counted("events_refused", reason="excluded") == 2
    assert door.log.records == []
    printed = capsys.readouterr()
    assert "excluded_data_refused" in printed.out + printed.err + caplog.text
    for said in (native.text, xapi.text, caplog.text, printed.out, printed.err):
        assert secret not in said
        assert "31000001" not in said


@pytest.mark.requirement("R4")
def test_a_special_category_field_is_stripped_and_counted(door: DoorInMemory) -> None:
    assert door.post(event("31000001", disability="hearing")).status_code == 202
    assert door.counted("fields_stripped", category="health") == 1
    assert "hearing" not in str(door.log.records)


def test_a_bug_of_ours_shows_no_values(door: DoorInMemory, capsys: pytest.CaptureFixture[str]) -> None:
    def broken(_student: str) -> None:
        raise KeyError("31000001")

    door.consents.of = broken  # type: ignore[method-assign,assignment]  # what nobody foresaw
    answer = door.post(event("31000001"))
    assert (answer.status_code, answer.json()["reason"]) == (500, "our-fault")
    printed = capsys.readouterr()
    assert "KeyError" in printed.out + printed.err
    assert "31000001" not in printed.out + printed.err


@pytest.mark.requirement("R1")
def test_an_expired_grant_no_longer_lets_its_own_time_in(door: DoorInMemory) -> None:
    student = student_of("31000001")
    door.consents.states[student] = consent(student, until_ms=AT_MS + 10)
    assert door.post(event("31000001")).status_code == 202
    assert door.post({"at_ms": AT_MS + 10}, "/v1/clock").status_code == 200
    assert door.post(event("31000001")).status_code == 202
    assert [type(record) for record in door.log.records] == [ActivityRecorded, int]


def test_an_event_far_beyond_the_last_tick_is_refused(door: DoorInMemory) -> None:
    door.post({"at_ms": AT_MS}, "/v1/clock")
    far = door.post(event("31000001", at="2026-02-03T10:15:00Z"))
    assert [refused["reason"] for refused in far.json()["refused"]] == ["in-the-future"]
    statements = door.post(statement("31000001", timestamp="2026-02-03T10:15:00Z"), "/xapi/statements")
    assert (statements.status_code, statements.json()["reason"]) == (400, "in-the-future")


def test_the_documented_examples_run_as_they_stand(door: DoorInMemory) -> None:
    document = door.client.get("/openapi.json").json()
    for path, example in (("/v1/events", NATIVE_EVENT), ("/xapi/statements", STATEMENT)):
        content = document["paths"][path]["post"]["requestBody"]["content"]["application/json"]
        assert content["examples"]["one"]["value"] == json.loads(json.dumps(example))
        assert door.post(example, path).is_success
    assert door.client.get("/xapi/about").json() == {"version": ["1.0.3"]}
