"""The life cycle of a yes: who is reminded when, who is not, and what ends."""

from __future__ import annotations

import datetime as dt
from collections import Counter
from collections.abc import Iterable
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from services.consent.domain.decisions import Channel, ConsentEvent, Decision, State, decide
from services.consent.domain.renewals import LATE_DAYS, Due, Kind, Life, Reminder, Schedule, Sent, Texts
from services.kernel.clock import DAY_MS, HOUR_MS, local_days

LONDON = ZoneInfo("Europe/London")
SCHEDULE = Schedule(LONDON, renewal_days=42, last_reminder_days=7, per_minute=10)
UNTIL = 1_821_513_600_000  # 21 September 2027, 09:00 in London
GIVEN = UNTIL - 365 * DAY_MS
TEXTS = Texts(in_force="2026-1", material="2026-1", material_ms=0, outdated=frozenset())
CHANGED = Texts(in_force="2027-1", material="2027-1", material_ms=UNTIL - 100 * DAY_MS, outdated=frozenset({"2026-1"}))
STUDENT = "a" * 64
SHORTEST_H = (
    16  # hours that there are at least for a first reminder: from the end of one day's to the begin of the next's
)
VLE, LIBRARY = ("individual-indicators", "vle"), ("individual-indicators", "library")


def said(  # noqa: PLR0913, PLR0917 - each is what one test or another varies
    state: State = "given",
    at_ms: int = GIVEN,
    until_ms: int | None = UNTIL,
    cell: tuple[str, str] = VLE,
    notice: str = "2026-1",
    channel: Channel = "portal",
) -> Decision:
    return Decision(*cell, state, at_ms, until_ms if state == "given" else None, notice, "cy", channel=channel)


class Student:
    """A student's life, in which the service looks now and then."""

    def __init__(self, *decisions: Decision, student: str = STUDENT) -> None:
        self.student, self.history, self.sent = student, list[ConsentEvent](), list[Sent]()
        for decision in decisions:
            self.say(decision, at_ms=decision.from_ms)

    def say(self, *decisions: Decision, at_ms: int) -> list[ConsentEvent]:
        new = decide(self.student, self.history, decisions, at_ms).recorded
        self.history += new
        return list(new)

    def look(self, now_ms: int, texts: Texts = TEXTS) -> Due:
        """As the service does: record what is found."""
        due = Life(self.student, self.history, self.sent).due(now_ms, SCHEDULE, texts)
        requested = due.reminder.requested(texts, now_ms) if due.reminder else []
        self.say(*due.ends, *requested, at_ms=now_ms)
        if due.reminder:
            self.sent.append(Sent(due.reminder.kind, due.reminder.until_ms, now_ms))
        return due

    def live(self, from_ms: int, to_ms: int, step_ms: int = 6 * HOUR_MS) -> list[tuple[str, int]]:
        """Look again and again; gives the kinds and moments of the reminders."""
        looks = ((self.look(now_ms), now_ms) for now_ms in range(from_ms, to_ms, step_ms))
        return [(due.reminder.kind, now_ms) for due, now_ms in looks if due.reminder]


def students(count: int) -> list[str]:
    return [f"{number:064x}" for number in range(count)]


def wakes(student: Student, now_ms: int) -> Iterable[tuple[int, Due]]:
    """Look whenever the look before said that there will be something to do."""
    moment: int | None = now_ms
    while moment is not None:
        due = student.look(moment)
        yield moment, due
        again = Life(student.student, student.history, student.sent).due(moment, SCHEDULE, TEXTS)
        assert again.ends == () and again.reminder is None, "a look leaves nothing undone"  # noqa: PT018 - one thought
        assert again.next_ms is None or again.next_ms > moment
        moment = again.next_ms


@pytest.mark.requirement("R3")
def test_who_says_nothing_is_reminded_three_times_and_then_let_be() -> None:
    kinds = Student(said()).live(UNTIL - 60 * DAY_MS, UNTIL + 60 * DAY_MS)
    assert [kind for kind, _ in kinds] == ["first", "last", "ended"]
    first, last, ended = (at for _, at in kinds)
    assert UNTIL - 42 * DAY_MS <= first < last < UNTIL <= ended < UNTIL + DAY_MS


@given(st.text("0123456789abcdef", min_size=64, max_size=64), st.integers(0, 366 * 24), st.integers(4, 36))
@example("53d2d88339012a1855458093723ea1038be91011719e22a1ea427e6818e43ae2", 303, 11)  # the first comes late
@example("2000220d00000000020000000072000000000002002000000000225d00020722", 59, 32)  # no look in the first's time
@settings(max_examples=40, deadline=None)
def test_each_student_gets_exactly_one_first_reminder_whenever_the_grant_ends(
    student: str, hours: int, step: int
) -> None:
    """Each comes at the first look in its time; the last does not, where the first came when its period had begun."""
    until_ms = UNTIL + hours * HOUR_MS
    life = Student(said(until_ms=until_ms), student=student)
    looks = range(until_ms - 50 * DAY_MS, until_ms + 20 * DAY_MS, step * HOUR_MS)
    kinds = life.live(looks.start, looks.stop, looks.step)

    moments = SCHEDULE.moments(student, until_ms)
    first, last, ended = (
        next((now_ms for now_ms in looks if begin <= now_ms < end), None) for begin, end in pairwise(moments.all)
    )
    if first is not None and first >= until_ms - 7 * DAY_MS:
        last = None
    expected = [("first", first), ("last", last), ("ended", ended)]
    assert kinds == [(kind, at_ms) for kind, at_ms in expected if at_ms is not None]
    assert first is not None or step > SHORTEST_H
    assert until_ms - 42 * DAY_MS <= kinds[0][1] < until_ms - 7 * DAY_MS + 36 * HOUR_MS


@given(st.text("0123456789abcdef", min_size=64, max_size=64), st.integers(0, 366 * 24))
@settings(max_examples=60, deadline=None)
def test_looking_only_when_something_falls_due_misses_nothing(student: str, hours: int) -> None:
    until_ms = UNTIL + hours * HOUR_MS
    looks = list(wakes(Student(said(until_ms=until_ms), student=student), GIVEN))

    assert [due.reminder.kind for _, due in looks if due.reminder] == ["first", "last", "ended"]
    assert [decision.state for _, due in looks for decision in due.ends] == ["expired"]
    assert len(looks) <= 6


def test_a_years_students_are_spread_evenly_over_the_days() -> None:
    """Grants of a whole year that end in one moment: no day has more than a fifth above its share, all have some."""
    moments = [SCHEDULE.moments(student, UNTIL) for student in students(10_000)]
    days = Counter(local_days(LONDON)(of.first) for of in moments)

    assert len(days) == 42 - 7 - 1
    assert max(days.values()) <= 1.2 * 10_000 / len(days)
    assert min(days.values()) >= 0.8 * 10_000 / len(days)


def test_reminders_come_in_the_daytime() -> None:
    for of in (SCHEDULE.moments(student, UNTIL) for student in students(500)):
        hours = {dt.datetime.fromtimestamp(at / 1000, LONDON).hour for at in (of.first, of.last, of.ended)}
        assert hours <= set(range(9, 17))


@given(st.text("0123456789abcdef", min_size=64, max_size=64), st.integers(0, 366 * 24), st.integers(0, 40))
@settings(max_examples=60, deadline=None)
def test_a_reminder_comes_when_the_grant_can_be_renewed_and_never_out_of_order(
    student: str, hours: int, last_days: int
) -> None:
    until_ms = UNTIL + hours * HOUR_MS
    of = Schedule(LONDON, 42, last_days, 10).moments(student, until_ms)

    assert until_ms - 42 * DAY_MS <= of.first <= of.last <= until_ms <= of.ended < of.over
    assert (of.over - until_ms) == LATE_DAYS * DAY_MS


@pytest.mark.requirement("R3")
@pytest.mark.parametrize("answer", ["given", "refused", "withdrawn"])
@pytest.mark.parametrize("days_before", [41, 20, 3])
def test_who_has_answered_is_not_reminded_again(answer: State, days_before: int) -> None:
    student = Student(said())
    answered_ms = UNTIL - days_before * DAY_MS
    student.live(UNTIL - 50 * DAY_MS, answered_ms)
    student.say(said(answer, answered_ms, UNTIL + 300 * DAY_MS), at_ms=answered_ms)

    assert student.live(answered_ms, UNTIL + 30 * DAY_MS) == []


def test_a_yes_to_something_else_does_not_silence_the_last_reminder() -> None:
    """What ends is still said in time: nothing stops without a word."""
    student = Student(said())
    student.say(said(cell=LIBRARY, at_ms=UNTIL - 30 * DAY_MS, until_ms=UNTIL + 335 * DAY_MS), at_ms=UNTIL - 30 * DAY_MS)

    assert [kind for kind, _ in student.live(UNTIL - 30 * DAY_MS, UNTIL + 30 * DAY_MS)] == ["last", "ended"]


def test_grants_that_end_soon_after_each_other_are_one_reminder() -> None:
    student = Student(said(), said(cell=LIBRARY, until_ms=UNTIL + 3 * DAY_MS))
    reminders = student.live(UNTIL - 60 * DAY_MS, UNTIL + 60 * DAY_MS)

    assert [kind for kind, _ in reminders] == ["first", "last", "ended"]
    asked = [event.decision for event in student.history if event.decision.state == "requested"]
    assert Counter(decision.cell for decision in asked) == {VLE: 3, LIBRARY: 3}


def test_a_reminder_is_recorded_as_a_request_in_the_students_language_under_the_text_in_force() -> None:
    asked = Reminder(STUDENT, "last", UNTIL, "cy", (VLE,)).requested(TEXTS, 7)

    assert asked == [Decision(*VLE, "requested", 7, None, "2026-1", "cy", channel="life-cycle", actor="signpost")]


def test_a_grant_that_was_over_when_it_was_registered_is_let_be() -> None:
    """A replayed term of 2013 registers grants that are over by the machine's clock."""
    student = Student()
    student.say(said(channel="registration"), at_ms=UNTIL + LATE_DAYS * DAY_MS)

    assert student.look(UNTIL + LATE_DAYS * DAY_MS) == Due((), None, None)


def test_what_ended_long_ago_is_recorded_and_nobody_is_written_to() -> None:
    """The service was away for a while."""
    student = Student(said(until_ms=GIVEN + DAY_MS))
    due = student.look(GIVEN + DAY_MS + LATE_DAYS * DAY_MS)

    assert [decision.state for decision in due.ends] == ["expired"]
    assert (due.reminder, due.next_ms) == (None, None)


def test_an_end_is_recorded_once_at_its_own_moment() -> None:
    student = Student(said())
    student.live(UNTIL - DAY_MS, UNTIL + 3 * DAY_MS)

    ends = [event.decision for event in student.history if event.decision.state == "expired"]
    assert [(end.from_ms, end.channel, end.actor, end.notice) for end in ends] == [
        (UNTIL, "life-cycle", "signpost", "2026-1")
    ]


@pytest.mark.parametrize(("kind", "days_before"), [("first", 40), ("last", 6)])
def test_who_was_reminded_is_not_reminded_again_when_the_days_of_reminders_change(kind: Kind, days_before: int) -> None:
    life = Student(said())
    life.sent.append(Sent(kind, UNTIL, UNTIL - days_before * DAY_MS))
    later = Schedule(LONDON, renewal_days=20, last_reminder_days=3, per_minute=10)
    moments = later.moments(STUDENT, UNTIL)
    due = Life(STUDENT, life.history, life.sent).due(moments.first if kind == "first" else moments.last, later, TEXTS)
    assert due.reminder is None


def test_a_short_grant_given_within_the_renewal_period_is_not_reminded_of_at_once() -> None:
    student = Student(said(at_ms=UNTIL - 14 * DAY_MS))
    assert [kind for kind, _ in student.live(UNTIL - 14 * DAY_MS, UNTIL + 20 * DAY_MS)] == ["last", "ended"]


@pytest.mark.requirement("R2")
def test_a_material_change_ends_what_was_said_under_older_texts_and_asks_once() -> None:
    student = Student(said(), said("refused", cell=LIBRARY))
    now_ms = CHANGED.material_ms
    due = student.look(now_ms, CHANGED)
    assert [(end.cell, end.state, end.from_ms, end.notice) for end in due.ends] == [
        (VLE, "invalidated", now_ms, "2026-1")
    ]
    assert due.reminder is not None
    assert (due.reminder.kind, due.reminder.reason, due.reminder.cells) == ("notice-changed", "notice-changed", (VLE,))
    assert student.history[-1].decision.notice == "2027-1"
    again = student.look(now_ms + DAY_MS, CHANGED)
    assert (again.ends, again.reminder) == ((), None)


def test_an_immaterial_change_changes_nothing() -> None:
    student = Student(said())
    immaterial = Texts(in_force="2026-2", material="2026-1", material_ms=0, outdated=frozenset())
    due = student.look(GIVEN + DAY_MS, immaterial)
    assert (due.ends, due.reminder) == ((), None)


def test_a_yes_under_the_new_text_holds_and_ends_the_asking() -> None:
    student = Student(said())
    now_ms = CHANGED.material_ms
    student.say(*Life(STUDENT, student.history, []).due(now_ms, SCHEDULE, CHANGED).ends, at_ms=now_ms)
    student.say(said(at_ms=now_ms + 1, until_ms=now_ms + 365 * DAY_MS, notice="2027-1"), at_ms=now_ms + 1)
    due = student.look(now_ms + 2, CHANGED)
    assert (due.ends, due.reminder) == ((), None)


def test_of_those_for_whom_a_minute_had_no_room_nobody_is_forgotten() -> None:
    """The end was recorded, the reminder was put off: it is still found due."""
    student = Student(said())
    now_ms = CHANGED.material_ms
    due = Life(STUDENT, student.history, []).due(now_ms, SCHEDULE, CHANGED)
    student.say(*due.ends, at_ms=now_ms)
    later = student.look(now_ms + DAY_MS, CHANGED)
    assert later.reminder == due.reminder
    assert later.reminder is not None


@pytest.mark.requirement("R2")
def test_a_grant_that_has_ended_is_not_invalidated_by_a_later_text() -> None:
    due = Student(said(until_ms=CHANGED.material_ms)).look(CHANGED.material_ms + DAY_MS, CHANGED)
    assert [end.state for end in due.ends] == ["expired"]
    assert due.reminder is not None
    assert due.reminder.kind == "ended"


def test_an_old_yes_that_is_registered_after_the_change_does_not_hold() -> None:
    student = Student()
    student.say(said(channel="registration"), at_ms=CHANGED.material_ms + DAY_MS)
    assert [end.state for end in student.look(CHANGED.material_ms + DAY_MS, CHANGED).ends] == ["invalidated"]


def test_the_id_of_a_reminder_comes_of_what_it_is_about() -> None:
    ids = {
        Reminder(student, kind, until_ms, "en", (VLE,)).id
        for student in students(2)
        for kind in ("first", "last", "ended", "notice-changed")
        for until_ms in (UNTIL, UNTIL + 1)
    }
    assert len(ids) == 16
    assert Reminder(STUDENT, "first", UNTIL, "en", (VLE,)).id == Reminder(STUDENT, "first", UNTIL, "cy", ()).id
