"""What is said of one day: the scores of rules and index over everybody who was present, and by presentation."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from services.indicators.domain.places import Bools, Floats, Ints
from services.indicators.evaluation.fairness import Gap, Labels, gap
from services.indicators.evaluation.leads import Lead, lead
from services.indicators.evaluation.scores import Flagging, auc, flagging, lowest, share


@dataclass(frozen=True, slots=True, kw_only=True)
class Day:
    """n places as they stood at the end of a day, and what became of them.

    Attributes:
        day: counted from the presentation's start.
        present: [n]; who is scored.
        begun: [n]; who has been present on any day so far.
        index: [n]; NaN where it cannot be said.
        holding: by rule, [n]; whether it holds.
        first_day: by rule, [n]; on which it first held, as an offset too; NEVER where it did not so far.
        end_day: [n]; of leaving, or the module's last.
        left: [n]; whether it is of leaving.
        outcome: [n].
        groups: by attribute, [n].
        presentation: [n]; the number of each place's in `presentations`.
    """

    day: int
    present: Bools
    begun: Bools
    index: Floats
    holding: Mapping[str, Bools]
    first_day: Mapping[str, Ints]
    end_day: Ints
    left: Bools
    outcome: Bools
    groups: Mapping[str, Labels]
    presentation: Ints
    presentations: Sequence[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class IndexScore:
    """How the index ordered the students, and whom it would flag where it flags as many as the rule.

    Attributes:
        auc: the probability that a student with the outcome has a lower index than one without.
        precision_at_rule_rate, recall_at_rule_rate: of the lowest, as many as the rule flags of the same students.
        said: share of the students for whom there is an index; only these are ordered.
    """

    auc: float | None
    precision_at_rule_rate: float | None
    recall_at_rule_rate: float | None
    said: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Scores:
    """The scores of one group of students on one day; `base` is the share with the outcome."""

    students: int
    base: float | None
    rule: Flagging
    index: IndexScore


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleScores:
    """How one rule's flags met the outcome, and how early it had spoken until then.

    Attributes:
        lead: of all with the outcome, before they left or the module ended.
        leaving: of those of them who left, before they did.
    """

    flagging: Flagging
    lead: Lead
    leaving: Lead


@dataclass(frozen=True, slots=True, kw_only=True)
class DayScores:
    """All that is said of a day.

    Attributes:
        scores: of everybody together.
        rules: by name.
        gaps: by attribute, of the rule's flags, then of the index's at the rule's rate.
        presentations: by name, the scores of each.
    """

    day: int
    scores: Scores
    rules: Mapping[str, RuleScores]
    gaps: Mapping[str, tuple[Gap, Gap]]
    presentations: Mapping[str, Scores]


def score(day: Day, rule: str) -> DayScores:
    """Score a day; `rule` is the one that the index is compared with."""
    present = day.present
    outcome, index, flags = day.outcome[present], day.index[present], day.holding[rule][present]
    by_index = _lowest(index, flags)
    on = day.presentation[present]
    return DayScores(
        day=day.day,
        scores=_scores(outcome, index, flags),
        rules={name: _rule(day, name) for name in day.holding},
        gaps={
            name: (gap(labels[present], flags, outcome), gap(labels[present], by_index, outcome))
            for name, labels in day.groups.items()
        },
        presentations={
            name: _scores(outcome[on == number], index[on == number], flags[on == number])
            for number, name in enumerate(day.presentations)
        },
    )


def _rule(day: Day, rule: str) -> RuleScores:
    with_it = day.outcome & day.begun
    leads = [lead(day.first_day[rule][those], day.end_day[those]) for those in (with_it, with_it & day.left)]
    return RuleScores(
        flagging=flagging(day.holding[rule][day.present], day.outcome[day.present]), lead=leads[0], leaving=leads[1]
    )


def _scores(outcome: Bools, index: Floats, flags: Bools) -> Scores:
    said = ~np.isnan(index)
    of_index = flagging(_lowest(index, flags), outcome)
    return Scores(
        students=len(outcome),
        base=share(int(outcome.sum()), len(outcome)),
        rule=flagging(flags, outcome),
        index=IndexScore(
            auc=auc(index[said], outcome[said]),
            precision_at_rule_rate=of_index.precision,
            recall_at_rule_rate=of_index.recall,
            said=share(int(said.sum()), len(said)),
        ),
    )


def _lowest(index: Floats, flags: Bools) -> Floats:
    """[n]; flags of the lowest of those with an index, as many as `flags` has of them."""
    said = ~np.isnan(index)
    lowest_: Floats = np.zeros(len(index))
    lowest_[said] = lowest(index[said], int(flags[said].sum()))
    return lowest_
