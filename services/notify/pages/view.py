"""What the templates are given: rows, figures and lines, already in words."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from services.kernel.events import Indicator, ModuleIndicators
from services.kernel.register import IndicatorEntry, Register
from services.notify.handlers import casework
from services.notify.handlers.casework import CaseView
from services.notify.handlers.unit import Unit
from services.notify.pages import charts, wording
from services.notify.pages.wording import Words, of_module, pressing


def words(unit: Unit, register: Register, views: Sequence[CaseView]) -> Words:
    """The words for some cases."""
    return Words(register, unit.directory.module_titles({r.module for v in views for r in v.reasons}))


def row(said: Words, view: CaseView) -> dict[str, Any]:
    """A case in the list."""
    first = pressing(view.reasons)[0]
    figures = of_module(view.figures, first.module)
    weeks = figures.weekly_active_days if figures else ()
    state, kind = wording.state(view.case)
    return {
        "id": view.case.id,
        "name": view.student.name,
        "why": said.reasons(view),
        "spark": charts.spark(weeks, f"spark-{view.case.id}") if weeks else None,
        "weeks": weeks,
        "state": state,
        "kind": kind,
        "opened_ms": view.case.opened_ms,
    }


def page(unit: Unit, register: Register, view: CaseView) -> dict[str, Any]:
    """A case's page."""
    said = words(unit, register, [view])
    lines, people = casework.history(unit, view.case.id)
    state, kind = wording.state(view.case)
    return {
        "view": view,
        "headline": said.headline(view),
        "others": said.reasons(view)[1:],
        "state": state,
        "kind": kind,
        "outcome": wording.outcome(view.case.outcome),
        "modules": _modules(register, said, view),
        "sources": [register.source[s].title for s in view.figures.sources] if view.figures else [],
        "rules": [_rule(register, reason.rule, reason.threshold) for reason in pressing(view.reasons)[:1]],
        "lines": [(line.at_ms, said.history(line.what, _name(people, line.who), line.detail)) for line in lines],
    }


def _name(people: dict[str, Any], person_id: str | None) -> str:
    return people[person_id].name if person_id in people else "Somebody who has left"


def _modules(register: Register, said: Words, view: CaseView) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    for code in dict.fromkeys(reason.module for reason in pressing(view.reasons)):
        figures = of_module(view.figures, code)
        if figures is not None:
            found.append(_module(register, said.titles[code], figures, len(found)))
    return found


def _module(register: Register, title: str, figures: ModuleIndicators, number: int) -> dict[str, Any]:
    weeks = figures.weekly_active_days
    return {
        "title": title,
        "since_day": figures.since_day,
        "chart": charts.weekly(weeks, f"weeks-{number}") if weeks else None,
        "weeks": [(charts.week_name(len(weeks) - n), days) for n, days in enumerate(weeks)],
        # What an older register declared and this one does not is shown no more.
        "indicators": [_figure(register, i) for i in figures.indicators if i.name in register.indicator],
    }


def _figure(register: Register, indicator: Indicator) -> tuple[str, str, str]:
    """Name, value, and the figure that its rule compares with."""
    entry = register.indicator[indicator.name]
    return entry.title, wording.amount(indicator.value, entry.unit), _threshold(entry, indicator)


def _threshold(entry: IndicatorEntry, indicator: Indicator) -> str:
    if indicator.threshold is None:
        return "no threshold"
    reached = {"none": "", "watch": ": reached, to watch only", "alert": ": reached"}[indicator.level]
    return wording.amount(indicator.threshold, entry.unit) + reached


def _rule(register: Register, rule: str, threshold: float) -> str:
    entry = register.indicator[register.rule[rule].indicator]
    limit = wording.amount(threshold, entry.unit)
    return f"A case opens when “{entry.title}” comes to {limit}. It means: {entry.formula}."
