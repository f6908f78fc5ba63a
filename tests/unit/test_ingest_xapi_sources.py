"""xAPI statements by their source: what attended means, and what a hand-in is called."""

from __future__ import annotations

import json
from typing import Any

import pytest

from services.ingest.domain import Claim, Screen, Secrets
from services.ingest.formats.xapi import Reader
from services.kernel.register import load_register
from tests.support.door import AT_MS, HOME_PAGE, statement

REGISTER = load_register()
LMS = "https://vle.university.example"
ASSIGNMENTS = f"{LMS}/mod/assign/view.php?id="
SUBMIT = {"id": "http://activitystrea.ms/schema/1.0/submit"}
ATTENDED = {"id": "http://adlnet.gov/expapi/verbs/attended"}


def claim(sent: Any, source: str = "vle", assignments: str | None = None) -> Claim:
    """What a statement of a source becomes."""
    verbs = {verb: activity.name for verb, activity in REGISTER.verbs_of(source).items()}
    reading = Reader(Screen(REGISTER), verbs).read(
        json.dumps(sent).encode(),
        1,
        home_page=HOME_PAGE,
        assignments=assignments,
        now_ms=AT_MS,
        latest_ms=None,
        new_id=Secrets("s").event_id,
    )
    return reading.claims[0]


@pytest.mark.parametrize(("source", "activity"), [("attendance", "attended"), ("vle", "collaboration")])
def test_who_attended_is_a_mark_where_the_register_of_attendance_says_so(source: str, activity: str) -> None:
    """A video conference in the learning environment is none."""
    assert claim(statement("31000001", verb=ATTENDED), source).activity == activity


@pytest.mark.parametrize(
    ("object_id", "verb", "assessment"),
    [
        (f"{ASSIGNMENTS}4711", SUBMIT, "4711"),
        (f"{ASSIGNMENTS}Essay%2D1", SUBMIT, "Essay-1"),
        (f"{ASSIGNMENTS}4711&action=view", SUBMIT, None),
        (f"{ASSIGNMENTS}{'x' * 101}", SUBMIT, None),
        (f"{LMS}/mod/quiz/view.php?id=4711", SUBMIT, None),
        (f"{ASSIGNMENTS}4711", {"id": "http://id.tincanapi.com/verb/viewed"}, None),
    ],
)
def test_work_handed_in_has_its_name_where_the_system_s_entry_says_how_its_ids_begin(
    object_id: str, verb: dict[str, str], assessment: str | None
) -> None:
    sent = statement("31000001", verb=verb, object={"id": object_id})
    assert claim(sent, assignments=ASSIGNMENTS).assessment == assessment
    assert claim(sent).assessment is None
