"""What the templates are given: rows, figures and lines, already in words."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

from services.kernel.events import ModuleIndicators
from services.kernel.register import Register
from services.kernel.web.i18n.figures import Explained, FigureWords, held
from services.notify.domain import Reason
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
        "why": said.why(view),
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
        "others": [said.reason(reason, view.figures) for reason in _not_among_the_figures(register, view)],
        "state": state,
        "kind": kind,
        "outcome": wording.outcome(view.case.outcome),
        "modules": _modules(register, said, view),
        "rules": [
            _rule(FigureWords(register, "tutor"), register, reason.rule, reason.threshold)
            for reason in pressing(view.reasons)[:1]
        ],
        "lines": [(line.at_ms, said.history(line.what, _name(people, line.who), line.detail)) for line in lines],
    }


def _name(people: dict[str, Any], person_id: str | None) -> str:
    return people[person_id].name if person_id in people else "Somebody who has left"


def _modules(register: Register, said: Words, view: CaseView) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    for code in dict.fromkeys(reason.module for reason in pressing(view.reasons)):
        figures = of_module(view.figures, code)
        if figures is not None:
            found.append(_module(FigureWords(register, "tutor"), said.titles[code], figures, len(found)))
    return found


def _module(told: FigureWords, title: str, figures: ModuleIndicators, number: int) -> dict[str, Any]:
    weeks, all_told = figures.weekly_active_days, told.all(figures)
    return {
        "title": title,
        "since_day": figures.since_day,
        "held": held(figures.held) if figures.held else None,
        "chart": charts.weekly(weeks, f"weeks-{number}") if weeks else None,
        "weeks": [(charts.week_name(len(weeks) - n), days) for n, days in enumerate(weeks)],
        "reached": sorted((f for f in all_told if f.level != "none"), key=lambda f: f.level != "alert"),
        "others": [figure for figure in all_told if figure.level == "none"],
        "explained": all_told,
        "coverage": _coverage(all_told),
    }


def _not_among_the_figures(register: Register, view: CaseView) -> list[Reason]:
    """Reasons after the first that the figures further down do not tell as reached: such as those that have ended."""
    told = {
        (m.module, i.name)
        for m in (view.figures.modules if view.figures else ())
        for i in m.indicators
        if i.level != "none"
    }
    return [
        reason
        for reason in pressing(view.reasons)[1:]
        if reason.recovered_day is not None or (reason.module, register.rule[reason.rule].indicator) not in told
    ]


def _coverage(figures: Sequence[Explained]) -> str:
    """Which systems most of the figures were seen from."""
    said = Counter(figure.coverage for figure in figures if figure.coverage)
    return said.most_common(1)[0][0] if said else ""


def _rule(told: FigureWords, register: Register, rule: str, threshold: float) -> str:
    entry = register.indicator[register.rule[rule].indicator]
    bound = told.bound(entry.name, threshold)
    return f"A case opens when “{entry.title}” comes to {bound}. It means: {entry.formula}."
