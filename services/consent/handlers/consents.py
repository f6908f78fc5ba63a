"""The use cases: record decisions, and say how things stand. Each is one transaction, retried when two collide."""

from __future__ import annotations

import random
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import chain, islice
from typing import TypeVar

from sqlalchemy import Connection, Engine
from sqlalchemy.exc import IntegrityError

from services.consent.adapters import ledger, propagation
from services.consent.domain import decisions as domain
from services.consent.domain.decisions import PORTAL, Cell, ConsentEvent, Decision, Outcome, Terms, Via
from services.consent.domain.special import require_explicit
from services.kernel.clock import Clock
from services.kernel.database import AWAY, BUSY, reading, unless_away
from services.kernel.errors import TransientError
from services.kernel.metrics import ConsentMetrics
from services.kernel.topics import CONSENT_STATE

FIRST_ASK_MS = 10_000  # so long the services have to say that they obey, before they are asked
CHUNK = 250  # students whose decisions share a transaction
_ATTEMPTS = 8
_LONGEST_WAIT_S = 0.2
_LOOK_AGAIN_S = 0.11
_Result = TypeVar("_Result")
Deciding = Callable[[str, Sequence[ConsentEvent]], Sequence[Decision]]  # from a student and history


@dataclass(frozen=True, slots=True)
class Totals:
    """What a bulk registration came to, or would, in decisions; `students` are those with something new.

    Attributes:
        states: how many of those recorded are of which state.
    """

    recorded: int
    unchanged: int
    overtaken: int
    students: int
    states: dict[str, int]


class Consents:
    """The service's use cases over one database.

    Args:
        committed: called after each commit that recorded something; it wakes the relay.
    """

    def __init__(
        self, engine: Engine, clock: Clock, terms: Terms, metrics: ConsentMetrics, committed: Callable[[], None]
    ) -> None:
        self._engine, self._clock, self._terms = engine, clock, terms
        self._metrics, self._committed = metrics, committed

    def register(self, decisions: Mapping[str, Sequence[Decision]], *, dry_run: bool = False) -> Totals:
        """Record decisions made at registration, by student; those known already change nothing.

        Args:
            decisions: in any order.
            dry_run: only say what would come of it.

        Raises:
            TransientError: the database is away or too busy; what was sent can be sent again as it is.
        """
        outcomes: list[Outcome] = []
        for students in _chunks(sorted(decisions)):
            if dry_run:
                outcomes += self._foreseen(students, decisions)
            else:
                outcomes += self.record(students, lambda student, _: decisions[student])
        states = Counter(event.decision.state for outcome in outcomes for event in outcome.recorded)
        return Totals(
            recorded=sum(len(outcome.recorded) for outcome in outcomes),
            unchanged=sum(outcome.unchanged for outcome in outcomes),
            overtaken=sum(outcome.overtaken for outcome in outcomes),
            students=sum(bool(outcome.recorded) for outcome in outcomes),
            states=dict(sorted(states.items())),
        )

    def answer(
        self, student: str, choices: Mapping[Cell, bool], shown: tuple[str, str], via: Via = PORTAL
    ) -> tuple[ConsentEvent, ...]:
        """Record a student's yes and no to cells; answers that hold already change nothing.

        `shown` is the version and language of the notice that the student read.
        """

        def decisions(_: str, history: Sequence[ConsentEvent]) -> list[Decision]:
            said = domain.answers(domain.ruling(history), choices, shown, self._clock.now_ms(), self._terms)
            return [via.of(decision) for decision in said]

        return self.record([student], decisions)[0].recorded

    def withdraw_all(self, student: str, shown: tuple[str, str], via: Via = PORTAL) -> tuple[ConsentEvent, ...]:
        """Take back everything that the student has said yes to."""

        def decisions(_: str, history: Sequence[ConsentEvent]) -> list[Decision]:
            rules = domain.ruling(history)
            choices = dict.fromkeys(domain.granted(rules), False)
            said = domain.answers(rules, choices, shown, self._clock.now_ms(), self._terms)
            return [via.of(decision) for decision in said]

        return self.record([student], decisions)[0].recorded

    def history(self, student: str) -> list[ConsentEvent]:
        """All decisions of a student, oldest first.

        Raises:
            TransientError: the database is away.
        """
        with unless_away(), reading(self._engine) as transaction:
            return ledger.histories(transaction, [student])[student]

    def record(
        self,
        students: Sequence[str] | Callable[[Connection], Sequence[str]],
        decisions: Deciding,
        also: Callable[[Connection], object] | None = None,
    ) -> list[Outcome]:
        """Record what `decisions` makes of each student's history (oldest first), all in one transaction.

        All functions can be called several times: whenever somebody else was quicker, everything is read again.

        Args:
            students: all whose histories are read, or what finds them in the same transaction.
            decisions: from a student and their history.
            also: done in the same transaction; what it raises undoes everything.

        Raises:
            NotExplicit: a decision is a yes to special-category data that may not be recorded so; nothing was.
            TransientError: the database is away or too busy; nothing was recorded.
        """

        def attempt(transaction: Connection) -> list[Outcome]:
            ledger.take_turn(transaction)
            histories = ledger.histories(transaction, students(transaction) if callable(students) else students)
            now_ms = self._clock.now_ms()
            said = {student: decisions(student, history) for student, history in histories.items()}
            require_explicit(chain.from_iterable(said.values()), self._terms.special)
            outcomes = [
                domain.decide(student, history, said[student], now_ms) for student, history in histories.items()
            ]
            sealed = iter(ledger.append(transaction, [event for outcome in outcomes for event in outcome.recorded]))
            outcomes = [replace(one, recorded=tuple(islice(sealed, len(one.recorded)))) for one in outcomes]
            new: list[tuple[str, int]] = []
            # Only after the ledger took them: so a student's snapshots stand in the outbox in the order of versions.
            for outcome in outcomes:
                if outcome.recorded:
                    state = domain.snapshot([*histories[outcome.recorded[0].student], *outcome.recorded])
                    ledger.outbox.add(transaction, CONSENT_STATE, state.student, state)
                    new.append((state.student, state.version))
            propagation.expect(transaction, new, now_ms, now_ms + FIRST_ASK_MS)
            if also:
                also(transaction)
            return outcomes

        outcomes = self._retried(attempt)
        self._tell(event for outcome in outcomes for event in outcome.recorded)
        self._give_way(len(outcomes))
        return outcomes

    def _foreseen(self, students: Sequence[str], decisions: Mapping[str, Sequence[Decision]]) -> list[Outcome]:
        require_explicit(chain.from_iterable(decisions[student] for student in students), self._terms.special)
        now_ms = self._clock.now_ms()
        with unless_away(), reading(self._engine) as transaction:
            histories = ledger.histories(transaction, students)
        return [domain.decide(student, history, decisions[student], now_ms) for student, history in histories.items()]

    def _tell(self, events: Iterator[ConsentEvent]) -> None:
        for event in events:
            self._metrics.decisions.labels(event.decision.state, event.decision.channel).inc()
        self._committed()

    def _give_way(self, students: int) -> None:
        """After a bulk transaction, let a student go first.

        PostgreSQL queues writers. On SQLite they look again at most every tenth of a second, so one that took the next
        turn at once would keep a student from withdrawing for as long as it goes on.
        """
        if students > 1 and self._engine.name == "sqlite":
            time.sleep(_LOOK_AGAIN_S)

    def _retried(self, attempt: Callable[[Connection], _Result]) -> _Result:
        """Run it in a transaction, from the start again when somebody else was quicker."""
        for number in range(1, _ATTEMPTS + 1):
            try:
                with self._engine.begin() as transaction:
                    return attempt(transaction)
            except (IntegrityError, *AWAY) as error:
                if number == _ATTEMPTS:
                    raise TransientError(BUSY) from error
                time.sleep(random.uniform(0, _LONGEST_WAIT_S))  # noqa: S311 - it spreads the writers, no secret
        raise AssertionError


def _chunks(students: Sequence[str]) -> Iterator[Sequence[str]]:
    rest = iter(students)
    while chunk := list(islice(rest, CHUNK)):
        yield chunk
