"""Which days count, when a place runs, since when it could be seen, and when a feed is silent for too long."""

from __future__ import annotations

import datetime as dt
from zoneinfo import ZoneInfo

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import structs

from services.indicators.domain.calendar import HELD, Calendar, Feeds, Spans
from services.indicators.domain.places import CALENDAR_DAYS, NEVER
from services.kernel.clock import HOUR_MS, day_number, midnight_ms
from services.kernel.events import ClockTicked, Enrolment, Leave
from services.kernel.register import Vacation, load_register

LONDON = ZoneInfo("Europe/London")
SHIPPED = load_register()
EASTER = Vacation(name="easter", title="Easter", first_day=dt.date(2026, 3, 28), last_day=dt.date(2026, 4, 12))
REGISTER = structs.replace(SHIPPED, vacations=(EASTER,))
CALENDAR = Calendar(REGISTER, LONDON)
FIRST, LAST = day_number("2026-03-28"), day_number("2026-04-12")
VLE = structs.replace(SHIPPED.source["vle"], stale_after_hours=24)
LIBRARY = structs.replace(SHIPPED.source["library"], stale_after_hours=None)
SOURCES = {"vle": VLE, "library": LIBRARY}
PLACE = Enrolment(module="M", start_day="2026-03-02", end_day="2026-05-29")
AWAY = Leave(first_day="2026-03-16", last_day="2026-03-20")


def held(enrolment: Enrolment | None, day: str, *, vacation: bool = False) -> str:
    """Why a place is held on a day."""
    return HELD[int(Spans.of([enrolment]).held(day_number(day), vacation=vacation)[0])]


def since(enrolment: Enrolment, day: str, *, granted: str = "2026-01-01", back: int = NEVER) -> tuple[int, int]:
    """Since when a place could be seen at all, and without a break."""
    day_of_grant = np.array([day_number(granted)])
    start, whole = Spans.of([enrolment]).since_day(day_number(day), day_of_grant, np.array([back]))
    return int(start[0]), int(whole[0])


def test_days_of_a_vacation_do_not_count_but_those_around_it_do() -> None:
    assert [CALENDAR.vacation(day) for day in (FIRST - 1, FIRST, LAST, LAST + 1)] == [False, True, True, False]
    assert CALENDAR.counting(LAST + 2).tolist()[:4] == [0, 1, 18, 19]
    assert CALENDAR.counting(LAST).tolist()[:2] == [16, 17]


def test_without_vacations_every_day_counts() -> None:
    assert Calendar(SHIPPED, LONDON).counting(FIRST).tolist() == list(range(CALENDAR_DAYS))


def test_time_in_a_vacation_is_left_out_also_over_the_change_of_the_clocks() -> None:
    """It holds the last Sunday of March, which is an hour short."""
    before, after = midnight_ms(dt.date(2026, 3, 27), LONDON), midnight_ms(dt.date(2026, 4, 14), LONDON)
    assert CALENDAR.counted_ms(before, after) == 48 * HOUR_MS
    within = midnight_ms(dt.date(2026, 4, 1), LONDON)
    assert CALENDAR.counted_ms(before, within) == 24 * HOUR_MS
    assert CALENDAR.counted_ms(within, within + HOUR_MS) == 0


@pytest.mark.parametrize(
    ("changes", "day", "why"),
    [
        ({}, "2026-03-01", "before-start"),
        ({}, "2026-03-02", ""),
        ({}, "2026-05-29", ""),
        ({}, "2026-05-30", "module-over"),
        ({"left_day": "2026-03-10"}, "2026-03-09", ""),
        ({"left_day": "2026-03-10"}, "2026-03-10", "left"),
        ({"left_day": "2026-03-10"}, "2026-06-30", "left"),
        ({"leave": (AWAY,)}, "2026-03-15", ""),
        ({"leave": (AWAY,)}, "2026-03-16", "leave"),
        ({"leave": (AWAY,)}, "2026-03-20", "leave"),
        ({"leave": (AWAY,)}, "2026-03-21", ""),
        ({"leave": (Leave(first_day="2026-03-04", last_day="2026-03-05"), AWAY)}, "2026-03-18", "leave"),
    ],
)
def test_a_place_runs_from_its_first_day_to_its_last_but_for_leave(
    changes: dict[str, object], day: str, why: str
) -> None:
    assert held(structs.replace(PLACE, **changes), day) == why


def test_a_vacation_holds_what_nothing_else_ends() -> None:
    on_leave = structs.replace(PLACE, leave=(AWAY,))
    assert held(PLACE, "2026-03-28", vacation=True) == "vacation"
    assert held(on_leave, "2026-03-18", vacation=True) == "leave"
    assert held(PLACE, "2026-06-01", vacation=True) == "module-over"


def test_a_place_that_there_is_no_longer_was_left() -> None:
    assert held(None, "2026-03-18") == "left"
    assert Spans.of([]).held(1, vacation=False).tolist() == []


def test_a_place_is_seen_from_its_start_or_the_first_grant_whichever_is_later() -> None:
    assert since(PLACE, "2026-03-10") == (day_number("2026-03-02"),) * 2
    assert since(PLACE, "2026-03-10", granted="2026-03-07") == (day_number("2026-03-07"),) * 2


def test_a_leave_or_an_outage_breaks_what_could_be_seen_once_it_is_over() -> None:
    away = structs.replace(PLACE, leave=(AWAY, Leave(first_day="2026-05-01", last_day="2026-05-08")))
    start = day_number("2026-03-02")
    assert since(away, "2026-03-20") == (start, start)
    assert since(away, "2026-03-21") == (start, day_number("2026-03-21"))
    assert since(away, "2026-04-30") == (start, day_number("2026-03-21"))
    assert since(away, "2026-05-09") == (start, day_number("2026-05-09"))
    back = day_number("2026-05-20")
    assert since(away, "2026-05-25", back=back) == (start, back)


def tick(feeds: Feeds, hour: int, **heard: int) -> Feeds:
    """A tick so many hours from the Monday on, with the hours at which sources were heard."""
    monday = midnight_ms(dt.date(2026, 3, 2), LONDON)
    told = {source: monday + at * HOUR_MS if at >= 0 else 0 for source, at in heard.items()}
    at_ms = monday + hour * HOUR_MS
    feeds.tick(ClockTicked(at_ms=at_ms, heard=told), day_number("2026-03-02") + hour // 24, SOURCES, CALENDAR)
    return feeds


def stale(feeds: Feeds) -> list[bool]:
    """Of the VLE and of the library."""
    return [bool(silent) for silent in feeds.stale(["vle", "library"])]


def test_a_feed_is_stale_once_it_was_silent_for_as_long_as_the_register_says() -> None:
    feeds = tick(Feeds(), 23, vle=0, library=0)
    assert stale(feeds) == [False, False]
    assert stale(tick(feeds, 24, vle=0, library=0)) == [True, False]
    assert feeds.back_day(["vle"], np.array([[True]])).tolist() == [NEVER]
    assert stale(tick(feeds, 49, vle=48, library=0)) == [False, False]
    assert feeds.back_day(["vle", "library"], np.array([[True, True], [False, True]])).tolist() == [
        day_number("2026-03-04"),
        NEVER,
    ]


def test_a_source_that_is_connected_and_was_never_heard_is_stale() -> None:
    assert stale(tick(Feeds(), 1, vle=-1)) == [True, False]


def test_a_source_that_no_tick_names_is_not_watched() -> None:
    assert stale(tick(Feeds(), 1)) == [False, False]
    feeds = tick(tick(Feeds(), 1, vle=0), 30, vle=0)
    assert stale(feeds) == [True, False]
    assert stale(tick(feeds, 31)) == [True, False]  # another door may have named it at the last moment
    assert stale(tick(feeds, 32)) == [False, False]
    assert feeds.back_day(["vle"], np.array([[True]])).tolist() == [day_number("2026-03-03")]


def test_what_another_door_heard_counts_at_the_next_tick() -> None:
    feeds = tick(Feeds(), 30, vle=0)
    feeds.hear({"vle": midnight_ms(dt.date(2026, 3, 3), LONDON) + 5 * HOUR_MS})
    assert stale(feeds) == [True, False]
    assert stale(tick(feeds, 31, vle=0)) == [False, False]


def test_silence_in_a_vacation_is_no_sign_of_anything() -> None:
    feeds, friday = Feeds(), midnight_ms(dt.date(2026, 3, 28), LONDON) - 4 * HOUR_MS
    for date, want in ((dt.date(2026, 4, 10), False), (dt.date(2026, 4, 13), False), (dt.date(2026, 4, 14), True)):
        at_ms = midnight_ms(date, LONDON)
        feeds.tick(ClockTicked(at_ms=at_ms, heard={"vle": friday}), day_number(date.isoformat()), SOURCES, CALENDAR)
        assert stale(feeds)[0] is want


@given(st.lists(st.tuples(st.integers(1, 30), st.sampled_from(["vle", "library"]), st.integers(0, 48)), max_size=8))
def test_feeds_are_stored_and_go_on_as_if_they_had_not_been(steps: list[tuple[int, str, int]]) -> None:
    whole, stored, hour = Feeds(), Feeds(), 0
    for step, source, ago in steps:
        hour += step
        tick(whole, hour, **{source: max(0, hour - ago)})
        again = msgspec.msgpack.decode(msgspec.msgpack.encode(stored), type=Feeds)
        stored = tick(again, hour, **{source: max(0, hour - ago)})
    assert msgspec.msgpack.encode(stored) == msgspec.msgpack.encode(whole)
