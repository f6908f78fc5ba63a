"""Making the topic of consents again what the ledger says, whatever became of it.

The topic is read before the ledger, so nothing can stand there that the ledger does not know, unless one of them is of
another history. Each snapshot is made anew in the transaction that puts it into the outbox, while no decision can be
recorded: an older one never follows a newer one, and the service may run meanwhile.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

from sqlalchemy import Connection, Engine

from services.consent.adapters import ledger
from services.consent.adapters.kafka.consent_topic import Standing
from services.consent.domain.decisions import snapshot
from services.kernel.database import reading, unless_away
from services.kernel.events import ConsentStateChanged
from services.kernel.topics import CONSENT_STATE

_CHUNK = 250  # students whose snapshots share a transaction, in which nobody can decide
_AWAY = "The database is away or too busy. What is in the outbox stays there; run it again for the rest."


@dataclass(slots=True)
class Republished:
    """What came of it.

    Attributes:
        students: how many are in the ledger.
        missing: how many of them are not on the topic, or cannot be read there.
        behind: how many stand there at an older version.
        published: how many went into the outbox.
        altered: who stands there at the ledger's version, but permits something else; published all the same.
        ahead: who stands there at a version that the ledger has not reached; never published.
        unknown: who stands there, but not in the ledger.
        unreadable: where records stand that cannot be read, and are of nobody in the ledger.
    """

    students: int = 0
    missing: int = 0
    behind: int = 0
    published: int = 0
    altered: list[str] = field(default_factory=list)
    ahead: list[str] = field(default_factory=list)
    unknown: list[str] = field(default_factory=list)
    unreadable: list[str] = field(default_factory=list)

    @property
    def ok(self) -> bool:
        """Whether the topic held nothing that is not the ledger's."""
        return not (self.altered or self.ahead or self.unknown or self.unreadable)

    def compare(self, state: ConsentStateChanged, there: ConsentStateChanged | None) -> bool:
        """Count a student of the ledger; gives whether the topic lacks their state."""
        self.students += 1
        if there is None:
            self.missing += 1
        elif there.version < state.version:
            self.behind += 1
        elif there.version > state.version:
            self.ahead.append(state.student)
            return False
        elif there != state:
            self.altered.append(state.student)
        return there != state


def republish(
    engine: Engine,
    standing: Standing,
    *,
    everybody: bool = False,
    dry_run: bool = False,
    progress: Callable[[int, int], None] = lambda _done, _of: None,
) -> Republished:
    """Publish what a topic that stood so a moment ago lacks, or everybody's state.

    Raises:
        TransientError: the database is away.
    """
    found, states, unreadable = Republished(), dict(standing.states), dict(standing.unreadable)
    with unless_away(_AWAY):
        total = _count(engine)
        for students in _in_chunks(engine):
            lacking = []
            for state in _read(engine, students):
                unreadable.pop(state.student.encode(), None)
                lacks = found.compare(state, states.pop(state.student, None))
                if lacks or (everybody and state.student not in found.ahead):
                    lacking.append(state.student)
            if lacking and not dry_run:
                _publish(engine, lacking)
                found.published += len(lacking)
            progress(found.students, max(found.students, total))
    found.unknown, found.unreadable = sorted(states), sorted(unreadable.values())
    return found


def _publish(engine: Engine, students: Sequence[str]) -> None:
    """Put the present states of these students into the outbox, while nobody decides anything."""
    with engine.begin() as transaction:
        ledger.take_turn(transaction)
        for state in _made(transaction, students):
            ledger.outbox.add(transaction, CONSENT_STATE, state.student, state)


def _read(engine: Engine, students: Sequence[str]) -> list[ConsentStateChanged]:
    with reading(engine) as transaction:
        return _made(transaction, students)


def _made(transaction: Connection, students: Sequence[str]) -> list[ConsentStateChanged]:
    return [snapshot(history) for history in ledger.histories(transaction, students).values()]


def _in_chunks(engine: Engine) -> Iterator[list[str]]:
    """All students of the ledger, each chunk read in a transaction of its own."""
    last = ""
    while True:
        with reading(engine) as transaction:
            students = ledger.students(transaction, last, _CHUNK)
        if not students:
            return
        yield students
        last = students[-1]


def _count(engine: Engine) -> int:
    with reading(engine) as transaction:
        return ledger.count_students(transaction)
