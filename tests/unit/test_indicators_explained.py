"""An explanation says what was published, and what it came from; of whom nothing may be known it says nothing."""

from __future__ import annotations

import json
from dataclasses import asdict, replace
from typing import Any

import pytest
from msgspec import structs

from services.cli.explaining.tables import tables
from services.indicators.explanation.inspection import Inspection
from services.indicators.explanation.kept import Kept
from services.indicators.explanation.told import Explanation
from services.kernel.clock import DAY_MS
from services.kernel.errors import ConfigurationError
from services.kernel.events import Leave
from tests.support.lived import CONSENT, ENROLMENTS, SOURCES, day, lived
from tests.support.partitions import REGISTER, SETTINGS, STUDENT, Alone, Record, record, tick
from tests.support.students import MODULE, START_MS, consent, enrolled

ZONE = SETTINGS.institution.zone


@pytest.fixture(scope="module")
def kept() -> Kept:
    return lived()[0]


@pytest.fixture(scope="module")
def told(kept: Kept) -> Explanation:
    return Inspection(REGISTER, SETTINGS, kept).explain(MODULE)


def test_it_says_what_was_published() -> None:
    """To the last digit: it is made from the same state by the same lines."""
    kept, said = lived()
    told = Inspection(REGISTER, SETTINGS, kept).explain(MODULE)
    (module,) = said.modules
    assert (told.as_of_ms, told.day, told.consent_version) == (said.as_of_ms, said.day, said.consent_version)
    assert (told.since_day, told.held, told.cohort_day) == (module.since_day, module.held, module.cohort_day)
    assert told.cohort_day is not None
    assert {f.name: (f.value, dict(f.inputs), f.level) for f in told.figures if f.value is not None} == {
        i.name: (i.value, i.inputs, i.level) for i in module.indicators
    }
    assert {f.name: f.unsaid for f in told.figures if f.value is None} == module.unsaid
    assert len(told.figures) == len(REGISTER.indicators)


def test_every_day_that_counted_is_there_with_what_was_on_it(told: Explanation) -> None:
    days = {each.day: each for each in told.days}
    assert list(days) == sorted(days, reverse=True)
    assert {name for name, each in days.items() if each.actions.get("vle")} == {day(n) for n in range(0, 20, 3)}
    assert days[day(6)].actions == {"vle": 8}
    assert set(days[day(6)].kinds) == {"forum", "quiz"}
    assert (days[day(2)].attended, days[day(2)].absent) == (1, 0)
    assert (days[day(4)].attended, days[day(4)].absent) == (0, 1)
    assert days[day(11)].actions == {"assessment": 1}
    assert all(each.counts for each in told.days)


def test_work_is_there_with_when_it_was_due_and_handed_in(told: Explanation) -> None:
    assert [(work.name, work.extended, work.handed_ms) for work in told.work] == [
        ("CW1", False, START_MS + 11 * DAY_MS),
        ("CW2", True, None),
        ("CW3", False, None),
    ]
    figures = {figure.name: figure.value for figure in told.figures}
    assert (figures["late-work"], figures["missing-work"]) == (1, 1)


def test_what_permits_it_and_what_does_not_is_said(told: Explanation) -> None:
    assert [(grant.source, grant.notice, grant.tutor, grant.counted) for grant in told.grants] == [
        (source, "2026-1", True, False) for source in sorted(SOURCES)
    ]
    assert told.not_permitted == ["library", "lecture-capture"]
    assert [(feed.source, feed.stale) for feed in told.feeds] == [("vle", True)]
    assert {rule.name: rule.held for rule in told.rules}["low-attendance"] == "exempt"


@pytest.mark.parametrize(
    ("changes", "since"),
    [
        ({}, "the module began"),
        ({"leave": (Leave(first_day=day(4), last_day=day(8)),)}, "the leave was over"),
    ],
)
def test_it_says_from_when_on_days_count_and_why(kept: Kept, changes: dict[str, Any], since: str) -> None:
    other = replace(kept, enrolments=record(enrolled(STUDENT, **changes)))
    assert Inspection(REGISTER, SETTINGS, other).explain(MODULE).since == since


def test_a_grant_that_came_later_is_why_days_count_from_then(kept: Kept) -> None:
    late = replace(kept, consent=record(consent(STUDENT, version=2, from_ms=START_MS + 3 * DAY_MS)))
    told = Inspection(REGISTER, SETTINGS, late).explain(MODULE)
    assert (told.since_day, told.since) == (day(3), "the first source was permitted")
    assert told.days == []  # what was kept rested on another grant


@pytest.mark.requirement("R1")
@pytest.mark.parametrize("state", ["withdrawn", "unknown", "expired"])
def test_of_whom_nothing_may_be_known_it_says_nothing(kept: Kept, state: str) -> None:
    """Even where the worker has not come to the withdrawal yet."""
    said: Record | None = None
    if state == "withdrawn":
        said = record(structs.replace(consent(STUDENT, version=2), grants=()))
    if state == "expired":
        said = record(consent(STUDENT, version=2, until_ms=START_MS + 5 * DAY_MS))
    inspection = Inspection(REGISTER, SETTINGS, replace(kept, consent=said))
    assert not inspection.permitted


@pytest.mark.requirement("R1")
def test_what_has_expired_is_not_looked_at_though_no_tick_has_come(kept: Kept) -> None:
    until_ms = START_MS + 200 * DAY_MS
    both = consent(STUDENT, version=2).grants + consent(STUDENT, sources=["assessment"], until_ms=until_ms).grants
    short = replace(kept, consent=record(structs.replace(consent(STUDENT, version=2), grants=both)))
    before, after = (Inspection(REGISTER, SETTINGS, short, now_ms).explain(MODULE) for now_ms in (0, until_ms))
    assert [grant.source for grant in before.grants] == ["assessment", "vle"]
    assert [grant.source for grant in after.grants] == ["vle"]
    assert {source for each in after.days for source in each.actions} == {"vle"}
    assert after.work == []
    assert not Inspection(REGISTER, SETTINGS, short, START_MS + 400 * DAY_MS).permitted


def test_a_module_that_the_student_is_not_on_is_named(kept: Kept) -> None:
    with pytest.raises(ConfigurationError, match="on no module of that name"):
        Inspection(REGISTER, SETTINGS, kept).explain("OTHER")


def test_it_can_be_printed_and_read_by_programs(told: Explanation) -> None:
    assert json.loads(json.dumps(asdict(told)))["figures"][0]["name"] == "days-since-last-activity"
    printed = tables(told, REGISTER, ZONE)
    assert f"{STUDENT} on {MODULE}" in str(printed[0])
    assert len(printed) == 7


def test_whoever_was_never_seen_is_explained_too() -> None:
    made = Alone(REGISTER, SETTINGS)
    for take, said in ((made.consent, CONSENT), (made.enrolments, ENROLMENTS)):
        take(said)
    made.reconcile()
    made.apply([tick(1), tick(16)])
    made.flushed()
    told = Inspection(REGISTER, SETTINGS, Kept(STUDENT, 0, made.position(0), {}, CONSENT, ENROLMENTS)).explain(MODULE)
    assert told.days == []
    assert {figure.name: figure.value for figure in told.figures}["days-since-last-activity"] == 16
