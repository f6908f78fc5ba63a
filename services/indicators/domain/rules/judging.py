"""All rules and levels of the register at one tick.

They change at ticks only, so that they depend on the log and on nothing else; between ticks, a figure is published with
the level that it has after the level of the last tick.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from services.indicators.domain.places import NEVER, Bools, Figure, Floats, Ints, Places
from services.indicators.domain.rules.episodes import RULE_GONE, Change, Judged, judge
from services.indicators.domain.rules.standing import FRESH, Memory, Standing
from services.indicators.domain.rules.thresholds import ALERT, LEVELS, WATCH, Thresholds, levels
from services.kernel.register import IndicatorEntry, Register


@dataclass(frozen=True, slots=True, kw_only=True)
class Situation:
    """What is judged at a tick.

    Attributes:
        places: n of them: for rules with what the tutor may know of, for levels with all that is permitted.
        modules: names; `module` [n] says which of them each place is on.
        held: [n]; as of `Spans.held`.
        permitted: [n, s]; the sources, in the register's order, whose activity is in `places`.
        stale: [s]; the sources that are silent, as of `Feeds.stale`.
        exempt: [n, r]; rules that by an exemption do not apply to the student here.
        new_day: whether this is the first tick of its local day; episodes begin at no other.
        cohort_tick: whether the cohort's figures are of this very tick; rules that want a level several weeks in a
            row count and begin at no other.
    """

    places: Places
    modules: Sequence[str]
    module: Ints
    held: Ints
    permitted: Bools
    stale: Bools
    exempt: Bools
    new_day: bool = True
    cohort_tick: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Judgement:
    """What came of a tick: the new standing, what changed by place, and how many starts were held back, by why."""

    standing: Standing
    changes: list[Change]
    held: Counter[str]


class Rules:
    """The rules and levels of one register.

    Attributes:
        names, indicators, sources: in the order of the columns.
    """

    def __init__(self, register: Register) -> None:
        self.names = tuple(register.rule)
        self.indicators = tuple(register.indicator)
        self.sources = tuple(register.source)
        self._register = register
        self._thresholds = Thresholds(register)
        self._table: tuple[tuple[int, tuple[str, ...]], Floats] | None = None  # the last that was asked for
        self._column = {name: column for column, name in enumerate(self.indicators)}
        reads = [[source in entry.sources for entry in register.indicators] for source in self.sources]
        self._reads = np.array(reads, np.float32)  # [s, i]; of floats, whose products are quick
        self._full_time_only = np.array([not rule.part_time for rule in register.rules], np.bool_)
        self._factors = np.array([entry.part_time_factor for entry in register.indicators])

    def reading(self, sources: Collection[str]) -> list[int]:
        """The columns of the rules whose indicator reads any of the sources."""
        register = self._register
        return [
            column
            for column, rule in enumerate(register.rules)
            if set(sources) & set(register.indicator[rule.indicator].sources)
        ]

    def exempt(self, situation: Situation) -> Bools:
        """[n, r]; rules that do not apply: by an exemption, or to part-time students."""
        exempt: Bools = situation.exempt | (situation.places.part_time[:, None] & self._full_time_only)
        return exempt

    def limits(self, situation: Situation) -> Floats:
        """[n, i, 3]; watch, alert and recovery of each place's indicators today, part-time factor applied."""
        own = self._limits_of(situation)
        return np.stack([own(column) for column in range(len(self.indicators))], axis=1)

    def levels(self, situation: Situation, figures: Mapping[str, Figure], before: Ints) -> tuple[Ints, Floats]:
        """[n, i] each; the levels of figures after `before`, and the thresholds that they compare with, NaN for none.

        Where a place or a feed is held a level may fall, but not rise. It is "none" where the figure cannot be said, or
        some of what it looks back over could not be seen.
        """
        limits_of, (readable, stale) = self._limits_of(situation), self._by_indicator(situation)
        after, compared = np.zeros_like(before), np.full(before.shape, np.nan)
        for column, entry in enumerate(self._register.indicators):
            if (figure := figures.get(entry.name)) is None:
                continue
            own, was = limits_of(column), before[:, column]
            level = levels(entry, figure.values, own, was)
            level = np.where((situation.held > 0) | stale[:, column], np.minimum(level, was), level)
            applies = figure.said & readable[:, column] & _visible(entry, figure, situation.places)
            level = np.where(applies if figure.judged is None else applies & figure.judged, level, 0)
            weakest = np.where(np.isnan(own[:, WATCH]), own[:, ALERT], own[:, WATCH])
            after[:, column] = level
            compared[:, column] = np.where(level == LEVELS.index("alert"), own[:, ALERT], weakest)
        return after, compared

    def judge(self, situation: Situation, figures: Mapping[str, Figure], standing: Standing) -> Judgement:
        """Judge every rule; the standing's levels stay as they are. A figure that is not given changes nothing."""
        limits_of, (readable, stale) = self._limits_of(situation), self._by_indicator(situation)
        exempt = self.exempt(situation)
        days, ended, rows = standing.episode_day.copy(), standing.ended_day.copy(), standing.in_a_row.copy()
        changes: list[Change] = []
        held: Counter[str] = Counter()
        for column, rule in enumerate(self._register.rules):
            entry, of = self._register.indicator[rule.indicator], self._column[rule.indicator]
            figure = figures.get(rule.indicator) or _unsaid(len(situation.held))
            it = Judged(
                rule=rule,
                entry=entry,
                figure=figure,
                limits=limits_of(of),
                visible=_visible(entry, figure, situation.places),
                readable=readable[:, of],
                held=situation.held,
                exempt=exempt[:, column],
                stale=stale[:, of],
                today=situation.places.today,
                new_day=situation.new_day,
                cohort_tick=situation.cohort_tick,
            )
            came = judge(it, days[:, column], ended[:, column], rows[:, column])
            days[:, column], ended[:, column], rows[:, column] = came.episode_day, came.ended_day, came.in_a_row
            changes += came.changes
            held += came.held
        after = Standing(episode_day=days, ended_day=ended, in_a_row=rows, level=standing.level)
        return Judgement(standing=after, changes=sorted(changes, key=lambda change: change.place), held=held)

    def recall(self, memories: Sequence[Memory | None]) -> Standing:
        """The standing of places with these memories; what the register no longer has is left out: see `gone`."""
        n, rules = len(memories), {name: column for column, name in enumerate(self.names)}
        kept = np.tile(np.array(FRESH, np.int64), (n, len(rules), 1))
        level = np.zeros((n, len(self.indicators)), np.int64)
        for place, memory in enumerate(memories):
            if memory is None:
                continue
            for rule, values in memory.rules.items():
                if (column := rules.get(rule)) is not None:
                    kept[place, column] = values
            for name, value in memory.levels.items():
                if (column := self._column.get(name)) is not None:
                    level[place, column] = value
        days, ended, rows = np.moveaxis(kept, 2, 0)
        return Standing(episode_day=days, ended_day=ended, in_a_row=rows, level=level)

    def memory(self, standing: Standing, place: int) -> Memory:
        """What is to be kept of a place."""
        columns = (standing.episode_day, standing.ended_day, standing.in_a_row)
        of_rules = zip(self.names, *(column[place].tolist() for column in columns), strict=True)
        of_levels = zip(self.indicators, standing.level[place].tolist(), strict=True)
        return Memory(
            {rule: kept for rule, *values in of_rules if (kept := (values[0], values[1], values[2])) != FRESH},
            {name: level for name, level in of_levels if level},
        )

    def gone(self, memories: Sequence[Memory | None]) -> list[Change]:
        """The ends of episodes whose rules the register no longer has."""
        return [
            Change(place=place, rule=rule, state="recovered", value=0, threshold=0, episode_day=day, why=RULE_GONE)
            for place, memory in enumerate(memories)
            for rule, (day, _, _) in (memory.rules if memory else {}).items()
            if rule not in self._register.rule and day != NEVER
        ]

    def _limits_of(self, situation: Situation) -> Callable[[int], Floats]:
        """Gives [n, 3] for an indicator's column: most have no thresholds, and are not asked for."""
        key = situation.places.today, tuple(situation.modules)
        if self._table is None or self._table[0] != key:
            self._table = key, self._thresholds.table(situation.modules, situation.places.today)
        table, part_time = self._table[1], situation.places.part_time

        def of(column: int) -> Floats:
            own: Floats = table[situation.module, column]
            factor = self._factors[column]
            return own if factor == 1 else own * np.where(part_time, factor, 1)[:, None]

        return of

    def _by_indicator(self, situation: Situation) -> tuple[Bools, Bools]:
        """[n, i] each; whether any permitted source is read, and whether one of those is stale."""
        readable = situation.permitted.astype(np.float32) @ self._reads > 0
        return readable, (situation.permitted & situation.stale).astype(np.float32) @ self._reads > 0


def _visible(entry: IndicatorEntry, figure: Figure, places: Places) -> Bools:
    if figure.seen is not None:
        return figure.seen
    return places.seen(entry.window_days or 0)


def _unsaid(n: int) -> Figure:
    return Figure(np.zeros(n), np.zeros(n, np.bool_))
