"""The formulas: each by example at its edges, and all against a slow reference on random histories."""

from __future__ import annotations

import datetime as dt
import math
from dataclasses import fields, replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.indicators.domain.formulas import FORMULAS, counted_from, weekly_active_days
from services.indicators.domain.places import Places
from tests.support import reference
from tests.support.columns import number, places_of
from tests.support.reference import DAY, Happened, History, Mark, Piece

TODAY = dt.date(2026, 3, 18)  # a Wednesday
NOW = dt.datetime.combine(TODAY, dt.time(12), dt.UTC)
LONG_AGO = TODAY - 100 * DAY
EASTER = (TODAY - 9 * DAY, TODAY - 3 * DAY)


def ago(days: float, **changes: object) -> Happened:
    """An event so many days before today's noon."""
    return replace(Happened(NOW - dt.timedelta(days=days)), **changes)  # type: ignore[arg-type]  # changes are the test's


def active(*days_back: float, since: dt.date = LONG_AGO, **changes: object) -> History:
    """A history with an event on each of these days."""
    return History(start=LONG_AGO, since=since, happened=[ago(days) for days in days_back], **changes)  # type: ignore[arg-type]  # changes are the test's


def figure(name: str, history: History) -> float | str:
    """What a formula says of a history."""
    return told(name, places_of([history], NOW))


def told(name: str, places: Places, row: int = 0) -> float | str:
    """What a formula says of a row."""
    made = FORMULAS[name](places)
    return float(made.values[row]) if made.said[row] else made.reason(row)


def test_days_count_since_the_last_active_one() -> None:
    assert figure("days-since-last-activity", active(20, 5)) == 5
    assert figure("days-since-last-activity", active(0)) == 0


def test_who_was_never_seen_is_counted_from_when_they_could_be() -> None:
    assert figure("days-since-last-activity", active(since=TODAY - 11 * DAY)) == 11
    assert figure("days-since-last-activity", active(since=TODAY)) == 0


def test_absence_is_not_counted_through_a_leave_or_an_outage() -> None:
    """The days before `since` could not be seen, or nothing was expected on them."""
    assert figure("days-since-last-activity", active(30, since=TODAY - 4 * DAY)) == 4
    assert counted_from(places_of([active(30, since=TODAY - 4 * DAY)], NOW)).tolist() == [number(TODAY) - 4]


def test_an_event_ahead_of_the_clock_is_no_activity_yet() -> None:
    ahead = active(-1)
    assert figure("days-since-last-activity", ahead) == 0
    assert figure("active-days-7", ahead) == 0


def test_days_of_a_vacation_are_not_days_of_silence() -> None:
    assert figure("days-since-last-activity", active(12, vacations=[EASTER])) == 5


def test_absence_is_told_for_longer_than_activity_is_remembered() -> None:
    assert figure("days-since-last-activity", active(90)) == 90
    start = TODAY - 500 * DAY
    assert figure("days-since-last-activity", History(start=start, since=start)) == 500


@pytest.mark.parametrize(("name", "days"), [("active-days-7", 3), ("active-days-14", 4), ("active-days-28", 6)])
def test_windows_hold_their_first_day_and_not_the_one_before(name: str, days: int) -> None:
    assert figure(name, active(0, 0.1, 3, 6, 7, 14, 27, 28)) == days


def test_a_window_reaches_back_over_a_vacation() -> None:
    assert figure("active-days-7", active(1, 5, 11, vacations=[EASTER])) == 2


def test_volume_is_the_sum_of_weights() -> None:
    heavy = replace(active(), happened=[ago(0, weight=5), ago(6, weight=2), ago(7, weight=9)])
    assert figure("volume-7", heavy) == 7
    assert figure("volume-28", heavy) == 16


def test_the_trend_compares_a_week_with_the_three_before() -> None:
    same = active(*range(28))
    assert figure("own-trend", same) == 0
    silent = active(*range(7, 28))
    assert figure("own-trend", silent) == pytest.approx(math.log(1 / 8))
    assert figure("own-trend", active()) == 0
    assert figure("own-trend", active(0, 1, 2)) == pytest.approx(math.log(4))


def test_the_trend_says_what_it_was_made_of() -> None:
    made = FORMULAS["own-trend"](places_of([active(0, 1, 8, 9, 10, 11)], NOW))
    assert {name: float(value[0]) for name, value in made.inputs.items()} == {"last-week": 2, "weeks-before": 4 / 3}


@pytest.mark.parametrize("name", ["own-trend", "longest-gap"])
def test_what_could_not_be_seen_for_its_window_is_not_said(name: str) -> None:
    assert figure(name, active(0, since=TODAY - 26 * DAY)) == "window-not-full"
    assert isinstance(figure(name, active(0, since=TODAY - 27 * DAY)), float)


def test_a_pause_of_more_than_half_an_hour_ends_a_session() -> None:
    minutes = [0, 30, 60, 91, 200, 210]
    made = replace(active(), happened=[Happened(NOW + dt.timedelta(minutes=m)) for m in minutes])
    assert reference.figures(made, NOW + DAY)["sessions-7"] == 3
    assert reference.figures(made, NOW + DAY)["session-minutes-7"] == 10


def test_without_a_session_there_is_no_length() -> None:
    assert figure("sessions-7", active(8)) == 0
    assert figure("session-minutes-7", active(8)) == "no-sessions"
    assert figure("session-minutes-7", active(1)) == 0


def test_regularity_is_one_on_one_weekday_and_nought_on_all_alike() -> None:
    assert figure("regularity", active(*range(28))) == pytest.approx(0)
    assert figure("regularity", active(0, 7, 14, 21, 28)) == "too-few-active-days"
    assert figure("regularity", active(0, 7, 14, 21, 1)) == pytest.approx(
        1 + (0.8 * math.log(0.8) + 0.2 * math.log(0.2)) / math.log(7)
    )


def test_the_longest_gap_may_be_at_either_end_or_within() -> None:
    assert figure("longest-gap", active(27)) == 27
    assert figure("longest-gap", active(0)) == 27
    assert figure("longest-gap", active(27, 20, 10, 4)) == 9
    assert figure("longest-gap", active(*range(28))) == 0
    assert figure("longest-gap", active()) == 28


def test_breadth_counts_kinds_and_not_events() -> None:
    kinds = [ago(1, kind="page"), ago(2, kind="page"), ago(3, kind="forum"), ago(14, kind="quiz")]
    assert figure("breadth", replace(active(), happened=kinds)) == 2


def test_the_time_to_the_first_activity_is_judged_until_there_is_any() -> None:
    start = TODAY - 10 * DAY
    silent, begun = (History(start=start, since=start, happened=[ago(d) for d in days]) for days in ((), (3, 1)))
    made = FORMULAS["time-to-first-activity"](places_of([silent, begun], NOW))
    assert made.values.tolist() == [10, 7]
    assert made.judged is not None
    assert made.judged.tolist() == [True, False]


def test_a_break_before_the_first_activity_does_not_count_and_one_after_it_changes_nothing() -> None:
    since = TODAY - 4 * DAY
    assert figure("time-to-first-activity", History(start=LONG_AGO, since=since)) == 4
    assert figure("time-to-first-activity", active(2, since=since)) == 2
    assert figure("time-to-first-activity", active(90, since=since)) == 10


def test_work_is_told_of_what_fell_due() -> None:
    def due(days: float, handed_in: float | None = None) -> Piece:
        return Piece(NOW - dt.timedelta(days=days), None if handed_in is None else NOW - dt.timedelta(days=handed_in))

    work = [due(1, 2), due(2, 1.5), due(3), due(40), due(-1)]
    told_of = replace(active(), work=work)
    assert (figure("late-work", told_of), figure("missing-work", told_of)) == (1, 1)
    assert figure("missing-work", replace(active(), work=[due(40), due(-1)])) == "no-due-work"


def test_attendance_is_a_share_of_the_marks() -> None:
    marks = [Mark(TODAY, attended=True), *(Mark(TODAY - 13 * DAY, attended=False) for _ in range(3))]
    assert figure("attendance", replace(active(), marks=[*marks, Mark(TODAY - 14 * DAY, attended=True)])) == 25
    assert figure("attendance", replace(active(), marks=[Mark(TODAY - 14 * DAY, attended=True)])) == "no-marks"


def test_on_a_day_of_vacation_windows_end_before_it() -> None:
    away = [(TODAY - DAY, TODAY + DAY)]
    assert figure("active-days-7", active(0, 1, 2, 8, 9, vacations=away)) == 2
    assert figure("days-since-last-activity", active(2, vacations=away)) == 0


def test_after_a_long_vacation_a_window_holds_what_is_remembered() -> None:
    """Eight weeks are remembered; a window that reaches further back has what there is."""
    summer = [(TODAY - 60 * DAY, TODAY - 3 * DAY)]
    assert figure("active-days-28", active(0, 2, 61, vacations=summer)) == 2
    assert figure("own-trend", active(0, 2, 61, vacations=summer)) == pytest.approx(math.log(3))


def test_of_nobody_all_is_said_without_a_stumble() -> None:
    nobody = places_of([active()], NOW)
    columns = [field.name for field in fields(Places) if field.name not in ("today", "counting")]
    empty = replace(nobody, **{name: getattr(nobody, name)[:0] for name in columns})
    assert all(len(formula(empty).values) == 0 for formula in FORMULAS.values())
    assert weekly_active_days(empty).shape == (0, 8)


moments = st.builds(
    lambda back, minute: NOW - dt.timedelta(days=back, minutes=minute),
    st.integers(-1, 70) | st.integers(0, 10),
    st.integers(0, 1439),
)
happenings = st.builds(Happened, moments, st.sampled_from(["page", "forum", "quiz", "submit"]), st.integers(1, 400))
pieces = st.builds(Piece, moments, st.none() | moments)
marks = st.builds(Mark, moments.map(dt.datetime.date), st.booleans())
spans = st.tuples(st.integers(0, 80), st.integers(0, 45)).map(
    lambda span: (TODAY - sum(span) * DAY, TODAY - span[0] * DAY)
)


@st.composite
def cohorts(draw: st.DrawFn) -> list[History]:
    """Some students' histories, in terms with the same vacations."""
    vacations = draw(st.lists(spans, max_size=2))

    def history() -> History:
        since = draw(st.integers(0, 90) | st.integers(0, 450))
        return History(
            start=TODAY - (since + draw(st.integers(0, 20))) * DAY,
            since=TODAY - since * DAY,
            happened=draw(st.lists(happenings, max_size=40)),
            work=draw(st.lists(pieces, max_size=5)),
            marks=draw(st.lists(marks, max_size=12)),
            vacations=vacations,
        )

    return [history() for _ in range(draw(st.integers(1, 3)))]


@given(cohorts())
def test_every_figure_is_what_the_slow_reference_says(histories: list[History]) -> None:
    places = places_of(histories, NOW)
    for row, history in enumerate(histories):
        expected = reference.figures(history, NOW)
        assert {name: told(name, places, row) for name in FORMULAS} == {
            name: value if isinstance(value, str) else pytest.approx(value, rel=1e-9, abs=1e-9)
            for name, value in expected.items()
        }
        assert tuple(weekly_active_days(places)[row]) == reference.weekly_active_days(history, NOW)


@given(cohorts())
def test_figures_of_many_are_those_of_each_alone(histories: list[History]) -> None:
    """Bit by bit: how many are computed at once changes nothing, or a replay would differ."""
    together = places_of(histories, NOW)
    for row, history in enumerate(histories):
        alone = places_of([history], NOW)
        for formula in FORMULAS.values():
            assert formula(alone).values.tobytes() == formula(together).values[row : row + 1].tobytes()
    assert np.array_equal(together.window(28), together.window(28, 0))
