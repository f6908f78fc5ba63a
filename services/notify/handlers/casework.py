"""What a tutor does: look at their students' open cases, take one on, close it. Each look is logged (R9)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sqlalchemy import Row

from services.kernel.consents import TUTOR_NOTIFY
from services.kernel.errors import SignpostError
from services.kernel.events import ConsentStateChanged, IndicatorsComputed
from services.notify.adapters.directory import PersonRecord
from services.notify.domain import Case, Reason, need
from services.notify.handlers.gate import Gate
from services.notify.handlers.unit import Unit


class NotYours(SignpostError):  # noqa: N818 - an answer, not a fault
    """There is no such case among the tutor's own students'."""


class NoLongerAvailable(SignpostError):  # noqa: N818 - the same
    """The case was there, and may not be shown any more."""


@dataclass(frozen=True, slots=True)
class CaseView:
    """A case as its tutor may see it: reasons with today's value; `figures` is None where there are none to show."""

    case: Case
    student: PersonRecord
    reasons: list[Reason]
    figures: IndicatorsComputed | None


def open_cases(unit: Unit, gate: Gate, tutor: str) -> list[CaseView]:
    """The open cases of the tutor's own students that may be shown now: those to talk to first come first.

    Cases in which a rule still holds, before those that have recovered; cases that nobody has taken on, before those
    that are; then by need.

    Raises:
        NotNow: our view of consent may be behind.
    """
    gate.require_current(unit)
    students = unit.directory.students_of(tutor)
    views = _views(unit, gate, unit.cases.all_open(list(students)), students)
    _log(unit, gate, tutor, views, "case-list")
    return sorted(views, key=_rank)


def one_case(unit: Unit, gate: Gate, tutor: str, case_id: str) -> CaseView:
    """One case of the tutor's own students.

    Raises:
        NotYours: there is none of that id.
        NoLongerAvailable: consent does not permit it now; why is not for the tutor to know.
        NotNow: our view of consent may be behind.
    """
    gate.require_current(unit)
    case = unit.cases.get(case_id)
    students = unit.directory.students_of(tutor)
    if case is None or case.student not in students:
        raise NotYours("No case of one of your students has this address.")
    views = _views(unit, gate, [case], students)
    if not views:
        raise NoLongerAvailable("This case is no longer available.")
    _log(unit, gate, tutor, views, "case")
    return views[0]


def history(unit: Unit, case_id: str) -> tuple[list[Row[Any]], dict[str, PersonRecord]]:
    """The lines of a case's history, and the people whom they name."""
    lines = unit.cases.history(case_id)
    return lines, unit.directory.by_ids({line.who for line in lines if line.who})


def acknowledge(unit: Unit, gate: Gate, tutor: str, case_id: str) -> None:
    """Take a case on.

    Raises:
        NotPossible: somebody has already, or it is closed; and what `one_case` raises.
    """
    case = _to_change(unit, gate, tutor, case_id).acknowledge()
    unit.cases.save(case)
    unit.cases.note(case, "acknowledged", gate.clock.now_ms(), who=tutor)


def close(unit: Unit, gate: Gate, tutor: str, case_id: str, outcome: str) -> None:
    """Close a case with an outcome.

    Raises:
        NotPossible: it is closed already, or there is no such outcome; and what `one_case` raises.
    """
    case = _to_change(unit, gate, tutor, case_id).close(outcome)
    unit.cases.save(case)
    unit.cases.note(case, "closed", gate.clock.now_ms(), who=tutor, detail=outcome)
    unit.deliveries.cancel_of(case_id, gate.system.now_ms())


def _to_change(unit: Unit, gate: Gate, tutor: str, case_id: str) -> Case:
    unit.cases.get(case_id, for_change=True)  # the row is ours from here
    return one_case(unit, gate, tutor, case_id).case


def _rank(view: CaseView) -> tuple[bool, bool, int, float, int, str]:
    holding, worst = need(view.reasons)
    return not holding, view.case.state == "acknowledged", -holding, -worst, view.case.opened_ms, view.case.id


def _views(unit: Unit, gate: Gate, cases: list[Case], students: dict[str, PersonRecord]) -> list[CaseView]:
    pseudonyms = {case.student for case in cases}
    consents, computed = unit.snapshots.consents(pseudonyms), unit.snapshots.indicators(pseudonyms)
    reasons = unit.cases.reasons(case.id for case in cases)
    figures = {c.student: _figures(gate, consents, computed.get(c.student)) for c in cases}
    found = [
        CaseView(
            case,
            students[case.student],
            gate.shown(consents.get(case.student), reasons[case.id], figures[case.student]),
            figures[case.student],
        )
        for case in cases
    ]
    return [view for view in found if view.reasons]


def _figures(
    gate: Gate, consents: dict[str, ConsentStateChanged], computed: IndicatorsComputed | None
) -> IndicatorsComputed | None:
    permitted = computed is not None and gate.permits_figures(consents.get(computed.student), computed)
    return computed if permitted else None


def _log(unit: Unit, gate: Gate, reader: str, views: list[CaseView], what: str) -> None:
    shown = [(view.case.student, view.case.id) for view in views]
    unit.access.add(reader, shown, what, TUTOR_NOTIFY, gate.system.now_ms())
