"""Who obeys which version of a student's consent, since when; and asking those again who have not said so.

A consumer that was down at the wrong moment reads the consents when it starts, and answers for none of them. So what
stays unanswered is published once more, at the same version: whoever knows it already changes nothing, and answers.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from math import ceil
from typing import TypeVar

from sqlalchemy import Connection, Engine

from services.consent.adapters import ledger, propagation
from services.consent.adapters.propagation import CONSUMERS
from services.consent.domain import decisions as domain
from services.consent.domain.decisions import State
from services.consent.handlers.consents import FIRST_ASK_MS
from services.kernel.background import Background
from services.kernel.clock import DAY_MS, MINUTE_MS, Clock
from services.kernel.database import AWAY, reading, unless_away
from services.kernel.logs import log
from services.kernel.metrics import ConsentMetrics
from services.kernel.topics import CONSENT_STATE

LONGEST_WAIT_MS = MINUTE_MS
AT_ONCE = 100  # students asked for in a round: 30,000 within ten minutes, and the gates hardly notice
PROBES = 5  # while nobody answers: a consumer that is away for long causes no flood, and is noticed when it is back
_ROUND_S = 2.0
_MEASURED = 20_000  # versions at most
_log = log(__name__)
_Result = TypeVar("_Result")


@dataclass(frozen=True, slots=True)
class Health:
    """How decisions reached everybody lately, in seconds from their record to applied everywhere.

    Attributes:
        count: of versions that were applied everywhere.
        p50_s, p99_s, slowest_s: None where there is none.
        outstanding: for each consumer, the versions that it has not answered for.
        oldest_s: since the oldest of these was recorded; None where there is none.
    """

    count: int
    p50_s: float | None
    p99_s: float | None
    slowest_s: float | None
    outstanding: Mapping[str, int]
    oldest_s: float | None


class Propagation:
    """Answers from what the receipts said."""

    def __init__(self, engine: Engine, clock: Clock) -> None:
        self._engine, self._clock = engine, clock

    def applied(self, student: str, version: int) -> Mapping[str, int | None]:
        """For each service that has to obey: since when it obeys that version, in ms; None while it has not said so.

        Raises:
            TransientError: the database is away.
        """
        row = self._read(lambda transaction: propagation.of_version(transaction, student, version))
        return {name: None if row is None else getattr(row, f"{name}_ms") for name in CONSUMERS}

    def everywhere(self, student: str) -> Mapping[int, int]:
        """The student's versions that were applied everywhere, each with since when, in ms.

        Raises:
            TransientError: the database is away.
        """
        return self._read(lambda transaction: propagation.everywhere(transaction, student))

    def health(self, days: int = 30, states: Collection[State] = ()) -> Health:
        """How it went with the decisions of so many days; `states`: with such decisions only.

        Raises:
            TransientError: the database is away.
        """
        now_ms = self._clock.now_ms()
        delays, (waiting, oldest_ms) = self._read(
            lambda transaction: (
                sorted(propagation.delays_ms(transaction, now_ms - days * DAY_MS, _MEASURED, states)),
                propagation.outstanding(transaction),
            )
        )
        return Health(
            count=len(delays),
            p50_s=_quantile_s(delays, 0.5),
            p99_s=_quantile_s(delays, 0.99),
            slowest_s=_quantile_s(delays, 1),
            outstanding=waiting,
            oldest_s=None if oldest_ms is None else max(0, now_ms - oldest_ms) / 1000,
        )

    def _read(self, query: Callable[[Connection], _Result]) -> _Result:
        with unless_away(), reading(self._engine) as transaction:
            return query(transaction)


class AskingAgain(Background):
    """Says consents again that stay unanswered, ever more rarely, and measures what is outstanding.

    While not one of those that it asked for last is answered, it asks for a few only.
    """

    def __init__(self, engine: Engine, clock: Clock, metrics: ConsentMetrics, committed: Callable[[], None]) -> None:
        super().__init__("consent-asks-again")
        self._engine, self._clock, self._metrics, self._committed = engine, clock, metrics, committed
        self._last: tuple[str, ...] = ()

    def round(self) -> None:
        """Ask for at most `AT_ONCE` students."""
        try:
            if self._asked():
                self._committed()
            self._measure()
        except AWAY as error:
            _log.warning("asking_again_failed", error=type(error).__name__)
        self.pause(_ROUND_S)

    def _asked(self) -> int:
        now_ms = self._clock.now_ms()
        with reading(self._engine) as transaction:
            if not propagation.to_ask_again(transaction, now_ms, 1):
                return 0
            nobody_answers = self._last and propagation.still_silent(transaction, self._last) == len(self._last)
        with self._engine.begin() as transaction:
            ledger.take_turn(transaction)  # or a decision could come between, and this be published after it
            due = propagation.to_ask_again(transaction, now_ms, PROBES if nobody_answers else AT_ONCE)
            histories = ledger.histories(transaction, [row.student for row in due])
            for row in due:
                ledger.outbox.add(transaction, CONSENT_STATE, row.student, domain.snapshot(histories[row.student]))
                pause_ms = min(FIRST_ASK_MS << (row.asks + 1), LONGEST_WAIT_MS)
                propagation.asked(transaction, row.student, row.asks + 1, now_ms + pause_ms)
        self._last = tuple(row.student for row in due)
        self._metrics.asked_again.inc(len(due))
        return len(due)

    def _measure(self) -> None:
        with reading(self._engine) as transaction:
            waiting, oldest_ms = propagation.outstanding(transaction)
        for name, count in waiting.items():
            self._metrics.outstanding.labels(name).set(count)
        age_ms = 0 if oldest_ms is None else max(0, self._clock.now_ms() - oldest_ms)
        self._metrics.outstanding_age.set(age_ms / 1000)


def _quantile_s(in_order: list[int], share: float) -> float | None:
    """The nearest-rank quantile, in seconds."""
    return in_order[ceil(share * len(in_order)) - 1] / 1000 if in_order else None
