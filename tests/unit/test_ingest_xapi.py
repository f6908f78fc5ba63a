"""xAPI statements: the standard's rules, and what a statement becomes."""

from __future__ import annotations

import copy
import json
import uuid
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.ingest.domain import Refused, Screen, Secrets
from services.ingest.formats.xapi import Reader, Reading
from services.ingest.http.openapi import STATEMENT
from services.kernel.register import load_register
from tests.support.door import AT_MS, HOME_PAGE, statement

REGISTER = load_register()
READER = Reader(Screen(REGISTER), {verb: entry.name for verb, entry in REGISTER.verbs_of("vle").items()})
NOW_MS = AT_MS + 5000
LMS = "https://vle.university.example"
FULL: dict[str, Any] = {
    "id": "7ccd3322-e1a5-411a-a67d-6a735c76f119",
    "actor": {"objectType": "Agent", "name": "N", "account": {"homePage": HOME_PAGE, "name": "31000001"}},
    "verb": {"id": "http://adlnet.gov/expapi/verbs/answered", "display": {"en-GB": "answered", "cy": "atebodd"}},
    "object": {
        "objectType": "Activity",
        "id": f"{LMS}/mod/quiz/view.php?id=3",
        "definition": {
            "name": {"en": "A quiz"},
            "description": {"en": "…"},
            "type": "http://adlnet.gov/expapi/activities/cmi.interaction",
            "interactionType": "choice",
            "correctResponsesPattern": ["a"],
            "choices": [{"id": "a", "description": {"en": "A"}}],
            "extensions": {"https://x.example/anything": None},
        },
    },
    "result": {
        "score": {"scaled": 0.5, "raw": 5, "min": 0, "max": 10},
        "success": True,
        "completion": False,
        "response": "a",
        "duration": "PT1M30.5S",
        "extensions": {},
    },
    "context": {
        "registration": "7ccd3322-e1a5-411a-a67d-6a735c76f110",
        "instructor": {"mbox": "mailto:someone@university.example"},
        "team": {"objectType": "Group", "member": [{"mbox_sha1sum": "0" * 40}]},
        "contextActivities": {
            "parent": {"id": f"{LMS}/mod/quiz/view.php?id=3"},
            "grouping": [{"id": f"{LMS}/course/view.php?id=17"}],
        },
        "platform": "VLE",
        "language": "en-GB",
        "statement": {"objectType": "StatementRef", "id": "7ccd3322-e1a5-411a-a67d-6a735c76f111"},
    },
    "timestamp": "2026-01-20T10:15:00Z",
    "version": "1.0.3",
}


def read(*statements: Any, home_page: str | None = HOME_PAGE, latest_ms: int | None = None) -> Reading:
    """Read an array of statements."""
    return READER.read(
        json.dumps(statements).encode(),
        10,
        home_page=home_page,
        assignments=None,
        now_ms=NOW_MS,
        latest_ms=latest_ms,
        new_id=Secrets("s").event_id,
    )


def changed(path: str, value: Any) -> dict[str, Any]:
    """The full statement with one value put in place, or taken away with `...`."""
    made = copy.deepcopy(FULL)
    *way, last = path.split("/")
    inner: Any = made
    for name in way:
        inner = inner[int(name)] if isinstance(inner, list) else inner.setdefault(name, {})
    if value is ...:
        del inner[last]
    elif isinstance(inner, list):
        inner[int(last)] = value
    else:
        inner[last] = value
    return made


def refusal(*statements: Any) -> Refused:
    """Why statements are refused."""
    with pytest.raises(Refused) as caught:
        read(*statements)
    return caught.value


def module_of(**context_activities: Any) -> str | None:
    """The module of a statement in this context."""
    reading = read(statement("31000001", context={"contextActivities": context_activities}))
    return reading.claims[0].module if reading.claims else None


def test_a_full_statement_becomes_a_claim() -> None:
    reading = read(FULL)
    [claim] = reading.claims
    assert reading.ids == [claim.own_id] == [FULL["id"]]
    assert (claim.person, claim.module, claim.activity, claim.occurred_ms) == ("31000001", "17", "quiz", AT_MS)


def test_the_documented_example_is_taken() -> None:
    reading = read(STATEMENT, home_page="https://people.university.example/")
    assert (reading.claims[0].module, reading.claims[0].activity) == ("HIST101-2026", "forum")


@pytest.mark.parametrize(
    ("path", "value", "pointer"),
    [
        ("actor", ..., "/1"),
        ("verb", ..., "/1"),
        ("object", ..., "/1"),
        ("colour", "red", "/1"),
        ("id", "42", "/1/id"),
        ("id", None, "/1/id"),
        ("version", "2.0.0", "/1/version"),
        ("actor", "31000001", "/1/actor"),
        ("actor/account", ..., "/1/actor"),
        ("actor/mbox", "mailto:one@university.example", "/1/actor"),
        ("actor/account/name", 7, "/1/actor/account/name"),
        ("actor/account/homePage", "no iri", "/1/actor/account/homePage"),
        ("actor/objectType", "Robot", "/1/actor/objectType"),
        ("verb/id", "answered", "/1/verb/id"),
        ("verb/display", {"no language!": "x"}, "/1/verb/display/no language!"),
        ("object/id", ..., "/1/object"),
        ("object/objectType", "Thing", "/1/object/objectType"),
        ("object/definition/extensions", {"a/b~c": 1}, "/1/object/definition/extensions/a~1b~0c"),
        ("result/score/raw", True, "/1/result/score/raw"),
        ("result/success", "yes", "/1/result/success"),
        ("result/duration", "90 s", "/1/result/duration"),
        ("result/duration", "P", "/1/result/duration"),
        ("context/registration", "x", "/1/context/registration"),
        ("context/team/member", {}, "/1/context/team/member"),
        ("context/team/member/0", {"name": "nobody"}, "/1/context/team/member/0"),
        ("context/team/member", ..., "/1/context/team"),
        ("context/contextActivities/grouping/0", "x", "/1/context/contextActivities/grouping/0"),
        ("context/contextActivities/neighbour", [], "/1/context/contextActivities"),
        ("timestamp", "2026-01-20T10:15:00", "/1/timestamp"),
    ],
)
def test_one_wrong_statement_refuses_all_and_points_at_its_place(path: str, value: Any, pointer: str) -> None:
    refused = refusal(statement("31000001"), changed(path, value))
    assert refused.reason in {"invalid-statement", "bad-time"}
    assert refused.detail.startswith(f"{pointer}: ")


@pytest.mark.parametrize("found", [None, 5, "text", []])
def test_a_statement_is_an_object(found: Any) -> None:
    assert refusal(found).reason == "not-an-object"


def test_the_same_id_twice_in_a_request_is_refused() -> None:
    assert refusal(FULL, FULL | {"id": FULL["id"].upper()}).reason == "duplicate-id"


@pytest.mark.parametrize(("statements", "reason"), [([], "empty"), ([FULL] * 11, "too-many")])
def test_a_batch_has_bounds(statements: list[Any], reason: str) -> None:
    assert refusal(*statements).reason == reason


def test_a_statement_without_an_id_gets_one_of_its_content() -> None:
    first, again, other = read(
        statement("31000001"), statement("31000002"), statement("31000001", timestamp="2026-01-20T10:15:01Z")
    ).ids
    assert read(statement("31000001")).ids == [first]
    assert len({first, again, other}) == 3
    assert uuid.UUID(first).version == 5


def test_without_a_timestamp_it_happened_on_arrival() -> None:
    assert read(changed("timestamp", ...)).claims[0].occurred_ms == NOW_MS


@pytest.mark.parametrize(
    ("path", "value", "reason"),
    [
        ("verb/id", "http://adlnet.gov/expapi/verbs/scored", "unmapped-activity"),
        ("object", {"objectType": "Agent", "openid": "https://x.example/me"}, "unmapped-activity"),
        ("object", {"objectType": "StatementRef", "id": FULL["id"]}, "unmapped-activity"),
        ("actor", {"mbox": "mailto:one@university.example"}, "unknown-identity"),
        ("actor", {"account": {"homePage": "https://elsewhere.example", "name": "31000001"}}, "unknown-identity"),
        ("actor", {"account": {"homePage": HOME_PAGE, "name": " "}}, "unknown-identity"),
        ("actor", {"objectType": "Group", "account": {"homePage": HOME_PAGE, "name": "g"}}, "unknown-identity"),
        ("context", ..., "no-module"),
    ],
)
def test_what_cannot_be_placed_is_taken_and_held_out(path: str, value: Any, reason: str) -> None:
    reading = read(changed(path, value))
    assert len(reading.ids) == 1
    assert reading.claims == []
    assert reading.held_out == {reason: 1}


def test_a_source_without_a_home_page_knows_nobody() -> None:
    assert read(FULL, home_page=None).held_out == {"unknown-identity": 1}


def test_the_module_is_the_course_around_the_activity() -> None:
    course_type = "https://w3id.org/xapi/cmi5/activitytype/course"
    course = {"id": f"{LMS}/course/view.php?id=2", "definition": {"type": course_type}}
    section = {"id": f"{LMS}/course/section.php?id=9", "definition": {"type": "https://x.example/section"}}
    short = "https://w3id.org/learning-analytics/learning-management-system/short-id"
    external = "https://w3id.org/learning-analytics/learning-management-system/external-id"
    named = {"id": course["id"], "definition": {"type": course_type, "extensions": {short: "HIST", external: "H-101"}}}

    assert module_of(parent=[section, course], grouping=[section]) == "2"
    assert module_of(grouping=[section, course]) == "2"
    assert module_of(grouping=[{"id": "https://x.example/modules/HIST%20101/"}]) == "HIST 101"
    assert module_of(parent=named) == "H-101"
    assert (
        module_of(parent={"id": "course-v1:FUN+1+s1", "definition": {"type": "https://x.example/course"}}) == "FUN+1+s1"
    )
    assert module_of(parent=[section]) is None
    assert module_of(grouping=[{"id": "https://x.example/" + "x" * 201}]) is None


def test_viewing_the_course_itself_is_activity_on_it() -> None:
    course = {"id": f"{LMS}/course/HIST101", "definition": {"type": "https://w3id.org/xapi/cmi5/activitytype/course"}}
    assert read(statement("31000001", object=course, context={})).claims[0].module == "HIST101"


@pytest.mark.requirement("R5")
@pytest.mark.parametrize(
    ("path", "value", "rule"),
    [
        ("verb/id", "https://x.example/verbs/paid-fee", "fees"),
        ("object/definition/type", "https://x.example/types/tuition_fee", "fees"),
        ("object/definition/extensions", {"https://x.example/ext/debtStatus": {}}, "fees"),
        ("context/contextActivities/grouping/0/definition", {"type": "https://x.example/counselling"}, "counselling"),
        ("context/platform", "Wellbeing", "counselling"),
        ("result/extensions", {"https://x.example/r": [{"mental health": 1}]}, "counselling"),
        ("attachments", [{"invoice": 3}], "fees"),
        ("colour", {"payment": 3}, "fees"),
    ],
)
def test_excluded_data_refuses_the_batch_without_repeating_it(path: str, value: Any, rule: str) -> None:
    refused = refusal(statement("31000001"), changed(path, value))
    assert (refused.reason, refused.rule) == ("excluded", rule)
    assert refused.detail.startswith("/1: ")
    assert "31000001" not in refused.detail
    assert "x.example" not in refused.detail


@pytest.mark.requirement("R5")
def test_an_excluded_verb_of_a_sub_statement_is_found() -> None:
    inner = {
        "objectType": "SubStatement",
        "actor": FULL["actor"],
        "verb": {"id": "https://x.example/paid-invoice"},
        "object": FULL["object"],
    }
    assert refusal(changed("object", inner)).reason == "excluded"


@pytest.mark.requirement("R4")
def test_special_category_fields_are_counted_and_go_no_further() -> None:
    reading = read(changed("context/extensions", {"https://x.example/ext/disability": "yes"}))
    assert reading.stripped == {"health": 1}
    assert len(reading.claims) == 1


_VALUES: st.SearchStrategy[Any] = st.none() | st.booleans() | st.integers() | st.text() | st.just([]) | st.just({})
_PATHS = st.sampled_from(
    ["actor", "actor/account", "verb", "object", "object/definition", "result", "context", "context/contextActivities"]
)


@given(_PATHS, st.sampled_from(["objectType", "id", "name", "type", "member", "parent", "extensions"]), _VALUES)
def test_any_mutation_is_read_or_refused(path: str, name: str, value: Any) -> None:
    """Nothing but a refusal comes out of a statement that nobody foresaw."""
    try:
        assert len(read(changed(f"{path}/{name}", value)).ids) == 1
    except Refused as refused:
        assert refused.detail.startswith("/0")  # noqa: PT017 - either is right
