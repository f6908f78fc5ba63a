"""The check of the whole ledger: on demand, and once a day by itself."""

from __future__ import annotations

import heapq
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence

from sqlalchemy import Connection, Engine

from services.consent.adapters import anchors, ledger
from services.consent.domain import verification as domain
from services.consent.domain.chain import Sealed
from services.consent.domain.verification import Anchor, Finding, Result
from services.consent.signing import PublicKeys
from services.kernel.background import Background
from services.kernel.clock import DAY_MS, MINUTE_MS, Clock
from services.kernel.database import reading, unless_away
from services.kernel.errors import InvalidMessage, TransientError
from services.kernel.logs import log
from services.kernel.metrics import ConsentMetrics

_CHUNK = 2_000
_SHOWN = 50
_PAUSE_S = 5.0
_BREATH_S = 0.05
_log = log(__name__)
Progress = Callable[[int, int], None]  # events looked at, of how many


class Verification:
    """Checks the ledger of one database with the public keys."""

    def __init__(self, engine: Engine, keys: PublicKeys, clock: Clock) -> None:
        self._engine, self._keys, self._clock = engine, keys, clock

    def run(self, kept: Iterable[str] = (), progress: Progress = lambda _seen, _of: None) -> Result:
        """Look at every event, twice, and every anchor; `kept` are anchors from elsewhere, as they were signed.

        Raises:
            InvalidMessage: a kept anchor is none of ours.
            TransientError: the database is away.
        """
        theirs = sorted((anchors.read(self._keys, signed, kept=True) for signed in kept), key=_place)
        with unless_away(), reading(_one_moment(self._engine)) as transaction:
            return self._check(transaction, theirs, progress)

    def record(self, result: Result) -> None:
        """Keep a result, for the pages that tell it.

        Raises:
            TransientError: the database is away.
        """
        with unless_away(), self._engine.begin() as transaction:
            anchors.record(transaction, result)

    def last(self) -> Result | None:
        """What the last check found, if there was one.

        Raises:
            TransientError: the database is away.
        """
        with unless_away(), reading(self._engine) as transaction:
            return anchors.last_result(transaction)

    def doubled(self, since: Result) -> bool:
        """Whether the ledger holds twice as much as that check saw.

        Raises:
            TransientError: the database is away.
        """
        with unless_away(), reading(self._engine) as transaction:
            return ledger.tail(transaction).sequence > 2 * since.events

    def _check(self, transaction: Connection, kept: Iterable[Anchor], progress: Progress) -> Result:
        now_ms, tail = self._clock.now_ms(), ledger.tail(transaction)
        rows = _Rows(2 * tail.sequence, progress)
        signed = _Signed(self._keys, anchors.all_signed(transaction))
        findings = _Findings()
        ordered = rows.each(ledger.in_sequence(transaction, _CHUNK))
        findings.take(domain.in_sequence(ordered, heapq.merge(signed, kept, key=_place), now_ms))
        events = rows.seen
        findings.take(signed.wrong)
        findings.take(domain.by_student(rows.each(ledger.by_student(transaction, _CHUNK))))
        return Result(
            at_ms=now_ms,
            events=events,
            anchors=signed.right,
            anchored_ms=signed.last_ms,
            faults=findings.count,
            findings=tuple(sorted(findings.first, key=_place)),
        )


class Verifying(Background):
    """Checks the ledger once a day, when it has doubled, and when somebody asks."""

    def __init__(self, verification: Verification, clock: Clock, metrics: ConsentMetrics) -> None:
        super().__init__("consent-verifying")
        self._verification, self._clock, self._metrics = verification, clock, metrics
        self._asked = threading.Event()
        self._seen: tuple[int, int] | None = None

    def ask(self) -> None:
        """Let a check begin within seconds."""
        self._asked.set()

    @property
    def asked(self) -> bool:
        """Whether a check was asked for that has not ended yet."""
        return self._asked.is_set()

    @property
    def seen(self) -> tuple[int, int] | None:
        """Of a check that is running: how many events were looked at, of how many; each is looked at twice."""
        return self._seen

    def round(self) -> None:
        """Check where it is due."""
        try:
            last = self._verification.last()
            if self.asked or last is None or self._is_due(last):
                last = self._verification.run(progress=self._breathe)
                self._verification.record(last)
                self._asked.clear()
                self._seen = None
            self._tell(last)
        except _Stopped:
            return
        except TransientError as error:
            _log.warning("verifying_failed", problem=str(error))
        self.pause(_PAUSE_S)

    def problem(self, within_s: float = 3_600) -> str | None:
        """For a health check; a large ledger takes its time."""
        return super().problem(within_s)

    def _is_due(self, last: Result) -> bool:
        """A day after the last check, or a minute after it where that saw less than half of what there is."""
        age_ms = self._clock.now_ms() - last.at_ms
        return age_ms >= DAY_MS or (age_ms >= MINUTE_MS and self._verification.doubled(last))

    def _breathe(self, seen: int, of: int) -> None:
        """Let the requests of the process go first, and its end."""
        self._seen = seen, of
        self.pause(_BREATH_S)
        if self.stopping:
            raise _Stopped

    def _tell(self, result: Result) -> None:
        self._metrics.ledger_verified.set(result.at_ms / 1000)
        self._metrics.ledger_faults.set(result.faults)


class _Stopped(Exception):  # noqa: N818 - no error
    """The process ends before the check does."""


class _Rows:
    """The rows of both walks, counted."""

    def __init__(self, total: int, progress: Progress) -> None:
        self.seen, self._total, self._progress = 0, total, progress

    def each(self, chunks: Iterable[Sequence[Sealed]]) -> Iterator[Sealed]:
        for chunk in chunks:
            yield from chunk
            self.seen += len(chunk)
            self._progress(self.seen, self._total)


class _Signed:
    """The database's anchors whose signature is right; what is wrong with the others."""

    def __init__(self, keys: PublicKeys, signed: Iterable[tuple[int, str]]) -> None:
        self._keys, self._signed = keys, signed
        self.right, self.wrong = 0, list[Finding]()
        self.last_ms: int | None = None

    def __iter__(self) -> Iterator[Anchor]:
        for sequence, signed in self._signed:
            try:
                anchor = anchors.read(self._keys, signed)
            except InvalidMessage as error:
                self._blame(sequence, f"cannot be trusted. {error}")
                continue
            if anchor.sequence != sequence:
                self._blame(sequence, "is that of another event.")
                continue
            self.right, self.last_ms = self.right + 1, anchor.at_ms
            yield anchor

    def _blame(self, sequence: int, problem: str) -> None:
        self.wrong.append(domain.finding("not-signed", sequence, f"The anchor of event {sequence} {problem}"))


class _Findings:
    """The first of them, and how many there are."""

    def __init__(self) -> None:
        self.first, self.count = list[Finding](), 0

    def take(self, findings: Iterable[Finding]) -> None:
        for finding in findings:
            self.count += 1
            if len(self.first) < _SHOWN:
                self.first.append(finding)


def _place(of: Anchor | Finding) -> int:
    return of.sequence


def _one_moment(engine: Engine) -> Engine:
    """Both walks must see the same ledger, while others write; SQLite's readers do anyway."""
    return engine.execution_options(isolation_level="REPEATABLE READ") if engine.name == "postgresql" else engine
