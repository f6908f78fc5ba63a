"""Signs where the ledger has come to, so that nobody without the key can write it anew.

Before it signs, it checks that what came since the last anchor follows from it: an anchor never covers up a change.
"""

from __future__ import annotations

from sqlalchemy import Connection, Engine
from sqlalchemy.exc import IntegrityError

from services.consent.adapters import anchors, ledger
from services.consent.domain.chain import Tail, ledger_digest
from services.consent.domain.verification import Anchor
from services.consent.signing import Keys, PublicKeys
from services.kernel.background import Background
from services.kernel.clock import MINUTE_MS, Clock
from services.kernel.database import AWAY, reading
from services.kernel.errors import InvalidMessage
from services.kernel.logs import log
from services.kernel.metrics import ConsentMetrics

_EVERY_MS = MINUTE_MS
_PAUSE_S = 5.0
_CHUNK = 1_000
_log = log(__name__)


class LedgerChanged(Exception):  # noqa: N818 - it says what happened
    """What stands in the ledger does not follow from what was anchored."""


class Anchoring(Background):
    """Anchors the ledger about once a minute while it grows."""

    def __init__(self, engine: Engine, keys: Keys, clock: Clock, metrics: ConsentMetrics) -> None:
        super().__init__("consent-anchoring")
        self._engine, self._keys, self._clock, self._metrics = engine, keys, clock, metrics
        self._public = PublicKeys(keys.public)
        for reason in ("database", "ledger-changed"):  # an alert needs the series before the first failure
            metrics.anchoring_failures.labels(reason)

    def round(self) -> None:
        """Sign an anchor where one is due."""
        try:
            self.anchor()
        except AWAY as error:
            self._metrics.anchoring_failures.labels("database").inc()
            _log.warning("anchoring_failed", error=type(error).__name__)
        except LedgerChanged as error:
            self._metrics.anchoring_failures.labels("ledger-changed").inc()
            _log.error("ledger_changed", problem=str(error), mend="signpost consent verify")
            self.pause(_EVERY_MS / 1000)
        self.pause(_PAUSE_S)

    def anchor(self) -> str | None:
        """Sign an anchor, where the ledger has grown and the last is old, or of a clock that ran ahead; gives it.

        Raises:
            LedgerChanged: the ledger does not follow from the last anchor; nothing is signed.
        """
        now_ms = self._clock.now_ms()
        with reading(self._engine) as transaction:
            last = self._last(transaction)
            if last and last.at_ms <= now_ms < last.at_ms + _EVERY_MS:
                return None
            tail = _following(transaction, last)
        if tail.sequence == (last.sequence if last else 0):
            return None
        return self._sign(Anchor(tail.sequence, tail.ledger_digest, now_ms))

    def _last(self, transaction: Connection) -> Anchor | None:
        signed = anchors.last_signed(transaction)
        try:
            return anchors.read(self._public, signed) if signed else None
        except InvalidMessage as error:
            raise LedgerChanged(f"the last anchor is not ours: {error}") from error

    def _sign(self, anchor: Anchor) -> str | None:
        content = {"sequence": anchor.sequence, "ledger_digest": anchor.ledger_digest, "at_ms": anchor.at_ms}
        signed = self._keys.sign("signpost-anchor", content)
        try:
            with self._engine.begin() as transaction:
                anchors.add(transaction, anchor.sequence, signed)
        except IntegrityError:  # another instance was quicker
            return None
        self._metrics.ledger_anchored.set(anchor.at_ms / 1000)
        # Logs are kept where the database's owner cannot write: there an anchor proves most.
        _log.info("ledger_anchored", sequence=anchor.sequence, anchor=signed)
        return signed


def _following(transaction: Connection, last: Anchor | None) -> Tail:
    """Where the ledger ends, after everything since the last anchor was found to follow from it."""
    tail = Tail(last.sequence - 1) if last else Tail()
    for chunk in ledger.in_sequence(transaction, _CHUNK, after=tail.sequence):
        for sealed in chunk:
            event = sealed.event
            expected = ledger_digest(tail.ledger_digest, event.digest)
            if last and event.sequence == last.sequence:
                expected = last.ledger_digest
            if event.sequence != tail.sequence + 1 or sealed.ledger_digest != expected:
                raise LedgerChanged(f"event {tail.sequence + 1} is not what follows")
            tail = Tail(event.sequence, sealed.ledger_digest)
    if last and tail.sequence < last.sequence:
        raise LedgerChanged(f"event {last.sequence}, which was anchored, is not there")
    return tail
