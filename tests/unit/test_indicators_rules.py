"""Rules against a slow oracle on random terms, whole or in parts, and through the form that is stored."""

from __future__ import annotations

from dataclasses import replace
from random import Random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.indicators.domain.calendar import HELD
from services.indicators.domain.rules import LEVELS, Change, Rules, Standing
from tests.support.judged import DAY_0, SOURCES, Seen, Tick, register
from tests.support.rule_oracle import Oracle, Said

REGISTER = register()
RULES = Rules(REGISTER)
NAMES = tuple(REGISTER.indicator)
RARELY = 1 / 8
VALUES = (-3.0, -1.0, 0.0, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0, 12.0, 14.0, 50.0, 60.0)
SEEDS = st.integers(0, 2**32)  # a term is drawn from one number: many short draws would cost more than what they test


def some(draw: Random, names: tuple[str, ...]) -> frozenset[str]:
    """Mostly none of the names, sometimes some."""
    return frozenset(draw.sample(names, draw.randint(1, len(names))) if draw.random() < RARELY else ())


def drawn_place(draw: Random, today: int, module: str) -> Seen:
    """A place at a tick."""
    return Seen(
        values={name: draw.choice(VALUES) for name in NAMES if draw.random() > RARELY},
        unjudged=some(draw, NAMES),
        unseen=some(draw, NAMES),
        began=today - draw.randint(1, 14),
        module=module,
        part_time=module == "A" and draw.random() < RARELY,
        held=draw.choice(HELD) if draw.random() < RARELY else "",
        exempt=some(draw, RULES.names),
        permitted=frozenset(SOURCES) - some(draw, SOURCES),
    )


def drawn_term(seed: int) -> list[Tick]:
    """Up to twenty ticks of a term for three places, some days apart or within a day."""
    draw, ticks, today = Random(seed), list[Tick](), DAY_0
    for _ in range(draw.randint(1, 20)):
        step = draw.choice([0, 1, 1, 2, 7])
        today += step
        places = [drawn_place(draw, today, module) for module in ("A", "B", "A")]
        new_day, cohort_tick = step > 0 or not ticks, draw.random() < 0.5
        ticks.append(
            Tick(today=today, seen=places, stale=some(draw, SOURCES), new_day=new_day, cohort_tick=cohort_tick)
        )
    return ticks


def fresh(places: int) -> Standing:
    return RULES.recall([None] * places)


def said(change: Change) -> tuple[int, Said]:
    return change.place, (change.rule, change.state, change.episode_day, change.why)


def opened(standing: Standing) -> list[dict[str, int]]:
    """The open episodes by place."""
    return [{r: d for r, d in zip(RULES.names, days, strict=True) if d >= 0} for days in standing.episode_day.tolist()]


@settings(max_examples=200, deadline=None)
@given(SEEDS)
def test_many_places_at_once_are_judged_as_each_by_itself(seed: int) -> None:
    oracle, standing = Oracle(REGISTER, 3), fresh(3)
    for tick in drawn_term(seed):
        judged = RULES.judge(tick.situation(REGISTER), tick.figures(REGISTER), standing)
        assert [said(change) for change in judged.changes] == oracle.judge(tick)
        standing = judged.standing
        assert opened(standing) == [place.opened for place in oracle.places]


@settings(max_examples=100, deadline=None)
@given(SEEDS)
def test_levels_of_many_figures_at_once_are_those_of_each_by_itself(seed: int) -> None:
    oracle, before = Oracle(REGISTER, 3), fresh(3).level
    for tick in drawn_term(seed):
        before, _ = RULES.levels(tick.situation(REGISTER), tick.figures(REGISTER), before)
        told = [{n: LEVELS[i] for n, i in zip(NAMES, row, strict=True) if i} for row in before.tolist()]
        assert told == oracle.levels(tick)


@settings(max_examples=30, deadline=None)
@given(SEEDS, st.randoms())
def test_it_does_not_matter_how_places_are_cut_into_parts_or_how_often_they_are_stored(seed: int, when: Random) -> None:
    whole, parts = fresh(3), [fresh(1) for _ in range(3)]
    for tick in drawn_term(seed):
        judged = RULES.judge(tick.situation(REGISTER), tick.figures(REGISTER), whole)
        whole, changes = judged.standing, []
        for row in range(3):
            alone = replace(tick, seen=[tick.seen[row]])
            part = RULES.judge(alone.situation(REGISTER), alone.figures(REGISTER), parts[row])
            changes += [replace(change, place=row) for change in part.changes]
            stored = when.random() < RARELY
            parts[row] = RULES.recall([RULES.memory(part.standing, 0)]) if stored else part.standing
        assert changes == judged.changes
    assert [RULES.memory(part, 0) for part in parts] == [RULES.memory(whole, row) for row in range(3)]


@settings(max_examples=100, deadline=None)
@given(SEEDS)
def test_starts_and_ends_of_an_episode_alternate_with_one_day_and_no_day_twice(seed: int) -> None:
    """So an episode's id, made of that day, is of its start and its end and of nothing else."""
    standing = fresh(3)
    begun: set[tuple[int, str, int]] = set()
    running: dict[tuple[int, str], int] = {}
    for tick in drawn_term(seed):
        permitted = [set(place.permitted) for place in tick.seen]
        judged = RULES.judge(tick.situation(REGISTER), tick.figures(REGISTER), standing)
        standing = judged.standing
        for change in judged.changes:
            key = change.place, change.rule
            if change.state == "opened":
                assert key not in running
                assert (*key, change.episode_day) not in begun
                running[key] = change.episode_day
                begun.add((*key, change.episode_day))
            else:
                assert running.pop(key) == change.episode_day
        for place, rule in {*running, *((place, rule) for place, rule, _ in begun)}:
            sources = REGISTER.indicator[REGISTER.rule[rule].indicator].sources
            if not permitted[place] & set(sources):  # taken back: forgotten without a word
                running.pop((place, rule), None)
                begun = {known for known in begun if known[:2] != (place, rule)}


def test_a_figure_carries_its_threshold_and_inputs_into_the_change() -> None:
    tick = Tick(
        today=DAY_0, seen=[Seen(values={"up": 9.0}, part_time=False), Seen(values={"up": 13.0}, part_time=True)]
    )
    changes = RULES.judge(tick.situation(REGISTER), tick.figures(REGISTER), fresh(2)).changes
    alerts = [change for change in changes if change.rule == "up"]
    assert [(c.value, c.threshold, c.inputs) for c in alerts] == [(9, 6, {"half": 4.5}), (13, 12, {"half": 6.5})]


def test_the_arrays_that_were_passed_in_are_left_as_they_were() -> None:
    tick = Tick(today=DAY_0, seen=[Seen(values={"up": 9.0})])
    before = fresh(1)
    kept = [getattr(before, name).copy() for name in Standing.__slots__]
    RULES.judge(tick.situation(REGISTER), tick.figures(REGISTER), before)
    assert all(np.array_equal(getattr(before, n), k) for n, k in zip(Standing.__slots__, kept, strict=True))


def test_of_no_places_nothing_is_said() -> None:
    tick = Tick(today=DAY_0, seen=[])
    situation = replace(tick.situation(REGISTER), permitted=np.zeros((0, 2), bool), exempt=np.zeros((0, 4), bool))
    situation = replace(situation, module=np.zeros(0, int), held=np.zeros(0, int))
    assert RULES.judge(situation, {}, fresh(0)).changes == []


@pytest.mark.requirement("R6")
def test_an_end_that_is_not_the_figures_needs_no_figure() -> None:
    tick = Tick(today=DAY_0, seen=[Seen(values={"up": 9.0})])
    standing = RULES.judge(tick.situation(REGISTER), tick.figures(REGISTER), fresh(1)).standing
    over = Tick(today=DAY_0 + 1, seen=[Seen(held="module-over")])
    for change in RULES.judge(over.situation(REGISTER), over.figures(REGISTER), standing).changes:
        assert (change.state, change.why, change.value, change.inputs) == ("recovered", "module-over", 0, {})


def test_a_figure_that_is_not_given_changes_nothing_and_has_no_level() -> None:
    tick = Tick(today=DAY_0, seen=[Seen(values={"up": 9.0})])
    standing = RULES.judge(tick.situation(REGISTER), tick.figures(REGISTER), fresh(1)).standing
    assert RULES.judge(tick.situation(REGISTER), {}, standing).changes == []
    level, limit = RULES.levels(tick.situation(REGISTER), {}, standing.level)
    assert not level.any()
    assert np.isnan(limit).all()
