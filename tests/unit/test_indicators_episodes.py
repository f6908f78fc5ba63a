"""What begins an episode, what ends it and why, and what holds it back: by example."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from msgspec import structs

from services.indicators.domain.places import Figure
from services.indicators.domain.rules import LEVELS, Change, Memory, Rules, Situation, episode_id
from services.kernel.clock import day_number
from services.kernel.ids import deterministic_id
from services.kernel.register import Register
from tests.support.judged import DAY_0, LATER, SOURCES, Seen, Tick, places, register

REGISTER = register()
CHANGED = day_number(LATER.isoformat())


class Term:
    """One place through a term, a tick after the other."""

    def __init__(self, rules: Register = REGISTER, today: int = DAY_0 - 1) -> None:
        self.register, self.rules, self.today = rules, Rules(rules), today
        self.standing = self.rules.recall([None])
        self.held: dict[str, int] = {}

    def day(self, seen: Seen, days: int = 1, **tick: object) -> list[str]:
        """Judge so many days later; gives what changed: "+rule" for a start, "-rule: why" for an end."""
        return [_told(change) for change in self.changes(seen, days, **tick)]

    def changes(self, seen: Seen, days: int = 1, **tick: object) -> list[Change]:
        """The same as the changes themselves."""
        self.today += days
        now = replace(Tick(today=self.today, seen=[seen]), **tick)  # type: ignore[arg-type]  # the tick is the test's
        judged = self.rules.judge(now.situation(self.register), now.figures(self.register), self.standing)
        self.standing, self.held = judged.standing, dict(judged.held)
        return judged.changes

    def level(self, seen: Seen, days: int = 1, **tick: object) -> tuple[str, float]:
        """The level of "up" so many days later, and the threshold that it compares with."""
        self.today += days
        now = replace(Tick(today=self.today, seen=[seen]), **tick)  # type: ignore[arg-type]  # the tick is the test's
        situation, figures = now.situation(self.register), now.figures(self.register)
        level, limit = self.rules.levels(situation, figures, self.standing.level)
        self.standing = replace(self.standing, level=level)
        return LEVELS[int(level[0, 0])], float(limit[0, 0])


def _told(change: Change) -> str:
    return f"+{change.rule}" if change.state == "opened" else f"-{change.rule}: {change.why}"


def up(value: float, **changes: object) -> Seen:
    """A place of whose figure "up" this is the value: watch from 3, alert from 6, over at 1."""
    return replace(Seen(values={"up": value}), **changes)  # type: ignore[arg-type]  # the changes are the test's


def down(value: float, **changes: object) -> Seen:
    """A place of whose figure "down" this is the value: alert from -1 down, two weeks running."""
    return replace(Seen(values={"down": value}), **changes)  # type: ignore[arg-type]  # the changes are the test's


def alerted() -> Term:
    """A place with an open episode of the rules "up" and "early"."""
    term = Term()
    assert term.day(up(6)) == ["+up", "+early"]
    return term


def test_a_rule_begins_at_its_threshold_once_and_ends_only_at_the_recovery() -> None:
    """Between the two it neither ends nor begins anew, however the value swings."""
    term = Term()
    assert term.day(up(5.9)) == ["+early"]
    assert term.day(up(6)) == ["+up"]
    for value in (9, 5, 2, 6, 1.1):
        assert term.day(up(value)) == []
    assert term.day(up(1)) == ["-up: back-to-usual", "-early: back-to-usual"]


def test_after_an_end_no_new_episode_begins_for_the_cool_down() -> None:
    term = alerted()
    assert term.day(up(0)) == ["-up: back-to-usual", "-early: back-to-usual"]
    assert term.day(up(7), days=2) == []
    assert term.day(up(7)) == ["+early"]
    assert term.day(up(7), days=3) == []
    assert term.day(up(7)) == ["+up"]


def test_a_part_time_students_thresholds_and_recovery_are_farther_away() -> None:
    term = Term()
    assert term.day(up(11, part_time=True)) == ["+early"]
    [begun] = term.changes(up(12, part_time=True))
    assert (begun.rule, begun.threshold) == ("up", 12)
    assert term.day(up(2.1, part_time=True)) == []
    assert term.day(up(2, part_time=True)) == ["-up: back-to-usual", "-early: back-to-usual"]


def test_what_is_not_for_part_time_students_is_no_rule_for_them() -> None:
    term = Term()
    low = Seen(values={"share": 10.0}, part_time=True)
    assert term.day(low, days=2) == []
    assert term.held == {"exempt": 1}
    assert term.day(replace(low, part_time=False)) == ["+share"]
    assert term.day(low) == ["-share: exempt"]


def test_another_threshold_takes_effect_at_the_first_tick_of_its_day_for_its_modules() -> None:
    """On module B there is no watch from that day on, and the alert begins earlier."""
    term, other = Term(today=CHANGED - 3), Term(today=CHANGED - 3)
    assert term.day(up(4, module="B")) == ["+early"]
    assert term.day(up(4, module="B")) == []
    assert term.day(up(4, module="B")) == ["+up", "-early: rule-gone"]
    assert other.day(up(4), days=2) == ["+early"]
    assert other.day(up(4)) == []


def test_the_same_days_are_judged_alike_whenever_they_are_replayed() -> None:
    days = [up(value, module="B") for value in (0, 4, 5, 4, 0, 4, 4, 4, 4, 0)]
    first, again = Term(today=CHANGED - 4), Term(today=CHANGED - 4)
    told = [first.changes(day) for day in days]
    assert [again.changes(day) for day in days] == told
    assert any(told)


def test_a_level_must_hold_at_as_many_weekly_ticks_in_a_row_as_the_rule_says() -> None:
    term = Term()
    assert term.day(down(-2), cohort_tick=True) == []
    assert term.day(down(-2), days=6) == []
    assert term.day(down(-2), cohort_tick=True) == ["+down"]
    assert term.day(down(-0.5), days=3) == ["-down: back-to-usual"]


@pytest.mark.parametrize("broken", [down(0), Seen(), down(-2, exempt=frozenset({"down"})), down(-2, held="leave")])
def test_a_week_that_does_not_count_towards_it_begins_the_row_anew(broken: Seen) -> None:
    term = Term()
    for week in (down(-2), broken, down(-2)):
        assert term.day(week, days=7, cohort_tick=True) == []
    assert term.day(down(-2), days=7, cohort_tick=True) == ["+down"]


def test_weeks_of_a_vacation_or_an_outage_neither_count_nor_break_the_row() -> None:
    term = Term()
    assert term.day(down(-2), cohort_tick=True) == []
    assert term.day(down(-2, held="vacation"), days=7, cohort_tick=True) == []
    assert term.day(down(-2), days=7, cohort_tick=True, stale=frozenset({"vle"})) == []
    assert term.day(down(-2), days=7, cohort_tick=True) == ["+down"]


@pytest.mark.parametrize("why", ["leave", "left", "module-over"])
def test_whoever_is_away_has_no_open_episode(why: str) -> None:
    term = alerted()
    assert term.day(up(9, held=why)) == [f"-up: {why}", f"-early: {why}"]
    assert term.day(up(9, held=why), days=30) == []


def test_an_exemption_ends_the_rule_that_it_is_from_and_no_other() -> None:
    term = alerted()
    exempt = up(9, exempt=frozenset({"up"}))
    assert term.day(exempt) == ["-up: exempt"]
    assert term.day(exempt, days=30) == []
    assert term.held == {"exempt": 1}


def test_a_vacation_holds_a_start_and_ends_nothing() -> None:
    term = alerted()
    assert term.day(up(9, held="vacation")) == []
    assert term.day(up(0, held="vacation")) == ["-up: back-to-usual", "-early: back-to-usual"]
    assert term.day(up(9, held="vacation"), days=10) == []
    assert term.held == {"vacation": 2}
    assert term.day(up(9)) == ["+up", "+early"]


def test_before_the_start_nothing_begins() -> None:
    assert Term().day(up(9, held="before-start")) == []


def test_a_stale_feed_holds_the_rules_that_read_it_of_those_who_permit_it() -> None:
    seen = replace(up(9), values={"up": 9.0, "share": 10.0})
    term = Term()
    assert term.day(seen, stale=frozenset({"vle"})) == ["+share"]
    assert term.held == {"feed-stale": 2}
    assert term.day(seen) == ["+up", "+early"]
    without = replace(seen, permitted=frozenset({"attendance"}))
    assert Term().day(without, stale=frozenset({"vle"})) == ["+up", "+early", "+share"]


def test_an_open_episode_may_end_while_the_feed_is_stale() -> None:
    assert alerted().day(up(0), stale=frozenset({"vle"})) == ["-up: back-to-usual", "-early: back-to-usual"]


@pytest.mark.requirement("R1")
def test_what_no_permitted_source_may_tell_is_forgotten_without_a_word() -> None:
    """Whoever showed it lets go of it by the consent itself; a new grant starts from nothing."""
    term = alerted()
    assert term.day(up(9, permitted=frozenset())) == []
    assert term.rules.memory(term.standing, 0) == Memory()
    assert term.day(up(9)) == ["+up", "+early"]


def test_a_figure_that_cannot_be_said_or_seen_whole_neither_begins_nor_ends_anything() -> None:
    for unclear in (Seen(), up(0, unseen=frozenset({"up"}))):
        assert alerted().day(unclear) == []
    assert Term().day(up(9, unseen=frozenset({"up"}))) == []


def test_a_figure_that_is_judged_no_longer_ends_what_it_began() -> None:
    """As the time to the first activity, once there is any."""
    assert alerted().day(up(9, unjudged=frozenset({"up"}))) == ["-up: back-to-usual", "-early: back-to-usual"]
    assert Term().day(up(9, unjudged=frozenset({"up"}))) == []


def test_other_ticks_than_the_days_first_end_episodes_and_begin_none() -> None:
    assert Term().day(up(9), new_day=False) == []
    assert alerted().day(up(0), days=0, new_day=False) == ["-up: back-to-usual", "-early: back-to-usual"]


def test_an_episode_counts_from_the_day_that_its_figure_does_and_never_from_before_the_last_ones_end() -> None:
    term = Term()
    [begun, _] = term.changes(up(9, began=DAY_0 - 9))
    assert begun.episode_day == DAY_0 - 9
    [ended, _] = term.changes(up(9, began=DAY_0 - 9, held="leave"))
    assert ended.episode_day == DAY_0 - 9
    [anew, _] = term.changes(up(9, began=DAY_0 - 9), days=7)
    assert anew.episode_day == DAY_0 + 1
    ids = [episode_id("s", "m", "up", change.episode_day) for change in (begun, ended, anew)]
    assert ids[0] == ids[1] != ids[2]
    assert ids[0] == deterministic_id("s", "m", "up", DAY_0 - 9)


def test_a_level_rises_at_its_thresholds_and_falls_at_the_recovery() -> None:
    term = Term()
    told = [term.level(up(value))[0] for value in (2, 3, 5, 6, 4, 1.5, 1, 2, 3)]
    assert told == ["none", "watch", "watch", "alert", "alert", "alert", "none", "none", "watch"]


def test_a_level_is_told_with_the_threshold_that_it_compares_with() -> None:
    assert Term().level(up(2)) == ("none", 3)
    assert Term().level(up(7)) == ("alert", 6)
    assert Term().level(up(7, part_time=True)) == ("watch", 6)
    assert Term(today=CHANGED - 1).level(up(5, module="B")) == ("alert", 4)


def test_while_something_is_held_a_level_may_fall_but_not_rise() -> None:
    held = {"held": "vacation"}
    term = Term()
    assert term.level(up(9, **held))[0] == "none"
    assert term.level(up(4))[0] == "watch"
    assert term.level(up(9, **held))[0] == "watch"
    assert term.level(up(9), stale=frozenset({"vle"}))[0] == "watch"
    assert term.level(up(0, **held))[0] == "none"


def test_a_figure_without_thresholds_has_no_level_and_no_threshold() -> None:
    bare = register(indicators=tuple(structs.replace(i, watch=None, alert=None, recovery=None) for i in
                                     REGISTER.indicators), rules=(), thresholds=())  # fmt: skip
    told = Term(bare).level(up(9))
    assert told[0] == "none"
    assert np.isnan(told[1])


def test_a_windowed_rule_waits_until_its_whole_window_could_be_seen() -> None:
    fortnight = tuple(structs.replace(i, window_days=14) for i in REGISTER.indicators)
    rules = Rules(register(indicators=fortnight))
    figures = {"up": Figure(np.array([9.0]), np.array([True]))}
    for since, begins in ((DAY_0 - 12, False), (DAY_0 - 13, True)):
        situation = Situation(
            places=places(DAY_0, [False], since_day=since),
            modules=["A"],
            module=np.array([0]),
            held=np.array([0]),
            permitted=np.ones((1, len(SOURCES)), bool),
            stale=np.zeros(len(SOURCES), bool),
            exempt=np.zeros((1, len(rules.names)), bool),
        )
        assert bool(rules.judge(situation, figures, rules.recall([None])).changes) is begins


def test_what_is_stored_outlives_a_change_of_the_register() -> None:
    """By names: a rule that is new starts from nothing, and one that is gone tells its end."""
    term = alerted()
    memory = term.rules.memory(term.standing, 0)
    turned = Rules(register(rules=(*REGISTER.rules[::-1][:2], REGISTER.rules[0])))
    standing = turned.recall([memory])
    begun = dict(zip(turned.names, standing.episode_day[0].tolist(), strict=True))
    assert begun == {"share": -1, "down": -1, "up": DAY_0}
    [gone] = turned.gone([None, memory])
    assert (gone.place, gone.rule, gone.episode_day) == (1, "early", DAY_0)
    assert (gone.state, gone.why) == ("recovered", "rule-gone")
    assert turned.memory(standing, 0).rules == {"up": memory.rules["up"]}


def test_a_level_of_an_indicator_that_is_gone_is_forgotten() -> None:
    assert Rules(REGISTER).recall([Memory(levels={"gone": 2, "up": 1})]).level.tolist() == [[1, 0, 0]]
