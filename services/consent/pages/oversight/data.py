"""The officer's figures as JSON values, for programs: the same as on the pages, and as little about anybody."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from msgspec import structs

from services.consent.adapters.places import StoredCoverage
from services.consent.handlers.oversight import Report
from services.consent.pages.oversight.verdict import Verdict


def report(known: Report, verdict: Verdict) -> dict[str, Any]:
    """What holds, and each part of it; `holds` null: it is not known."""
    due = known.requests.next
    return {
        "at_ms": known.at_ms,
        "holds": verdict.holds,
        "answer": verdict.sentence,
        "parts": {name: asdict(part) for name, part in verdict.parts.items()},
        "ledger": {
            "checking": known.ledger.checking,
            "share": round(known.ledger.share, 2),
            "last": None if known.ledger.last is None else asdict(known.ledger.last),
        },
        "withdrawals": asdict(known.withdrawals),
        "renewal": asdict(known.renewal),
        "requests": {
            "open": known.requests.by_kind,
            "overdue": known.requests.overdue,
            "clock_stopped": known.requests.resting,
            "due_first": due and {"kind": due.kind, "task": due.deadline.task, "day": due.deadline.day.isoformat()},
        },
        "notices": [
            {
                "version": notice.version,
                "language": notice.language,
                "in_force_from": notice.in_force_from.isoformat(),
                "material": notice.material,
            }
            for notice in known.notices
        ],
    }


def coverage(newest: StoredCoverage | None) -> dict[str, Any]:
    """The table; a hidden group has no figures, and says so by `students` null."""
    if newest is None:
        return {"day": None, "made_ms": None, "groups": []}
    groups = [
        {
            "module": row.module,
            "start_day": row.start_day,
            "mode": row.mode,
            "students": row.students,
            "shares": {purpose: structs.asdict(share) for purpose, share in row.shares.items()},
        }
        for row in newest.table.rows
    ]
    return {"day": newest.day, "made_ms": newest.computed_ms, "groups": groups}
