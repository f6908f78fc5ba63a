"""Local days of moments, also where clocks go forward and back, and clocks that never run backwards."""

from __future__ import annotations

import datetime as dt
import time
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.kernel.clock import (
    DAY_MS,
    HOUR_MS,
    StreamClock,
    SystemClock,
    day_number,
    iso_day,
    local_days,
    midnight_ms,
    moment_ms,
    service_clock,
)

LONDON = ZoneInfo("Europe/London")
# Midnight itself is skipped in São Paulo's spring and comes twice in Havana's autumn; Kathmandu is at +5:45.
ZONES = [LONDON, *map(ZoneInfo, ("America/Sao_Paulo", "America/Havana", "Asia/Kathmandu", "Pacific/Apia", "UTC"))]
EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
MOMENTS = st.integers(10_957 * DAY_MS, 29_219 * DAY_MS)  # 2000 to 2049
DAYS = st.integers(10_958, 29_219)
DAY_OF = {zone: local_days(zone) for zone in ZONES}


def ms(iso: str) -> int:
    """Milliseconds of an ISO moment with its offset."""
    return (dt.datetime.fromisoformat(iso) - EPOCH) // dt.timedelta(milliseconds=1)


@pytest.mark.parametrize(
    ("moment", "day"),
    [
        ("2026-01-12T23:59:59.999+00:00", "2026-01-12"),
        ("2026-01-13T00:00:00+00:00", "2026-01-13"),
        # The clocks go forward at one o'clock on 29 March: 23 hours
        ("2026-03-28T23:59:59.999+00:00", "2026-03-28"),
        ("2026-03-29T00:00:00+00:00", "2026-03-29"),
        ("2026-03-29T22:59:59.999+00:00", "2026-03-29"),
        ("2026-03-29T23:00:00+00:00", "2026-03-30"),
        ("2026-07-01T22:59:59.999+00:00", "2026-07-01"),
        ("2026-07-01T23:00:00+00:00", "2026-07-02"),
        # and back at two o'clock on 25 October: 25 hours
        ("2026-10-24T23:00:00+00:00", "2026-10-25"),
        ("2026-10-25T23:59:59.999+00:00", "2026-10-25"),
        ("2026-10-26T00:00:00+00:00", "2026-10-26"),
    ],
)
def test_a_day_of_london_begins_and_ends_at_its_own_midnight(moment: str, day: str) -> None:
    assert iso_day(DAY_OF[LONDON](ms(moment))) == day


@pytest.mark.parametrize(("day", "hours"), [("2026-03-29", 23), ("2026-10-25", 25), ("2026-06-01", 24)])
def test_days_of_a_change_of_the_clocks_are_shorter_and_longer(day: str, hours: int) -> None:
    date = dt.date.fromisoformat(day)
    assert midnight_ms(date + dt.timedelta(days=1), LONDON) - midnight_ms(date, LONDON) == hours * HOUR_MS


@given(at_ms=MOMENTS, zone=st.sampled_from(ZONES))
def test_the_fast_day_is_the_slow_one(at_ms: int, zone: ZoneInfo) -> None:
    slow = (EPOCH + dt.timedelta(milliseconds=at_ms)).astimezone(zone).date()
    assert iso_day(DAY_OF[zone](at_ms)) == slow.isoformat()


@given(day=DAYS, zone=st.sampled_from(ZONES))
def test_a_day_begins_with_its_first_moment(day: int, zone: ZoneInfo) -> None:
    begin = midnight_ms(dt.date.fromisoformat(iso_day(day)), zone)
    if zone.key == "Pacific/Apia" and iso_day(day) == "2011-12-30":
        return  # Samoa left it out
    assert DAY_OF[zone](begin) == day
    assert DAY_OF[zone](begin - 1) < day


@given(day=DAYS)
def test_day_numbers_and_iso_dates_say_the_same(day: int) -> None:
    assert day_number(iso_day(day)) == day
    assert DAY_OF[ZoneInfo("UTC")](day * DAY_MS) == day


@given(moments=st.lists(MOMENTS))
def test_the_streams_clock_never_goes_back(moments: list[int]) -> None:
    clock, seen = StreamClock(), [0]
    for moment in moments:
        clock.advance(moment)
        seen.append(clock.now_ms())
    assert seen == sorted(seen)
    assert clock.now_ms() == max([0, *moments])


def test_the_systems_clock_is_the_machines() -> None:
    before = time.time() * 1000
    assert before - 1 <= SystemClock().now_ms() <= time.time() * 1000


def test_live_services_judge_by_the_machine_and_replays_by_the_stream() -> None:
    stream = StreamClock(42)
    assert service_clock("replay", stream).now_ms() == 42
    stream.advance(43)
    assert service_clock("replay", stream).now_ms() == 43
    assert isinstance(service_clock("live", stream), SystemClock)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("noon", "is no ISO 8601"),
        ("2026-10-01T09:00:00", "has no offset"),
        ("1969-12-31T23:59:59Z", "is before 1970"),
        ("1970-01-01T00:30:00+01:00", "is before 1970"),
        ("9999-12-31T23:30:00-01:00", "is after 9998"),
    ],
)
def test_a_moment_in_writing_says_what_is_wrong_with_it(text: str, problem: str) -> None:
    with pytest.raises(ValueError, match=f"^{problem}"):
        moment_ms(text)


def test_a_moment_in_writing_has_its_offset() -> None:
    assert moment_ms("1970-01-01T01:00:00.5+01:00") == moment_ms("1970-01-01T00:00:00.500Z") == 500
