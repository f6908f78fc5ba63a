"""Whether the ledger is still what was recorded: every row is looked at, in memory that does not grow with it.

Two walks over all events. In the ledger's order: the sequence has no gap, the ledger digests follow from each other,
and what was anchored stands where it stood. Then each student's events in their order: every digest follows from the
event's own fields and the digest before it. A fault is reported where it shows, and the walk goes on behind it.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Literal

from services.consent.domain.chain import GENESIS, Sealed, Tail, digest, ledger_digest
from services.consent.domain.decisions import ConsentEvent

Fault = Literal["missing", "changed", "misplaced", "replaced", "not-anchored", "not-signed"]
UNANCHORED_MS = 3_600_000  # the service signs an anchor every minute; after an hour something is wrong


@dataclass(frozen=True, slots=True)
class Anchor:
    """What the ledger digest was at a place, signed.

    Attributes:
        kept: it was kept outside the database.
    """

    sequence: int
    ledger_digest: str
    at_ms: int
    kept: bool = False


@dataclass(frozen=True, slots=True)
class Finding:
    """Something that is not as it was recorded.

    Attributes:
        sequence: of the event where it shows.
        problem: what is wrong, in a sentence.
        mend: what to do.
    """

    fault: Fault
    sequence: int
    problem: str
    mend: str


@dataclass(frozen=True, slots=True)
class Result:
    """What a check of the whole ledger found.

    Attributes:
        events, anchors: how many were looked at; `anchors` counts those whose signature is right.
        faults: how many findings there are; the first of them are listed.
        anchored_ms: when the last anchor that fits was signed; None where there is none.
    """

    at_ms: int
    events: int
    anchors: int
    anchored_ms: int | None
    faults: int = 0
    findings: tuple[Finding, ...] = ()

    @property
    def ok(self) -> bool:
        """Whether everything is as it was recorded."""
        return not self.faults


_RESTORE = "Stop writing, keep a copy of the database as it is, and compare it with a backup from before."
_MEND: dict[Fault, str] = {
    "missing": f"Somebody deleted what stood there. {_RESTORE}",
    "changed": f"Compare the event with the student's receipt, which holds it as it was recorded. {_RESTORE}",
    "misplaced": f"Events were put in, moved or renumbered. {_RESTORE}",
    "replaced": f"The ledger was written anew at or before this place: trust nothing up to it. {_RESTORE}",
    "not-anchored": "See whether the consent service runs and what its log says: it signs an anchor within a minute.",
    "not-signed": "If the key was replaced, put the old public key back into the key file; if not, somebody who has "
    f"no key wrote this anchor. {_RESTORE}",
}


def finding(fault: Fault, sequence: int, problem: str) -> Finding:
    """A finding with what to do about it."""
    return Finding(fault, sequence, problem, _MEND[fault])


def in_sequence(ledger: Iterable[Sealed], anchors: Iterable[Anchor], now_ms: int) -> Iterator[Finding]:
    """What is wrong in the ledger's order; both come by growing sequence."""
    tail, anchored = Tail(), _Anchored(anchors)
    waiting: ConsentEvent | None = None  # the first that no anchor covers
    for sealed in ledger:
        event = sealed.event
        if event.sequence <= tail.sequence:
            yield finding("misplaced", event.sequence, f"{_named(event)} stands where no event can.")
        elif event.sequence != tail.sequence + 1:
            yield finding("missing", event.sequence, f"{_events(tail.sequence + 1, event.sequence - 1)} not there.")
        elif sealed.ledger_digest != ledger_digest(tail.ledger_digest, event.digest):
            yield finding("changed", event.sequence, f"{_named(event)} does not follow from the one before it.")
        tail = Tail(event.sequence, sealed.ledger_digest)
        yield from anchored.judge(tail)
        waiting = None if anchored.last == event.sequence else waiting or event
    yield from anchored.beyond(tail)
    if waiting and waiting.recorded_ms <= now_ms - UNANCHORED_MS:
        problem = f"{_events(waiting.sequence, tail.sequence)} covered by no anchor, after more than an hour."
        yield finding("not-anchored", waiting.sequence, problem)


def by_student(ledger: Iterable[Sealed]) -> Iterator[Finding]:
    """What is wrong within each student's events; they come student by student, in order of version and position."""
    before: ConsentEvent | None = None
    for event in (sealed.event for sealed in ledger):
        if before is None or before.student != event.student:
            before = None
        if not _follows(event, before):
            yield finding("misplaced", event.sequence, f"{_named(event)} does not come next in its student's history.")
        elif event.digest != digest(event, before.digest if before else GENESIS):
            yield finding("changed", event.sequence, f"{_named(event)} is not what was sealed when it was recorded.")
        before = event


class _Anchored:
    """Compares the ledger with its anchors, one after the other."""

    def __init__(self, anchors: Iterable[Anchor]) -> None:
        self._rest = iter(anchors)
        self._next = next(self._rest, None)
        self.last = 0  # the sequence of the last anchor that fits

    def judge(self, tail: Tail) -> Iterator[Finding]:
        """The anchors up to here."""
        while self._next and self._next.sequence <= tail.sequence:
            anchor, self._next = self._next, next(self._rest, None)
            if anchor.sequence < tail.sequence:
                yield finding("missing", anchor.sequence, f"Event {anchor.sequence}, {_anchor(anchor)}, is not there.")
            elif anchor.ledger_digest == tail.ledger_digest:
                self.last = anchor.sequence
            else:
                problem = f"The ledger up to event {anchor.sequence} is not the one {_anchor(anchor)}."
                yield finding("replaced", anchor.sequence, problem)

    def beyond(self, tail: Tail) -> Iterator[Finding]:
        """The anchors of what is not there any more; the last of them says enough."""
        if self._next is None:
            return
        last = self._next
        for last in self._rest:  # noqa: B007 - the last one is wanted
            pass
        problem = f"{_events(tail.sequence + 1, last.sequence)} not there: event {last.sequence} was {_anchor(last)}."
        yield finding("missing", last.sequence, problem)


def _follows(event: ConsentEvent, before: ConsentEvent | None) -> bool:
    place = (event.version, event.position)
    if before is None:
        return place == (1, 0)
    later = event.sequence > before.sequence
    return later and place in {(before.version, before.position + 1), (before.version + 1, 0)}


def _named(event: ConsentEvent) -> str:
    return f"Event {event.sequence} (version {event.version} of its student)"


def _events(first: int, last: int) -> str:
    return f"Event {first} is" if first == last else f"Events {first} to {last} are"


def _anchor(anchor: Anchor) -> str:
    at = dt.datetime.fromtimestamp(anchor.at_ms // 1000, dt.UTC).isoformat().replace("+00:00", "Z")
    return f"that was anchored at {at}" + (" by an anchor kept elsewhere" if anchor.kept else "")
