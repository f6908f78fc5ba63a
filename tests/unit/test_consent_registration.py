"""The body of a bulk registration: what is read, and what is said about each row that is wrong."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from services.consent.api.registration_body import Reader
from services.consent.notices import FOLDER, load_notices
from services.kernel.clock import StreamClock
from services.kernel.errors import InvalidMessage
from services.kernel.ids import Pseudonyms
from services.kernel.register import load_register
from tests.support.consent import row

REGISTER = load_register()
PSEUDONYMS = Pseudonyms("a secret")
READER = Reader(REGISTER, load_notices(REGISTER), PSEUDONYMS, ZoneInfo("Europe/London"))
MS_OF_FROM = 1_789_977_600_000


def body(*rows: Any) -> bytes:
    return json.dumps({"decisions": rows}).encode()


def test_a_yes_holds_for_a_year_unless_it_says_otherwise() -> None:
    decisions, errors = READER.read(body(row(), row(until="2026-12-24T00:00:00Z", source="library")))
    (said,) = decisions.values()

    assert not errors
    assert [decision.from_ms for decision in said] == [MS_OF_FROM, MS_OF_FROM]
    assert said[0].until_ms == MS_OF_FROM + 365 * 86_400_000
    assert said[1].until_ms == 1_798_070_400_000


def test_that_a_student_was_asked_can_be_recorded_without_an_answer() -> None:
    decisions, errors = READER.read(body(row(state="requested")))
    ((asked,),) = decisions.values()

    assert not errors
    assert (asked.state, asked.until_ms, asked.actor) == ("requested", None, "registrar")


def test_students_are_known_by_pseudonym_only_and_their_decisions_stand_together() -> None:
    decisions, _ = READER.read(body(row("s1"), row("s2"), row(" S1 ", source="library")))

    assert {student: len(said) for student, said in decisions.items()} == {
        PSEUDONYMS.of("s1"): 2,
        PSEUDONYMS.of("s2"): 1,
    }


@pytest.mark.parametrize(
    ("changes", "field", "mend"),
    [
        ({"purpose": "marking"}, "purpose", "individual-indicators"),
        ({"source": "counselling"}, "source", "vle"),
        ({"notice": "1999-1"}, "notice", "2026-1 in en"),
        ({"language": "tlh"}, "notice", "2026-1 in cy"),
        ({"state": "maybe"}, "state", "given, refused, withdrawn or requested"),
        ({"person": "  "}, "person", "not empty"),
        ({"person": 7}, "person", "text"),
        ({"from": "yesterday"}, "from", "2026-09-21T09:00:00+01:00"),
        ({"from": "2026-09-21T09:00:00"}, "from", "offset"),
        ({"from": "1969-09-21T09:00:00Z"}, "from", "offset"),
        ({"from": "9999-12-31T23:30:00-01:00"}, "from", "offset"),
        ({"until": "2026-09-21T09:00:00+01:00"}, "until", "later"),
        ({"until": "2027-09-22T09:00:00.001+01:00"}, "until", "at most a year"),
        ({"until": "9999-12-31T23:30:00-01:00"}, "until", "at most a year"),
        ({"state": "refused", "until": "2027-09-21T09:00:00Z"}, "until", "leave it out"),
        ({"surprise": 1}, "surprise", "description"),
    ],
)
def test_a_wrong_row_is_named_with_its_field_and_how_to_mend_it(changes: dict[str, Any], field: str, mend: str) -> None:
    _, errors = READER.read(body(row(), row(**changes)))
    (error,) = errors

    assert (error.index, error.field) == (1, field)
    assert mend in error.mend


def test_a_missing_field_is_named() -> None:
    incomplete = row()
    del incomplete["notice"]
    _, errors = READER.read(body(incomplete, "no object"))

    assert [(error.index, error.field) for error in errors] == [(0, "notice"), (1, "")]


def test_errors_never_repeat_who_it_was() -> None:
    _, errors = READER.read(body(row("s7654321", purpose="marking"), row("s7654321", until="s7654321")))

    assert len(errors) == 2
    assert "s7654321" not in repr(errors)


@pytest.mark.parametrize("wrong", [b"", b"{", b"[]", b'{"decisions": 1}', b'{"decision": []}', b"\xff"])
def test_a_body_of_another_shape_is_refused_whole(wrong: bytes) -> None:
    with pytest.raises(InvalidMessage, match="Send one JSON object"):
        READER.read(wrong)


@pytest.mark.requirement("R2")
@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"from": "2026-09-30T23:59:59+01:00"}, None),
        ({"from": "2026-10-01T00:00:00+01:00"}, "notice"),
        ({"from": "2026-10-01T00:00:00+01:00", "state": "refused"}, None),
        ({"from": "2026-10-01T00:00:00+01:00", "notice": "2026-2"}, None),
        ({"from": "2026-10-01T00:00:00+01:00", "notice": "2099-1"}, "notice"),
    ],
)
def test_nobody_says_yes_to_a_text_that_was_replaced_or_is_not_shown_yet(
    tmp_path: Path, changes: dict[str, Any], field: str | None
) -> None:
    text = (FOLDER / "2026-1.en.toml").read_text("utf-8")
    head = "in_force_from = 2026-01-01\nmaterial = true\n"
    for version, day in (("2026-1", "2026-01-01"), ("2026-2", "2026-10-01"), ("2099-1", "2099-01-01")):
        later = f'in_force_from = {day}\nmaterial = true\nchanged = "News."\n'
        (tmp_path / f"{version}.en.toml").write_text(text.replace(head, later), "utf-8")
    zone = ZoneInfo("Europe/London")
    notices = load_notices(REGISTER, tmp_path, StreamClock(MS_OF_FROM + 100 * 86_400_000), zone)
    _, errors = Reader(REGISTER, notices, PSEUDONYMS, zone).read(body(row(**({"notice": "2026-1"} | changes))))

    assert [error.field for error in errors] == ([field] if field else [])
