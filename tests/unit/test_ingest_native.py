"""The native format: what is read, what is refused, and why."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.ingest.domain import Claim, Refused, Screen
from services.ingest.formats.native import Reader, Reading
from services.kernel.register import load_register
from tests.support.door import AT_MS, event
from tests.support.registers import approved

REGISTER = load_register()
READER = Reader(Screen(REGISTER), REGISTER.activity)
_TEXT = st.text(st.characters(exclude_categories=["Cs", "Cc", "Z"]), min_size=1, max_size=200)


def read(*events: Any) -> Reading:
    """Read an array of events."""
    return READER.read_document(json.dumps(events).encode(), 10, None)


def only_refusal(**changes: Any) -> Any:
    """Why an event is refused that is good but for the changes."""
    given = {name: value for name, value in (event("31000001") | changes).items() if value is not ...}
    reading = read(given)
    assert reading.claims == []
    [refused] = reading.refusals
    return refused


@given(_TEXT, _TEXT, st.sampled_from(list(REGISTER.activity)), st.none() | _TEXT, st.integers(1, 100_000))
def test_a_good_event_is_read_as_it_was_sent(
    student: str, module: str, activity: str, own_id: str | None, weight: int
) -> None:
    sent = event(student, module=module, activity=activity, weight=weight) | ({"id": own_id} if own_id else {})
    assert read(sent).claims == [Claim(own_id, student, module, activity, AT_MS, weight)]


@pytest.mark.parametrize("name", ["ESSAY-1", "tma_1752", "4711", "unit.3-report"])
def test_work_that_is_handed_in_may_have_its_name(name: str) -> None:
    [claim] = read(event("31000001", activity="assignment", assessment=name)).claims
    assert claim.assessment == name


@pytest.mark.parametrize("activity", ["attended", "absent"])
def test_only_attendance_systems_report_who_came_and_who_did_not(activity: str) -> None:
    sent = json.dumps(event("31000001", activity=activity)).encode()
    taken, refused = (
        Reader(Screen(REGISTER), REGISTER.activities_of(source)).read_document(sent, 10, None)
        for source in ("attendance", "vle")
    )
    assert [claim.activity for claim in taken.claims] == [activity]
    assert [refusal.reason for refusal in refused.refusals] == ["unknown-activity"]


def test_one_event_needs_no_array() -> None:
    reading = READER.read_document(json.dumps(event("31000001")).encode(), 10, None)
    assert [claim.person for claim in reading.claims] == ["31000001"]


@pytest.mark.parametrize(
    ("changes", "reason", "word"),
    [
        ({"student": ...}, "invalid-field", "student: is missing"),
        ({"student": ""}, "invalid-field", "student: cannot be used"),
        ({"student": 31000001}, "invalid-field", "student: cannot be used"),
        ({"student": " 31000001"}, "invalid-field", "student: cannot be used"),
        ({"module": "HIST\x00"}, "invalid-field", "module: cannot be used"),
        ({"module": "x" * 201}, "invalid-field", "module: cannot be used"),
        ({"module": None}, "invalid-field", "module: cannot be used"),
        ({"id": "line\nbreak"}, "invalid-field", "id: cannot be used"),
        ({"weight": 0}, "invalid-field", "weight: cannot be used"),
        ({"weight": True}, "invalid-field", "weight: cannot be used"),
        ({"weight": 1.5}, "invalid-field", "weight: cannot be used"),
        ({"at": ...}, "invalid-field", "at: is missing"),
        ({"at": 5}, "invalid-field", "at: cannot be used"),
        ({"at": "yesterday"}, "bad-time", "ISO 8601"),
        ({"activity": "telepathy"}, "unknown-activity", "forum"),
        ({"wieght": 2}, "unknown-field", "weight"),
        ({"activity": "assignment", "assessment": "my first essay"}, "invalid-field", "the piece of work's name"),
        ({"activity": "assignment", "assessment": "-1"}, "invalid-field", "assessment: cannot be used"),
        ({"activity": "assignment", "assessment": "ESSAY-1\n"}, "invalid-field", "assessment: cannot be used"),
        ({"activity": "assignment", "assessment": "x" * 101}, "invalid-field", "assessment: cannot be used"),
        ({"activity": "assignment", "assessment": 1}, "invalid-field", "assessment: cannot be used"),
        ({"assessment": "ESSAY-1"}, "invalid-field", "'assignment'"),
    ],
)
def test_a_wrong_event_is_refused_with_the_mend(changes: dict[str, Any], reason: str, word: str) -> None:
    refused = only_refusal(**changes)
    assert (refused.line, refused.reason) == (1, reason)
    assert word in refused.detail


@pytest.mark.requirement("R5")
@pytest.mark.parametrize(
    ("changes", "rule"),
    [
        ({"activity": "tuition-fee-reminder"}, "fees"),
        ({"activity": "CounsellingAppointment"}, "counselling"),
        ({"debt": 12}, "fees"),
        ({"extra": {"deep": [{"wellbeingContact": True}]}}, "counselling"),
    ],
)
def test_excluded_data_is_refused_without_repeating_it(changes: dict[str, Any], rule: str) -> None:
    refused = only_refusal(**changes)
    assert (refused.reason, refused.rule) == ("excluded", rule)
    assert not any(word in refused.detail for word in ("reminder", "Appointment", "12", "deep", "31000001"))


@pytest.mark.requirement("R4")
def test_special_category_fields_are_stripped_and_counted() -> None:
    reading = read(event("31000001", disability="yes", ethnic_origin={"code": 3}), event("31000002", religion=""))
    assert len(reading.claims) == 2
    assert reading.stripped == {"health": 1, "ethnicity": 1, "religion": 1}


@pytest.mark.requirement("R4")
def test_an_approved_benefit_alone_lets_no_such_field_in() -> None:
    """It takes the student's separate yes as well, and an event that has room for it: today none has."""
    register = approved().register
    assert "special-category:ethnicity" in register.askable
    sent = json.dumps([event("31000001", ethnicity="X")]).encode()
    reading = Reader(Screen(register), register.activity).read_document(sent, 10, None)
    assert reading.claims == read(event("31000001")).claims
    assert reading.stripped == {"ethnicity": 1}


def test_a_bad_line_costs_only_itself() -> None:
    good = json.dumps(event("31000001")).encode()
    lines = [good, b"\xff", b"[]", b"", b"  ", b'{"student": 1, "student": 2}', b"{", good + b"\r"]
    reading = READER.read_lines(b"\n".join(lines), 10, None)
    assert len(reading.claims) == 2
    assert [(refused.line, refused.reason) for refused in reading.refusals] == [
        (2, "bad-utf-8"),
        (3, "not-an-object"),
        (6, "duplicate-key"),
        (7, "not-json"),
    ]


@pytest.mark.parametrize(("body", "reason"), [(b"[]", "empty"), (b"[" + b"1," * 10 + b"1]", "too-many")])
def test_a_batch_has_bounds(body: bytes, reason: str) -> None:
    with pytest.raises(Refused) as caught:
        READER.read_document(body, 10, None)
    assert caught.value.reason == reason


def test_no_lines_are_no_batch() -> None:
    with pytest.raises(Refused, match="at least one"):
        READER.read_lines(b"\n \r\n", 10, None)


@given(
    st.dictionaries(
        st.sampled_from([*event("s"), "id", "weight", "assessment", "x"]), st.none() | st.text() | st.integers()
    )
)
def test_any_object_is_read_or_refused(found: dict[str, Any]) -> None:
    reading = READER.read_document(json.dumps(found).encode(), 10, None)
    assert len(reading.claims) + len(reading.refusals) == 1
