"""The deadline clock: months as the law counts them, pauses that add exactly their days, and no day more."""

from __future__ import annotations

import datetime as dt
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.consent.domain.requests import deadlines
from services.consent.domain.requests.deadlines import (
    DeadlineRules,
    deadline,
    may_extend,
    months_later,
    next_working_day,
)
from services.consent.domain.requests.request import RIGHTS, Kind, Request, RequestEvent, What

ZONE = ZoneInfo("Europe/London")
CHRISTMAS = frozenset({dt.date(2026, 12, 25), dt.date(2026, 12, 28)})
RULES = DeadlineRules(ZONE, consent_change_days=5, complaint_days=60, holidays=CHRISTMAS)
days = st.dates(dt.date(2020, 1, 1), dt.date(2040, 12, 31))
rights = st.sampled_from(sorted(RIGHTS))


def noon(day: dt.date) -> int:
    """A moment of that day in the institution's time."""
    return int(dt.datetime.combine(day, dt.time(12), ZONE).timestamp() * 1000)


def request(received: dt.date, *happened: tuple[What, dt.date], kind: Kind = "access") -> Request:
    """A request to which this happened after it was opened."""
    events = [RequestEvent(0, noon(received), "opened", "student", "student", "Please.")]
    events += [
        RequestEvent(number, noon(day), what, "c" * 64, "administrator", "Because.")
        for number, (what, day) in enumerate(happened, 1)
    ]
    return Request(
        "7KQ3-M2XD", kind, "a" * 64, "s0000001", "portal", "en", received.isoformat(), (), tuple(events)
    )  # fmt: skip


def due(*happened: tuple[What, dt.date], received: dt.date, kind: Kind = "access", on: dt.date | None = None) -> str:
    """The last day, as seen on a day: by default the last on which something happened."""
    seen = on or max([received, *(day for _, day in happened)])
    return deadline(request(received, *happened, kind=kind), noon(seen), RULES).day.isoformat()


@pytest.mark.requirement("R10")
@pytest.mark.parametrize(
    ("received", "last"),
    [
        ("2026-09-03", "2026-10-05"),  # 3 October is a Saturday
        ("2026-11-24", "2026-12-24"),
        ("2026-11-25", "2026-12-29"),  # Christmas Day, a weekend, and the holiday that stands in for Boxing Day
        ("2027-01-31", "2027-03-01"),  # 28 February 2027 is a Sunday
        ("2028-01-31", "2028-02-29"),
        ("2028-02-29", "2028-03-29"),
        ("2026-12-31", "2027-02-01"),  # 31 January 2027 is a Sunday
    ],
)
def test_a_right_is_answered_within_one_month_of_receipt(received: str, last: str) -> None:
    assert due(received=dt.date.fromisoformat(received)) == last


@pytest.mark.requirement("R10")
def test_two_further_months_are_counted_from_receipt_not_from_the_first_deadline() -> None:
    extended: tuple[What, dt.date] = ("extended", dt.date(2027, 2, 1))
    assert due(extended, received=dt.date(2027, 1, 31)) == "2027-04-30"


@pytest.mark.requirement("R11")
def test_a_complaint_is_acknowledged_within_30_days_and_then_answered_in_the_time_that_is_set() -> None:
    received = dt.date(2026, 11, 2)
    opened = deadline(request(received, kind="complaint"), noon(received), RULES)
    told = deadline(request(received, ("acknowledged", received), kind="complaint"), noon(received), RULES)

    assert (opened.task, opened.day.isoformat()) == ("acknowledge", "2026-12-02")
    assert (told.task, told.day.isoformat()) == ("answer", "2027-01-01")


@pytest.mark.requirement("R3")
def test_a_change_of_consent_is_made_within_the_days_that_are_set() -> None:
    assert due(received=dt.date(2026, 11, 24), kind="consent-change") == "2026-11-30"  # the 29th is a Sunday


def test_a_request_is_overdue_from_the_day_after() -> None:
    asked = request(dt.date(2026, 11, 24))
    on_the_day, after = (deadline(asked, noon(dt.date(2026, 12, day)), RULES) for day in (24, 25))

    assert (on_the_day.overdue, on_the_day.days_left) == (False, 0)
    assert (after.overdue, after.days_left) == (True, -1)


def test_days_are_the_institutions_own() -> None:
    """Half past midnight in summer is the day before by UTC."""
    late = int(dt.datetime(2026, 7, 1, 0, 30, tzinfo=ZONE).timestamp() * 1000)
    assert RULES.day_of(late) == dt.date(2026, 7, 1)


@given(days, st.integers(0, 40))
def test_a_month_later_is_the_same_day_or_the_last_of_a_shorter_month(day: dt.date, months: int) -> None:
    later = months_later(day, months)

    assert (later.year * 12 + later.month) - (day.year * 12 + day.month) == months
    assert later.day == day.day or (later.day < day.day and (later + dt.timedelta(days=1)).day == 1)


@given(days, st.frozensets(days, max_size=5))
def test_a_last_day_moves_only_over_days_off(day: dt.date, holidays: frozenset[dt.date]) -> None:
    moved = next_working_day(day, holidays)
    passed = [day + dt.timedelta(days=n) for n in range((moved - day).days)]

    assert moved.weekday() < 5
    assert moved not in holidays
    assert all(d.weekday() >= 5 or d in holidays for d in passed)


@given(rights, days, st.lists(st.tuples(st.integers(0, 9), st.integers(0, 30)), max_size=4), st.sampled_from([1, 3]))
def test_pauses_move_the_last_day_by_exactly_their_length(
    kind: Kind, received: dt.date, spans: list[tuple[int, int]], months: int
) -> None:
    """Each span is the days from the end of the one before to a pause, and the days that it lasts."""
    happened: list[tuple[What, dt.date]] = [("extended", received)] if months > 1 else []
    day = received
    for before, length in spans:
        paused = day + dt.timedelta(days=before)
        day = paused + dt.timedelta(days=length)
        happened += [("paused", paused), ("resumed", day)]
    stopped = sum(length for _, length in spans)
    nominal = months_later(received, months) + dt.timedelta(days=stopped)

    assert due(*happened, received=received, kind=kind) == next_working_day(nominal, CHRISTMAS).isoformat()


@given(days, st.integers(0, 27), st.integers(0, 400))
def test_a_paused_request_is_never_overdue_and_the_days_left_stand_still(
    received: dt.date, before: int, since: int
) -> None:
    paused = received + dt.timedelta(days=before)
    asked = request(received, ("paused", paused))
    rules = DeadlineRules(ZONE, 5, 60)
    then, now = deadline(asked, noon(paused), rules), deadline(asked, noon(paused + dt.timedelta(days=since)), rules)

    assert not now.overdue
    assert not now.running
    assert abs(now.days_left - then.days_left) <= 2  # a weekend at its end
    assert now.days_left >= 0


@given(days, st.integers(0, 60), st.integers(0, 60))
def test_reopening_gives_the_days_that_were_left_and_no_more(received: dt.date, answered: int, away: int) -> None:
    closed = received + dt.timedelta(days=answered)
    again = closed + dt.timedelta(days=away)
    nominal = months_later(received, 1) + dt.timedelta(days=away)

    assert due(("answered", closed), ("reopened", again), received=received) == (
        next_working_day(nominal, CHRISTMAS).isoformat()
    )


def test_what_was_answered_while_paused_stops_the_clock_once() -> None:
    day = [dt.date(2026, 11, 24) + dt.timedelta(days=n) for n in range(10)]
    happened: list[tuple[What, dt.date]] = [("paused", day[1]), ("answered", day[3]), ("reopened", day[7])]
    asked = request(day[0], *happened)

    assert deadlines.stopped_days(asked, day[9], RULES) == 6


def test_a_closed_request_keeps_the_deadline_that_it_had() -> None:
    asked = request(dt.date(2026, 11, 24), ("answered", dt.date(2026, 12, 28)))
    then = deadline(asked, noon(dt.date(2030, 1, 1)), RULES)

    assert (then.day.isoformat(), then.days_left) == ("2026-12-24", -4)
    assert not then.overdue


@pytest.mark.parametrize(("day", "may"), [(24, True), (25, False)])
def test_an_extension_is_told_within_the_first_month_or_not_at_all(day: int, *, may: bool) -> None:
    asked = request(dt.date(2026, 11, 24))
    assert may_extend(asked, noon(dt.date(2026, 12, day)), RULES) is may


def test_a_pause_prolongs_the_time_to_tell_of_an_extension() -> None:
    asked = request(dt.date(2026, 11, 24), ("paused", dt.date(2026, 12, 1)), ("resumed", dt.date(2026, 12, 4)))

    assert may_extend(asked, noon(dt.date(2026, 12, 27)), RULES)
    assert not may_extend(asked, noon(dt.date(2026, 12, 28)), RULES)
    assert not may_extend(request(dt.date(2026, 11, 24), kind="complaint"), noon(dt.date(2026, 11, 24)), RULES)
