"""A partition through a term: leave, exemptions, extensions, vacations, silent feeds and changed thresholds."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest
from msgspec import structs

from services.indicators.handlers import Partition
from services.kernel.clock import DAY_MS, HOUR_MS
from services.kernel.events import ClockTicked, Due, Leave, ModuleIndicators, SupportTriggered
from services.kernel.register import Register, Threshold, Vacation
from tests.support.partitions import REGISTER, SETTINGS, STUDENT, Alone, published, record
from tests.support.students import START_DAY, START_MS, activity, consent, enrolled

FIRST = dt.date.fromisoformat(START_DAY)
BOTH = ("vle", "assessment")
SILENCE, ABSENT = "days-since-last-activity", "not-started"
WHOLLY_SILENT = {"vle": 10**6, "assessment": 10**6}  # connected, and heard for as long as the term goes


def day_of(days: int) -> str:
    return (FIRST + dt.timedelta(days=days)).isoformat()


class Term:
    """A partition with one student who permits two sources, and everything that it has told."""

    def __init__(self, register: Register = REGISTER, **place: Any) -> None:
        self.partition: Partition = Alone(register, SETTINGS)
        self.partition.consent(record(consent(STUDENT, sources=BOTH)))
        self.version = 0
        self.triggers: list[SupportTriggered] = []
        self.said: ModuleIndicators | None = None
        self.place(**place)
        self.partition.reconcile()

    def place(self, **changes: Any) -> None:
        """Let the directory say this of the student's place."""
        self.version += 1
        self.partition.enrolments(record(enrolled(STUDENT, version=self.version, **changes)))

    def active(self, day: float, **changes: Any) -> None:
        """An event so many days after the start."""
        self.partition.apply([record(activity(STUDENT, START_MS + int(day * DAY_MS), **changes))])

    def until(self, day: int, heard_until: dict[str, int] | None = None, first: int = 0) -> list[str]:
        """Tick at each midnight from `first` to `day`; gives what was told, as "day +rule" and "day -rule: why"."""
        before = len(self.triggers)
        for at in range(first, day + 1):
            heard = {s: START_MS + min(at, last) * DAY_MS for s, last in (heard_until or WHOLLY_SILENT).items()}
            self.partition.apply([record(ClockTicked(at_ms=START_MS + at * DAY_MS + HOUR_MS, heard=heard))])
            changes = self.partition.changes()
            self.triggers += changes.triggers
            if changes.indicators.get(STUDENT):
                [self.said] = published(changes).modules
            self.partition.flushed()
        return [_told(trigger) for trigger in self.triggers[before:]]

    def last(self, rule: str) -> SupportTriggered:
        """The last that was told of a rule."""
        return next(trigger for trigger in reversed(self.triggers) if trigger.rule == rule)


def _told(trigger: SupportTriggered) -> str:
    day = (dt.date.fromisoformat(trigger.day) - FIRST).days
    return f"{day} +{trigger.rule}" if trigger.state == "opened" else f"{day} -{trigger.rule}: {trigger.why}"


def of(told: list[str], *rules: str) -> list[str]:
    """What was told of these rules."""
    return [line for line in told if line.split()[1].strip("+-:") in rules]


def test_whoever_is_never_seen_is_told_by_two_rules_that_end_with_the_first_activity() -> None:
    term = Term()
    assert of(term.until(20), ABSENT, SILENCE) == [f"8 +{ABSENT}", f"14 +{SILENCE}"]
    term.active(20.5)
    ends = of(term.until(21, first=21), ABSENT, SILENCE)
    assert ends == [f"21 -{SILENCE}: back-to-usual", f"21 -{ABSENT}: back-to-usual"]
    assert len({trigger.id for trigger in term.triggers if trigger.rule == SILENCE}) == 1


def test_a_leave_ends_what_is_open_and_days_count_anew_from_its_end() -> None:
    away = Leave(first_day=day_of(16), last_day=day_of(30))
    term = Term(leave=(away,))
    term.active(1)
    told = of(term.until(45), SILENCE)
    assert told == [f"15 +{SILENCE}", f"16 -{SILENCE}: leave", f"45 +{SILENCE}"]
    assert term.last(SILENCE).episode_day == day_of(31)
    assert term.said is not None
    assert (term.said.since_day, term.said.held) == (day_of(31), None)


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"end_day": day_of(20)}, "module-over"),
        ({"left_day": day_of(21)}, "left"),
        ({"exempt": (SILENCE, ABSENT)}, "exempt"),
    ],
)
def test_what_is_open_ends_when_the_directory_says_that_it_no_longer_applies(change: dict[str, Any], why: str) -> None:
    term = Term()
    term.active(1)
    assert of(term.until(20), SILENCE) == [f"15 +{SILENCE}"]
    term.place(**change)
    assert of(term.until(60, first=21), SILENCE) == [f"21 -{SILENCE}: {why}"]


def test_a_place_that_is_taken_out_of_the_directory_was_left() -> None:
    term = Term()
    term.until(20)
    term.place(module="OTHER", start_day=day_of(60), end_day=day_of(90))
    told = of(term.until(22, first=21), SILENCE, ABSENT)
    assert sorted(told) == [f"21 -{SILENCE}: left", f"21 -{ABSENT}: left"]


def test_a_vacation_holds_what_would_begin_and_its_days_do_not_count() -> None:
    off = Vacation(name="v", title="V", first_day=FIRST + dt.timedelta(days=10), last_day=FIRST + dt.timedelta(days=23))
    term = Term(structs.replace(REGISTER, vacations=(off,)))
    term.active(1)
    assert of(term.until(23), SILENCE) == []
    assert term.said is not None
    assert term.said.held == "vacation"
    assert of(term.until(40, first=24), SILENCE) == [f"29 +{SILENCE}"]


def test_an_episode_stays_open_over_a_vacation() -> None:
    off = Vacation(name="v", title="V", first_day=FIRST + dt.timedelta(days=17), last_day=FIRST + dt.timedelta(days=30))
    term = Term(structs.replace(REGISTER, vacations=(off,)))
    assert of(term.until(35), SILENCE) == [f"14 +{SILENCE}"]


def test_a_silent_feed_holds_alerts_and_days_count_anew_once_it_is_back() -> None:
    """From day 9 on nothing is heard of the VLE, from day 20 on it is."""
    term = Term()
    term.active(1)
    outage = {"vle": 9, "assessment": 10**6}
    assert of(term.until(19, outage), SILENCE) == []
    assert term.said is not None
    assert term.said.held == "feed-stale"
    assert of(term.until(40, first=20), SILENCE) == [f"34 +{SILENCE}"]
    assert term.said.since_day == day_of(20)
    assert term.last(SILENCE).episode_day == day_of(20)


def test_work_that_is_not_handed_in_is_told_and_an_extension_is_honoured() -> None:
    due = [
        Due(assessment=name, due_ms=START_MS + day * DAY_MS) for name, day in (("essay", 5), ("quiz", 6), ("talk", 7))
    ]
    later = structs.replace(due[2], extended_ms=START_MS + 12 * DAY_MS)
    term = Term(due=(due[0], due[1], later))
    term.active(4, assessment="essay", source="assessment")
    assert of(term.until(11), "missing-work") == []
    assert of(term.until(14, first=12), "missing-work") == ["12 +missing-work"]
    assert term.last("missing-work").sources == ("assessment",)
    term.active(14.5, assessment="talk", source="assessment")
    assert of(term.until(15, first=15), "missing-work") == ["15 -missing-work: back-to-usual"]


def test_a_threshold_takes_effect_at_the_first_tick_of_its_day_and_replays_alike() -> None:
    sooner = Threshold(
        name="t", title="T", indicator=SILENCE, reason="Field work.", first_day=FIRST + dt.timedelta(days=12), alert=9
    )
    register = structs.replace(REGISTER, thresholds=(sooner,))
    terms = [Term(register), Term(register)]
    for term in terms:
        term.active(1)
        assert of(term.until(20), SILENCE) == [f"12 +{SILENCE}"]
        assert term.last(SILENCE).threshold == 9
    assert terms[0].triggers == terms[1].triggers


def test_part_time_students_have_three_times_as_long() -> None:
    term = Term(part_time=True)
    assert of(term.until(45), SILENCE, ABSENT) == [f"24 +{ABSENT}", f"42 +{SILENCE}"]


def test_a_rule_for_full_time_students_begins_for_no_others_and_ends_when_they_become_part_time() -> None:
    part_time, full_time = Term(part_time=True), Term()
    assert of(part_time.until(30), "low-activity") == []
    assert of(full_time.until(20), "low-activity") == ["13 +low-activity"]
    full_time.place(part_time=True)
    assert of(full_time.until(22, first=21), "low-activity") == ["21 -low-activity: exempt"]
