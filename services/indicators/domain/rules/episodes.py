"""One rule at one tick: where an episode begins, where one ends and why, and where one is held back."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Literal

import numpy as np

from services.indicators.domain.calendar import (
    BEFORE_START,
    EXEMPT,
    FEED_STALE,
    HELD,
    LEAVE,
    LEFT,
    MODULE_OVER,
    VACATION,
)
from services.indicators.domain.places import NEVER, Bools, Figure, Floats, Ints
from services.indicators.domain.rules.standing import FRESH
from services.indicators.domain.rules.thresholds import ALERT, RECOVERY, WATCH, holds, recovered
from services.kernel.register import IndicatorEntry, Rule

BACK_TO_USUAL, RULE_GONE = "back-to-usual", "rule-gone"
_ENDS = {LEFT: HELD[LEFT], MODULE_OVER: HELD[MODULE_OVER], LEAVE: HELD[LEAVE]}
_REASONS = (*_ENDS.values(), EXEMPT, RULE_GONE, BACK_TO_USUAL)  # the first that is so is said


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """An episode that began or ended at a place, with the figure that says so.

    Attributes:
        place: the row.
        value: 0 where an episode ends for another reason than its figure, and that cannot be said now.
        threshold: of the rule's level; 0 where there is none any more.
        why: of an end, as of `SupportTriggered`.
        inputs: of the figure.
    """

    place: int
    rule: str
    state: Literal["opened", "recovered"]
    value: float
    threshold: float
    episode_day: int
    why: str = BACK_TO_USUAL
    inputs: dict[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """What one rule has to be judged by, for n places.

    Attributes:
        figure: of the rule's indicator.
        limits: [n, 3]; as of `Thresholds.table`, part-time factor applied.
        visible: [n]; whether all that the figure looks back over could be seen.
        readable: [n]; whether any source that the indicator reads is permitted.
        held: [n]; as of `Spans.held`.
        exempt, stale: [n]; whether the rule does not apply here, or a feed that it rests on is silent.
        today: the local day.
        new_day, cohort_tick: as of `Situation`.
    """

    rule: Rule
    entry: IndicatorEntry
    figure: Figure
    limits: Floats
    visible: Bools
    readable: Bools
    held: Ints
    exempt: Bools
    stale: Bools
    today: int
    new_day: bool
    cohort_tick: bool

    @property
    def limit(self) -> Floats:
        """[n]; the threshold of the rule's level; NaN where there is none."""
        return self.limits[:, ALERT if self.rule.level == "alert" else WATCH]

    @property
    def known(self) -> Bools:
        """[n]; whether the figure tells anything."""
        return self.figure.said & self.visible & self.readable

    @property
    def judged(self) -> Bools:
        """[n]; whether the figure has levels at all."""
        return np.ones(len(self.held), np.bool_) if self.figure.judged is None else self.figure.judged

    @property
    def reached(self) -> Bools:
        """[n]; whether the level is reached now, hysteresis aside."""
        return self.known & self.judged & holds(self.entry, self.figure.values, self.limit)

    @property
    def back(self) -> Bools:
        """[n]; whether an open episode is over by its figure."""
        recovery = self.limits[:, RECOVERY]
        there = np.where(
            np.isnan(recovery),
            ~holds(self.entry, self.figure.values, self.limit),
            recovered(self.entry, self.figure.values, recovery),
        )
        return self.known & (there | ~self.judged)

    @property
    def may_begin(self) -> bool:
        """Whether an episode may begin at this tick at all."""
        return self.new_day and (self.rule.in_a_row == 1 or self.cohort_tick)


@dataclass(frozen=True, slots=True)
class Outcome:
    """One rule's columns after a tick, [n] each, what changed, and how many starts were held back, by why."""

    episode_day: Ints
    ended_day: Ints
    in_a_row: Ints
    changes: list[Change]
    held: Counter[str]


def judge(it: Judged, episode_day: Ints, ended_day: Ints, in_a_row: Ints) -> Outcome:
    """Judge one rule; what no permitted source may say anything of is forgotten, without a word."""
    episode_day, ended_day, in_a_row = (
        np.where(it.readable, column, fresh)
        for column, fresh in zip((episode_day, ended_day, in_a_row), FRESH, strict=True)
    )
    is_open = episode_day != NEVER
    reason = _reason_to_end(it)
    ends = is_open & (reason < len(_REASONS))
    rows = _in_a_row(it, in_a_row)
    due = _due(it, rows, ended_day) & ~is_open
    waits = (it.held > 0) | it.exempt | it.stale
    begins = due & ~waits
    first = np.maximum(it.today if it.figure.began is None else it.figure.began, ended_day)
    changes = [*_ended(it, ends, reason, episode_day), *_begun(it, begins, first)]
    return Outcome(
        np.where(ends, NEVER, np.where(begins, first, episode_day)),
        np.where(ends, it.today, ended_day),
        rows,
        changes,
        Counter(_holding(it, np.flatnonzero(due & waits))),
    )


def _reason_to_end(it: Judged) -> Ints:
    """[n]; why an open episode ends as an index of `_REASONS`, their number where it does not."""
    reasons = [*(it.held == code for code in _ENDS), it.exempt, np.isnan(it.limit), it.back]
    return np.select(reasons, range(len(_REASONS)), default=len(_REASONS))


def _in_a_row(it: Judged, before: Ints) -> Ints:
    """[n]; for how many weekly ticks the level has held; weeks in which nothing is concluded do not count."""
    if it.rule.in_a_row == 1 or not it.cohort_tick:
        return before
    lasting = it.reached & ~it.exempt & ~np.isin(it.held, (*_ENDS, BEFORE_START))
    counted = np.where(lasting, np.minimum(before + 1, it.rule.in_a_row), 0)
    return np.where((it.held == VACATION) | it.stale, before, counted)


def _due(it: Judged, rows: Ints, ended_day: Ints) -> Bools:
    """[n]; whether an episode would begin, were it not held."""
    if not it.may_begin:
        return np.zeros(len(rows), np.bool_)
    lasting = rows >= it.rule.in_a_row if it.rule.in_a_row > 1 else it.reached
    cooled: Bools = (ended_day == NEVER) | (it.today >= ended_day + it.rule.cool_down_days)
    return lasting & it.reached & cooled


def _holding(it: Judged, rows: Ints) -> list[str]:
    """Why no episode may begin at each of these places."""
    return [HELD[it.held[row]] or (EXEMPT if it.exempt[row] else FEED_STALE) for row in rows.tolist()]


def _ended(it: Judged, ends: Bools, reason: Ints, episode_day: Ints) -> Iterator[Change]:
    for row in np.flatnonzero(ends):
        yield _change(it, row, "recovered", int(episode_day[row]), _REASONS[reason[row]])


def _begun(it: Judged, begins: Bools, first: Ints) -> Iterator[Change]:
    for row in np.flatnonzero(begins):
        yield _change(it, row, "opened", int(first[row]))


def _change(
    it: Judged, row: np.intp, state: Literal["opened", "recovered"], day: int, why: str = BACK_TO_USUAL
) -> Change:
    said = bool(it.figure.said[row])
    return Change(
        place=int(row),
        rule=it.rule.name,
        state=state,
        value=float(it.figure.values[row]) if said else 0.0,
        threshold=0.0 if np.isnan(it.limit[row]) else float(it.limit[row]),
        episode_day=day,
        why=why,
        inputs=_inputs(it.figure, row) if said else {},
    )


def _inputs(figure: Figure, row: np.intp) -> dict[str, float]:
    found = {name: float(values[row]) for name, values in figure.inputs.items()}
    return {name: value for name, value in found.items() if not np.isnan(value)}
