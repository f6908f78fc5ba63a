"""An evaluation for a person and for a program: tables, and JSON."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict
from typing import Any

from rich.console import RenderableType
from rich.markup import escape
from rich.table import Table

from services.indicators.evaluation.days import DayScores, Scores
from services.indicators.evaluation.fairness import SMALLEST_GROUP, Gap

_DIGITS = 4
_DEFINITIONS = (
    "A student counts on a day who had registered by then, had not left, and whose module was not over. Not passing is"
    " a final result of Fail or Withdrawn. All presentations are taken together; the index compares a student with the"
    " same presentation only. AUC: how often one who did not pass had a lower index than one who did; a tie counts"
    " half. Precision of the index: of those with the lowest, as many as the rule flags; who are level at the cut share"
    f" what is left. A gap is the largest less the smallest figure of groups of {SMALLEST_GROUP} students or more."
)


def as_json(days: Sequence[DayScores], rule: str) -> list[dict[str, Any]]:
    """What `signpost evaluate oulad --json` prints: an object for each day. What cannot be said is null."""
    return [_rounded(_day(day, rule)) for day in days]


def as_tables(days: Sequence[DayScores], rule: str, notes: Sequence[str]) -> Iterator[RenderableType]:
    """What a person reads."""
    yield _by_day(days, rule)
    yield _by_rule(days)
    yield _by_group(days)
    yield _by_presentation(days)
    yield _DEFINITIONS
    yield from map(escape, notes)


def _day(day: DayScores, rule: str) -> dict[str, Any]:
    whole = asdict(day.scores)
    return {
        "day": day.day,
        "students": whole["students"],
        "base": whole["base"],
        "rule": {"name": rule, **whole["rule"]},
        "index": whole["index"],
        "gaps": {
            name: {**asdict(of_rule), "index": asdict(of_index)} for name, (of_rule, of_index) in day.gaps.items()
        },
        "rules": {
            name: {**asdict(scores.flagging), "lead": {**asdict(scores.lead), "leaving": asdict(scores.leaving)}}
            for name, scores in day.rules.items()
        },
        "presentations": {name: asdict(scores) for name, scores in day.presentations.items()},
    }


def _rounded(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _rounded(inner) for name, inner in value.items()}
    return round(value, _DIGITS) if isinstance(value, float) else value


def _by_day(days: Sequence[DayScores], rule: str) -> Table:
    table = _table(f"The index, and the rule {rule}, against not passing")
    for column in (
        "Day",
        "Students",
        "Not passing",
        "Rule flags",
        "precision",
        "recall",
        "Index AUC",
        "precision at that rate",
    ):
        table.add_column(column, justify="right")
    for day in days:
        of = day.scores
        figures = (of.base, of.rule.flagged, of.rule.precision, of.rule.recall)
        index = (_number(of.index.auc), _percent(of.index.precision_at_rule_rate))
        table.add_row(str(day.day), f"{of.students:,}", *map(_percent, figures), *index)
    return table


def _by_rule(days: Sequence[DayScores]) -> Table:
    last = days[-1]
    table = _table(f"Each rule, in percent: flags / precision / recall; and of those who have left by day {last.day}")
    table.add_column("Rule", no_wrap=True)
    for day in days:
        table.add_column(f"Day {day.day}", justify="right")
    for column in ("told before", "2 weeks before", "median days before"):
        table.add_column(column, justify="right", max_width=12)
    for name, scores in last.rules.items():
        flags = [day.rules[name].flagging for day in days]
        cells = [" / ".join(_percent(x, "") for x in (f.flagged, f.precision, f.recall)) for f in flags]
        leaving = scores.leaving
        median = "–" if leaving.days is None else f"{leaving.days:.0f}"
        table.add_row(name, *cells, _percent(leaving.reached), _percent(leaving.early), median)
    return table


def _by_group(days: Sequence[DayScores]) -> Table:
    table = _table("Gaps between groups, in percentage points: flag rate / precision, of the rule and of the index")
    table.add_column("By")
    for day in days:
        table.add_column(f"Day {day.day}: rule", justify="right")
        table.add_column("index", justify="right")
    for name in days[-1].gaps:
        table.add_row(name, *(_gap(gap) for day in days for gap in day.gaps[name]))
    return table


def _by_presentation(days: Sequence[DayScores]) -> Table:
    table = _table("Each presentation: not passing % / rule flags % / AUC of the index")
    table.add_column("Presentation")
    for day in days:
        table.add_column(f"Day {day.day}", justify="right")
    for name in days[-1].presentations:
        table.add_row(escape(name), *(_presentation(day.presentations[name]) for day in days))
    return table


def _presentation(scores: Scores) -> str:
    return f"{_percent(scores.base, '')} / {_percent(scores.rule.flagged, '')} / {_number(scores.index.auc)}"


def _gap(gap: Gap) -> str:
    return f"{_percent(gap.flag_rate, '')} / {_percent(gap.precision, '')}"


def _table(title: str) -> Table:
    return Table(title=f"\n{title}", title_justify="left", box=None, pad_edge=False, header_style="bold")


def _percent(value: float | None, sign: str = " %") -> str:
    return "–" if value is None else f"{100 * value:.0f}{sign}"


def _number(value: float | None) -> str:
    return "–" if value is None else f"{value:.3f}"
