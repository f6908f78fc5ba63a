"""Keeps the table of coverage: made in the background once a day, so that reading it often tells no more than once.

A table that is made anew after each change would give every change away: the one figure that moved between two readings
belongs to the one student who decided in between. So a table stands for its local day. It is made anew within the day
only when a tenth of all students have come since, as an import brings them, or when other purposes are asked about;
no single person can cause that.
"""

from __future__ import annotations

from zoneinfo import ZoneInfo

from sqlalchemy import Engine
from sqlalchemy.exc import IntegrityError

from services.consent.adapters import places
from services.consent.adapters.places import StoredCoverage
from services.consent.domain.coverage import SMALLEST, tabulate
from services.kernel.background import Background
from services.kernel.clock import Clock, iso_day, local_days
from services.kernel.database import AWAY, reading, unless_away
from services.kernel.logs import log

_LOOK_EVERY_S = 10.0
_log = log(__name__)


class Coverages:
    """The table of one database; `purposes` are those that it has columns for, in their order."""

    def __init__(self, engine: Engine, clock: Clock, zone: ZoneInfo, purposes: tuple[str, ...]) -> None:
        self._engine, self._clock, self._purposes = engine, clock, purposes
        self._day_of = local_days(zone)

    def newest(self) -> StoredCoverage | None:
        """The table that is shown now; None before the first.

        Raises:
            TransientError: the database is away.
        """
        with unless_away(), reading(self._engine) as transaction:
            return places.newest_coverage(transaction)

    def keep(self) -> bool:
        """Make a new table if it is time for one, and say whether it was."""
        made = self._made()
        if made is None:
            return False
        try:
            with self._engine.begin() as transaction:
                due = self._is_due(places.newest_coverage(transaction), made.day, made.basis)
                if due:
                    places.put_coverage(transaction, made)
                return due
        except IntegrityError:  # another instance was quicker
            return False

    def _made(self) -> StoredCoverage | None:
        now_ms = self._clock.now_ms()
        day = iso_day(self._day_of(now_ms))
        with reading(self._engine) as transaction:
            basis = places.students(transaction)
            if not self._is_due(places.newest_coverage(transaction), day, basis):
                return None
            on_modules = places.on_day(transaction, day)
            permitting = places.permitting(transaction, now_ms)
        return StoredCoverage(day, now_ms, basis, tabulate(on_modules, permitting, self._purposes))

    def _is_due(self, newest: StoredCoverage | None, day: str, basis: int) -> bool:
        if newest is None:
            return basis > 0
        grown = abs(basis - newest.basis) >= max(SMALLEST, newest.basis // 10)
        return day > newest.day or grown or newest.table.purposes != self._purposes


class Tabulating(Background):
    """Lets the table be kept for as long as the service runs."""

    def __init__(self, coverages: Coverages) -> None:
        super().__init__("consent-coverage")
        self._coverages = coverages

    def round(self) -> None:
        """Look whether it is time for a new table, and wait a little."""
        try:
            if self._coverages.keep():
                _log.info("coverage_tabulated")
        except AWAY as error:
            _log.warning("coverage_not_tabulated", error=type(error).__name__)
        self.pause(_LOOK_EVERY_S)
