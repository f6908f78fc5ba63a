"""The formulas and rules, against an independent slow reference and at their edges."""

from __future__ import annotations

import datetime as dt
from collections import defaultdict

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.indicators.domain.engagement import (
    FORMULAS,
    Activity,
    activity,
    weekly_active_days,
)
from services.indicators.domain.formulas import check_declared
from services.indicators.domain.one_by_one import Situation, judge, level, threshold
from services.indicators.domain.window import (
    HISTORY_DAYS,
    ModuleWindows,
    SourceWindow,
    StudentState,
    count,
    decode_state,
    drop_source,
    encode_state,
)
from services.kernel.clock import DAY_MS, day_number, iso_day
from services.kernel.errors import ConfigurationError, InvalidMessage
from services.kernel.events import Enrolment
from services.kernel.register import Register, load_register
from tests.support.students import MODULE, START_DAY, START_MS, student_of
from tests.support.students import activity as event

REGISTER = load_register()
START = day_number(START_DAY)
STUDENT = student_of("s1")

histories = st.lists(st.tuples(st.integers(0, 80), st.integers(1, 50)), max_size=60)


def counted(history: list[tuple[int, int]], first_open_day: int = 0) -> StudentState:
    """The state after events on the given days (from the start on) with the given weights, in the order of days."""
    state = StudentState()
    for serial, (day, weight) in enumerate(sorted(history)):
        made = event(STUDENT, START_MS + day * DAY_MS, serial, weight=weight)
        assert count(state, made, START + day, first_open_day) == "counted"
    return state


def slow_reference(history: list[tuple[int, int]], today: int) -> dict[str, float]:
    """The register's words, done with dates and without windows."""
    now = dt.date.fromisoformat(START_DAY) + dt.timedelta(days=today)
    by_date: dict[dt.date, int] = defaultdict(int)
    for day, weight in history:
        by_date[dt.date.fromisoformat(START_DAY) + dt.timedelta(days=day)] += weight
    last = max(by_date, default=dt.date.fromisoformat(START_DAY))
    figures: dict[str, float] = {"days-since-last-activity": max(0, (now - last).days)}
    for window in (7, 14, 28):
        dates = [d for d in by_date if now - dt.timedelta(days=window) < d <= now]
        figures[f"active-days-{window}"] = len(dates)
        figures[f"volume-{window}"] = sum(by_date[d] for d in dates)
    del figures["volume-14"]
    return figures


@given(histories, st.integers(0, 100))
def test_figures_equal_the_slow_reference(history: list[tuple[int, int]], today: int) -> None:
    """Every figure that looks back over at most the kept history is what the register's words say."""
    what = activity(counted(history).modules.get(MODULE), {"vle"}, START)
    computed = {name: formula(what, START + today) for name, formula in FORMULAS.items()}
    assert computed == slow_reference(history, today)


@given(histories)
def test_state_survives_its_encoding(history: list[tuple[int, int]]) -> None:
    """What a shard writes is what the next one reads, byte for byte."""
    encoded = encode_state(counted(history))
    assert encode_state(decode_state(encoded)) == encoded


@given(histories, st.randoms())
def test_order_within_open_days_does_not_matter(history: list[tuple[int, int]], random: object) -> None:
    """Events of open days may come in any order."""
    events = [event(STUDENT, START_MS + d * DAY_MS, n, weight=w) for n, (d, w) in enumerate(history)]
    in_order, shuffled = StudentState(), StudentState()
    for made in events:
        count(in_order, made, made.occurred_ms // DAY_MS, 0)
    random.shuffle(events)  # type: ignore[attr-defined]  # hypothesis gives a random.Random
    for made in events:
        count(shuffled, made, made.occurred_ms // DAY_MS, 0)
    for today in (START, START + 40, START + 90):
        ours, theirs = (activity(s.modules.get(MODULE), {"vle"}, START) for s in (in_order, shuffled))
        assert [f(ours, today) for f in FORMULAS.values()] == [f(theirs, today) for f in FORMULAS.values()]


def test_same_event_counts_once() -> None:
    """An event that comes again on an open day changes nothing."""
    state, made = StudentState(), event(STUDENT, START_MS)
    assert count(state, made, START, START) == "counted"
    before = encode_state(state)
    assert count(state, made, START, START) == "duplicate"
    assert encode_state(state) == before


def test_ids_of_closed_days_are_forgotten() -> None:
    """Memory stays flat: ids are kept for the open days only."""
    state = counted([(day, 1) for day in range(10)])
    count(state, event(STUDENT, START_MS + 10 * DAY_MS), START + 10, START + 8)
    assert sorted(set(state.seen.values())) == [START + 8, START + 9, START + 10]


def test_old_days_are_forgotten() -> None:
    """A module keeps at most the history that anything looks back over."""
    state = counted([(day, 1) for day in range(200)])
    assert len(state.modules[MODULE].sources["vle"].days) <= HISTORY_DAYS + 1


def test_unqualifying_event_is_remembered_but_not_counted() -> None:
    """A login alone is no activity."""
    state, login = StudentState(), event(STUDENT, START_MS, qualifying=False, activity="login")
    assert count(state, login, START, 0) == "not-qualifying"
    assert not state.modules
    assert count(state, login, START, 0) == "duplicate"


def test_id_that_is_not_hexadecimal_is_invalid() -> None:
    """A broken id is a poison message, not a crash."""
    with pytest.raises(InvalidMessage, match="hexadecimal"):
        count(StudentState(), event(STUDENT, START_MS, id="z" * 32), START, 0)


def test_sources_are_counted_together_and_dropped_apart() -> None:
    """Withdrawing one source removes its part and nothing else."""
    windows = ModuleWindows({"vle": SourceWindow(5, {4: 1, 5: 2}), "library": SourceWindow(7, {5: 3, 7: 1})})
    state = StudentState(granted={"vle": 0, "library": 0}, modules={MODULE: windows})
    both = activity(windows, {"vle", "library"}, 0)
    assert (both.last_day, both.days) == (7, {4: 1, 5: 5, 7: 1})
    drop_source(state, "library")
    assert activity(windows, {"vle", "library"}, 0) == Activity(0, 5, {4: 1, 5: 2})
    assert state.granted == {"vle": 0}


def test_weeks_end_today() -> None:
    """Eight windows of seven days, oldest first; what is older or ahead is left out."""
    what = Activity(0, 100, dict.fromkeys([100, 94, 93, 45, 44, 101], 1))
    assert weekly_active_days(what, 100) == (1, 0, 0, 0, 0, 0, 1, 2)


def situation(days_silent: int, *, part_time: bool = False) -> Situation:
    """A student on a module with so many days since the start and no activity."""
    enrolment = Enrolment(module=MODULE, start_day=START_DAY, end_day="2026-06-01", part_time=part_time)
    return Situation(STUDENT, enrolment, Activity(START, None, {}), START + days_silent)


def test_fourteen_days_open_one_episode_and_activity_ends_it() -> None:
    """The alert comes on the day it is due, once, and its end carries the same id."""
    windows = ModuleWindows()
    assert judge(REGISTER, situation(13), windows) == []
    (opened,) = judge(REGISTER, situation(14), windows)
    assert (opened.state, opened.value, opened.threshold) == ("opened", 14, 14)
    assert judge(REGISTER, situation(15), windows) == []
    active = Situation(STUDENT, situation(16).enrolment, Activity(START, START + 16, {START + 16: 1}), START + 16)
    (recovered,) = judge(REGISTER, active, windows)
    assert (recovered.state, recovered.episode) == ("recovered", opened.episode)
    assert windows.episodes == {}


def test_next_episode_has_another_id() -> None:
    """An episode's id names the day that it counts from."""
    (first,) = judge(REGISTER, situation(14), ModuleWindows())
    later = Situation(STUDENT, situation(0).enrolment, Activity(START, START + 2, {START + 2: 1}), START + 16)
    (second,) = judge(REGISTER, later, ModuleWindows())
    assert first.episode.id != second.episode.id
    assert iso_day(second.episode.episode_day) == iso_day(START + 2)


@pytest.mark.parametrize(
    ("value", "part_time", "expected"),
    [(6, False, ("none", 7)), (7, False, ("watch", 7)), (14, False, ("alert", 14)), (14, True, ("none", 21)),
     (21, True, ("watch", 21)), (42, True, ("alert", 42))],
)  # fmt: skip
def test_levels_and_the_part_time_factor(value: float, part_time: bool, expected: tuple[str, float]) -> None:  # noqa: FBT001 - a table's column
    """Watch from 7 days on, alert from 14; three times that for part-time students."""
    entry = REGISTER.indicator["days-since-last-activity"]
    assert level(entry, value, part_time=part_time) == expected


def test_context_indicator_has_no_level() -> None:
    """An indicator without thresholds never alerts."""
    entry = REGISTER.indicator["volume-7"]
    assert level(entry, 0, part_time=False) == ("none", None)
    assert threshold(entry, "alert", part_time=True) is None


@pytest.mark.requirement("R8")
def test_undeclared_formula_stops_the_start() -> None:
    """The register and the formulas must name the same indicators."""
    missing = Register(
        **{name: getattr(REGISTER, name) for name in Register.__struct_fields__ if name != "indicators"},
        indicators=REGISTER.indicators[1:],
    )
    with pytest.raises(ConfigurationError, match="undeclared: days-since-last-activity"):
        check_declared(missing)
