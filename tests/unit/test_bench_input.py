"""What the benchmarks feed the worker and its peers with, and how their figures get into the page."""

from __future__ import annotations

from collections import Counter

import click
import pytest

from services.kernel.clock import DAY_MS, HOUR_MS
from services.kernel.codec import decoder
from services.kernel.events import ActivityRecorded
from services.kernel.kafka import partition_of
from services.kernel.topics import ACTIVITY_EVENTS, CONSENT_STATE, ENROLMENTS
from tests.bench.indicators.agreement import expected
from tests.bench.indicators.workload import Workload
from tests.bench.report.__main__ import put
from tests.support.students import START_MS

DAYS = 20


@pytest.fixture(scope="module")
def workload() -> Workload:
    return Workload(students=400, days=DAYS)


def test_events_are_the_contracts_and_stand_in_their_students_partition(workload: Workload) -> None:
    """The templates give whole events, each copy's with ids of its own, in the order in which they come in."""
    decode, ids, students = decoder(ACTIVITY_EVENTS), Counter[str](), set()
    for number, day in enumerate(workload.term()):
        for partition, records in enumerate(day.events):
            for record in records:
                event = decode(record.value)
                assert isinstance(event, ActivityRecorded)
                assert record.key == event.student.encode()
                assert partition_of(event.student, workload.partitions) == partition
                assert event.received_ms // DAY_MS <= (START_MS + number * DAY_MS) // DAY_MS
                assert event.received_ms - event.occurred_ms < 40 * HOUR_MS + 3 * DAY_MS  # a broken feed tells later
                ids[event.id] += 1
                students.add(event.student)
    assert ids.total() == workload.events
    assert 300 < len(students) <= workload.students == 400
    assert {1, 2} == set(ids.values())


def test_everybody_consents_and_is_enrolled(workload: Workload) -> None:
    """Each student's consents and enrolments stand where the events do."""
    for topic, found in ((CONSENT_STATE, workload.consents()), (ENROLMENTS, workload.enrolments())):
        decode, students = decoder(topic), set()
        for partition, records in enumerate(found):
            for record in records:
                student = decode(record.value).student
                assert record.key == student.encode()
                assert partition_of(student, workload.partitions) == partition
                students.add(student)
        assert len(students) == workload.students


def test_large_universities_events_are_thinned_out() -> None:
    """No more events than asked for, of all students as before."""
    thinned = Workload(students=400, days=DAYS, most_events=5_000)
    assert 3_000 < thinned.events <= 5_000
    assert sum(len(found) for day in thinned.term() for found in day.events) == thinned.events


def test_a_plain_loop_says_what_the_peers_must_say(workload: Workload) -> None:
    """One record for each place and day of activity, unless the day came too late to be the newest."""
    said = [dict(one) for one in expected(workload).elements()]
    assert len(said) > 1_000
    assert all(1 <= one["active_days_7"] <= 7 and one["volume_7"] <= one["volume_28"] for one in said)


def test_figures_go_between_the_marks_of_the_page() -> None:
    """Everything else stays, and a page without the marks is refused."""
    page = "before\n<!-- a -->\nold\n<!-- /a -->\nafter <!-- b --><!-- /b -->\n"
    assert put(page, "a", "| new |\n") == "before\n<!-- a -->\n| new |\n<!-- /a -->\nafter <!-- b --><!-- /b -->\n"
    with pytest.raises(click.ClickException, match="no <!-- c -->"):
        put(page, "c", "")
