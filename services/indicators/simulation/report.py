"""A simulation for a person and for a program."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict
from typing import Any

from rich.console import RenderableType
from rich.markup import escape
from rich.table import Table

from services.indicators.simulation.loads import Loads, Pair
from services.kernel.clock import iso_day

_ABREAST = 6  # tutors in one table
_SHOWN = 24  # tutors at most; a program gets all


def as_json(loads: Loads) -> dict[str, Any]:
    """What `signpost simulate --json` prints."""
    return {
        "first_week": iso_day(loads.weeks[0]) if loads.weeks else None,
        "weeks": [{"week": iso_day(week), **asdict(pair)} for week, pair in zip(loads.weeks, loads.total, strict=True)],
        "tutors": {
            tutor: [{"week": iso_day(week), **asdict(pair)} for week, pair in zip(loads.weeks, pairs, strict=True)]
            for tutor, pairs in loads.tutors.items()
        },
        "rules": {rule: asdict(pair) for rule, pair in loads.rules.items()},
        "largest_weekly_load": asdict(loads.largest),
        "students_alerted": asdict(loads.students),
        "newly_flagged": loads.newly,
        "no_longer_flagged": loads.no_longer,
    }


def as_tables(loads: Loads) -> Iterator[RenderableType]:
    """What a person reads: each cell is the present number and the proposed one."""
    yield _summary(loads)
    tutors = sorted(loads.tutors, key=lambda tutor: (-_change(loads.tutors[tutor]), tutor))
    shown = sorted(tutors[:_SHOWN])
    for start in range(0, max(len(shown), 1), _ABREAST):
        yield _weekly(loads, shown[start : start + _ABREAST])
    if len(tutors) > _SHOWN:
        yield f"\n{len(tutors) - _SHOWN} more tutors, whose loads change less, are in --json."


def _summary(loads: Loads) -> Table:
    table = Table(title="Alerts: now → proposed", title_justify="left", box=None, pad_edge=False, show_header=False)
    table.add_column()
    table.add_column(justify="right")
    for rule, pair in loads.rules.items():
        table.add_row(escape(rule), _cell(pair))
    table.add_row("[bold]All[/]", f"[bold]{_cell(_sum(loads.total))}[/]")
    table.add_row("Most of any tutor in any week", _cell(loads.largest))
    table.add_row("Students", _cell(loads.students))
    table.add_row("Students newly flagged", str(loads.newly))
    table.add_row("Students no longer flagged", str(loads.no_longer))
    return table


def _weekly(loads: Loads, tutors: Sequence[str]) -> Table:
    table = Table(title="\nBy week", title_justify="left", box=None, pad_edge=False)
    for column in ("Week of", "All", *map(escape, tutors)):
        table.add_column(column, justify="right", overflow="fold")
    for row, week in enumerate(loads.weeks):
        table.add_row(iso_day(week), _cell(loads.total[row]), *(_cell(loads.tutors[tutor][row]) for tutor in tutors))
    table.add_row("Sum", _cell(_sum(loads.total)), *(_cell(_sum(loads.tutors[tutor])) for tutor in tutors))
    return table


def _sum(pairs: Sequence[Pair]) -> Pair:
    return Pair(sum(pair.present for pair in pairs), sum(pair.proposed for pair in pairs))


def _change(pairs: Sequence[Pair]) -> int:
    return max((abs(pair.proposed - pair.present) for pair in pairs), default=0)


def _cell(pair: Pair) -> str:
    return f"{pair.present} → {pair.proposed}" if pair.present or pair.proposed else "·"
