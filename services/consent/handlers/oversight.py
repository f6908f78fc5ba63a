"""What the officer is told, gathered in one place: each part from the use cases that know it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import Engine

from services.consent.adapters import anchors
from services.consent.domain.decisions import State
from services.consent.domain.requests.deadlines import Deadline
from services.consent.domain.requests.request import Kind
from services.consent.domain.verification import Result
from services.consent.handlers.life_cycle import LifeCycle, Renewal
from services.consent.handlers.proof.verification import Verification, Verifying
from services.consent.handlers.propagation import Health, Propagation
from services.consent.handlers.requests.handling import Requests
from services.consent.notices import Notice, Notices
from services.kernel.clock import Clock
from services.kernel.database import reading, unless_away

SPAN_DAYS = 30
_TAKEN_BACK: tuple[State, ...] = ("withdrawn",)


@dataclass(frozen=True, slots=True)
class Ledger:
    """What is known of the ledger's chain.

    Attributes:
        last: what the last check found; None before the first.
        checking: whether a check was asked for that has not ended.
        share: how much of the check that is running is done, from 0 to 1.
    """

    last: Result | None
    checking: bool
    share: float = 0.0


@dataclass(frozen=True, slots=True)
class Due:
    """The request that has to be answered, or acknowledged, first."""

    kind: Kind
    deadline: Deadline


@dataclass(frozen=True, slots=True)
class OpenRequests:
    """Requests that are not closed, against their deadlines; `resting` are those whose clock stands still."""

    by_kind: dict[Kind, int]
    overdue: int
    resting: int
    next: Due | None


@dataclass(frozen=True, slots=True)
class Report:
    """Everything that the officer's page tells, at one moment.

    Attributes:
        withdrawals: how those of the last `SPAN_DAYS` reached everybody; what is outstanding counts every decision.
        renewal: over `SPAN_DAYS` back and ahead.
    """

    at_ms: int
    ledger: Ledger
    withdrawals: Health
    requests: OpenRequests
    notices: tuple[Notice, ...]
    renewal: Renewal


class Oversight:
    """Gathers the report."""

    def __init__(  # noqa: PLR0913, PLR0917 - wired once, by hand
        self,
        engine: Engine,
        clock: Clock,
        verification: Verification,
        verifying: Verifying,
        propagation: Propagation,
        requests: Requests,
        notices: Notices,
        life_cycle: LifeCycle,
    ) -> None:
        self._engine, self._clock = engine, clock
        self._verification, self._verifying = verification, verifying
        self._propagation, self._life_cycle = propagation, life_cycle
        self._requests, self._notices = requests, notices

    def report(self) -> Report:
        """The report of this moment.

        Raises:
            TransientError: the database is away.
        """
        requests = [Due(asked.kind, self._requests.deadline(asked)) for asked in self._requests.standing()]
        return Report(
            at_ms=self._clock.now_ms(),
            ledger=self.ledger(),
            withdrawals=self._propagation.health(SPAN_DAYS, _TAKEN_BACK),
            requests=open_requests(requests),
            notices=tuple(map(self._notices.in_force, self._notices.languages)),
            renewal=self._life_cycle.renewal(SPAN_DAYS),
        )

    def ledger(self) -> Ledger:
        """What is known of the ledger's chain, and of a check that is running.

        Raises:
            TransientError: the database is away.
        """
        seen, of = self._verifying.seen or (0, 1)
        return Ledger(self._verification.last(), self._verifying.asked, seen / of if of else 0.0)

    def verify_now(self) -> None:
        """Let the ledger be checked within seconds."""
        self._verifying.ask()

    def newest_anchor(self) -> str | None:
        """Where the ledger has come to, as it was signed; None before the first.

        Raises:
            TransientError: the database is away.
        """
        with unless_away(), reading(self._engine) as transaction:
            return anchors.last_signed(transaction)


def open_requests(due: Sequence[Due]) -> OpenRequests:
    """Open requests, what is due first at the top, as figures."""
    return OpenRequests(
        by_kind=dict(Counter(one.kind for one in due)),
        overdue=sum(one.deadline.overdue for one in due),
        resting=sum(not one.deadline.running for one in due),
        next=next((one for one in due if one.deadline.running), None),
    )
