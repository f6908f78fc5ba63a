"""Cases, their reasons and their history in the database."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from sqlalchemy import Connection, Row, delete, func, insert, select, update

from services.kernel.ids import deterministic_id
from services.notify.adapters.tables import case_history, case_reason, support_case, upsert
from services.notify.domain import JUDGED_ANEW, Case, Reason, State


class Cases:
    """The cases, within one transaction."""

    def __init__(self, tx: Connection) -> None:
        self._tx = tx

    def open_of(self, student: str) -> Case | None:
        """The student's open case; there is one at most."""
        c = support_case.c
        row = self._tx.execute(
            select(support_case).where(c.student == student, c.state != "closed").with_for_update()
        ).first()
        return _case(row) if row else None

    def get(self, case_id: str, *, for_change: bool = False) -> Case | None:
        """A case by id."""
        query = select(support_case).where(support_case.c.id == case_id)
        row = self._tx.execute(query.with_for_update() if for_change else query).first()
        return _case(row) if row else None

    def all_open(self, students: Sequence[str] | None = None) -> list[Case]:
        """The open cases, of these students where given."""
        query = select(support_case).where(support_case.c.state != "closed").order_by(support_case.c.id)
        if students is not None:
            query = query.where(support_case.c.student.in_(students))
        return [_case(row) for row in self._tx.execute(query)]

    def open(self, reason: Reason, student: str) -> Case:
        """Open a case for the reason."""
        case = Case(_case_id(reason.trigger_id), student, "opened", reason.raised_ms)
        values = {"id": case.id, "student": student, "state": case.state, "opened_ms": case.opened_ms}
        self._tx.execute(insert(support_case).values(values))
        return case

    def save(self, case: Case) -> None:
        """Keep the case's state and outcome."""
        changed = update(support_case).where(support_case.c.id == case.id)
        self._tx.execute(changed.values(state=case.state, outcome=case.outcome))

    def knows(self, trigger_id: str) -> bool:
        """Whether the episode has been counted, also where what its case spoke of is forgotten."""
        counted = self._tx.execute(select(case_reason.c.case_id).where(_is(trigger_id))).first()
        return counted is not None or self.get(_case_id(trigger_id)) is not None

    def add_reason(self, case: Case, reason: Reason) -> None:
        """Let the case speak of one more episode."""
        values = {
            "trigger_id": reason.trigger_id,
            "case_id": case.id,
            "module": reason.module,
            "rule": reason.rule,
            "value": reason.value,
            "threshold": reason.threshold,
            "episode_day": reason.episode_day,
            "day": reason.day,
            "raised_ms": reason.raised_ms,
            "recovered_day": reason.recovered_day,
            "sources": list(reason.sources),
            "inputs": reason.inputs,
            "ended_why": reason.ended_why,
        }
        upsert(self._tx, case_reason, [values])

    def take_up(self, reason: Reason) -> Case | None:
        """Let an open case speak again of a reason that was to be judged anew, and was; gives the case, if any."""
        waiting = select(support_case).join(case_reason, case_reason.c.case_id == support_case.c.id)
        waiting = waiting.where(
            _is(reason.trigger_id),
            case_reason.c.ended_why == JUDGED_ANEW,
            case_reason.c.raised_ms < reason.raised_ms,
            support_case.c.state != "closed",
        )
        row = self._tx.execute(waiting).first()
        if row is None:
            return None
        self._tx.execute(delete(case_reason).where(_is(reason.trigger_id)))
        self.add_reason(_case(row), reason)
        return _case(row)

    def judge_anew(self, reason: Reason, sources: Iterable[str], day: str) -> None:
        """Forget what a reason came with; of its sources these are left. It holds no longer, until it is told again."""
        left = {"value": 0, "inputs": {}, "sources": sorted(sources), "ended_why": reason.ended_why or JUDGED_ANEW}
        changed = update(case_reason).where(_is(reason.trigger_id))
        self._tx.execute(changed.values(recovered_day=reason.recovered_day or day, **left))

    def recover(self, trigger_id: str, day: str, why: str) -> Case | None:
        """Note that an episode has ended; gives its case, or None where it is unknown or had ended before."""
        ended = update(case_reason).where(_is(trigger_id), case_reason.c.recovered_day.is_(None))
        if not self._tx.execute(ended.values(recovered_day=day, ended_why=why)).rowcount:
            return None
        row = self._tx.execute(
            select(support_case).join(case_reason, case_reason.c.case_id == support_case.c.id).where(_is(trigger_id))
        ).one()
        return _case(row)

    def reasons(self, case_ids: Iterable[str]) -> dict[str, list[Reason]]:
        """The reasons of each case, oldest first."""
        found: dict[str, list[Reason]] = {case_id: [] for case_id in case_ids}
        query = select(case_reason).where(case_reason.c.case_id.in_(list(found)))
        for row in self._tx.execute(query.order_by(case_reason.c.raised_ms, case_reason.c.trigger_id)):
            values = row._asdict() | {"sources": tuple(row.sources)}
            found[values.pop("case_id")].append(Reason(**values))
        return found

    def forget_reasons(self, reasons: Iterable[Reason]) -> None:
        """Remove what cases spoke of."""
        ids = [reason.trigger_id for reason in reasons]
        self._tx.execute(delete(case_reason).where(case_reason.c.trigger_id.in_(ids)))

    def clear_details(self, case: Case) -> None:
        """Remove from the case's history which modules it spoke of."""
        self._tx.execute(update(case_history).where(case_history.c.case_id == case.id).values(detail=""))

    def note(self, case: Case, what: str, at_ms: int, who: str | None = None, detail: str = "") -> None:
        """Add a line to the case's history."""
        values = {"case_id": case.id, "at_ms": at_ms, "what": what, "who": who, "detail": detail}
        self._tx.execute(insert(case_history).values(values))

    def history(self, case_id: str) -> list[Row[Any]]:
        """The lines of the case's history, oldest first."""
        query = select(case_history).where(case_history.c.case_id == case_id).order_by(case_history.c.id)
        return list(self._tx.execute(query))

    def forget_closed(self, before_ms: int) -> int:
        """Remove the cases that were closed before that moment, with all that hangs on them; gives how many."""
        closed = select(case_history.c.case_id).where(
            case_history.c.what.in_(("closed", "withdrawn")), case_history.c.at_ms < before_ms
        )
        gone = delete(support_case).where(support_case.c.state == "closed", support_case.c.id.in_(closed))
        return self._tx.execute(gone).rowcount

    def count_open(self) -> int:
        """How many cases are open."""
        query = select(func.count()).select_from(support_case).where(support_case.c.state != "closed")
        return self._tx.execute(query).scalar_one()


def _case_id(trigger_id: str) -> str:
    return deterministic_id("case", trigger_id)


def _is(trigger_id: str) -> Any:
    return case_reason.c.trigger_id == trigger_id


def _case(row: Row[Any]) -> Case:
    state: State = row.state
    return Case(row.id, row.student, state, row.opened_ms, row.outcome)
