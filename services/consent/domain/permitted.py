"""Was something permitted at a moment in the past, and by which event?

Two times matter: the moment of the *use*, and up to when what was *recorded* is looked at. With both the same, the
answer is what the gates said then. With a later one it is what is known since: a yes from registration that was
imported a week late, say.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass

from services.consent.domain.decisions import Cell, ConsentEvent, Standing, ruling, snapshot, standing
from services.kernel.consents import permitting
from services.kernel.events import Grant


@dataclass(frozen=True, slots=True)
class Question:
    """Whether a student permitted a cell.

    Attributes:
        at_ms: the moment of the use, of something that happened at that moment.
        known_ms: only what was recorded by then counts.
    """

    cell: Cell
    at_ms: int
    known_ms: int


@dataclass(frozen=True, slots=True)
class Answer:
    """The answer to a question.

    Attributes:
        why: in a sentence.
        stands: how the cell stood, in a word.
        event: by which it stood so; None where there is none.
        grant: what permitted it, and from when: a renewed grant goes on from its beginning.
    """

    permitted: bool
    why: str
    stands: Standing
    event: ConsentEvent | None
    grant: Grant | None


def permitted(history: Sequence[ConsentEvent], question: Question) -> Answer:
    """Answer from a student's history, oldest first."""
    at_ms, (purpose, source) = question.at_ms, question.cell
    known = [event for event in history if event.recorded_ms <= question.known_ms and event.made_ms <= at_ms]
    grant = permitting(snapshot(known), purpose, source, at_ms=at_ms, now_ms=at_ms) if known else None
    # Where a grant permits, it is by the yes that gave it, whatever was noted about it since.
    event = ruling(event for event in known if grant is None or event.decision.state == "given").get(question.cell)
    stands = standing(event, at_ms)
    return Answer(grant is not None, _why(event, stands, grant), stands, event, grant)


def _why(event: ConsentEvent | None, stands: Standing, grant: Grant | None) -> str:
    if event is None:
        return "Nothing was recorded about it by then: the student had not decided."
    since = moment(event.decision.from_ms)
    if grant is not None:
        return f"The student had said yes, which held from {moment(grant.from_ms)} until {moment(grant.until_ms)}."
    until_ms = event.decision.until_ms
    return {
        "unknown": "",
        "requested": f"The student was asked at {since} and had not answered.",
        "given": f"The student had said yes, but only from {since} on.",
        "refused": f"The student said no at {since}.",
        "withdrawn": f"The student took the yes back at {since}.",
        "expired": f"The yes had ended at {moment(event.decision.from_ms if until_ms is None else until_ms)}.",
        "invalidated": f"The notice changed at {since}, and the student had not decided again.",
    }[stands]


def moment(at_ms: int) -> str:
    """ISO 8601, UTC, in milliseconds where there are some."""
    at = dt.datetime(1970, 1, 1, tzinfo=dt.UTC) + dt.timedelta(milliseconds=at_ms)
    spec = "milliseconds" if at_ms % 1000 else "seconds"
    return at.isoformat(timespec=spec).replace("+00:00", "Z")
