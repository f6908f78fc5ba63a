"""Which thresholds hold for a module on a day: the register's, with its dated and per-module exceptions.

They are looked up by the local day of a tick, never by the machine's clock, so that a term that is replayed is judged
by what held in it.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence

import numpy as np

from services.indicators.domain.places import Bools, Floats, Ints
from services.kernel.clock import iso_day
from services.kernel.register import IndicatorEntry, Register, Threshold

LEVELS = ("none", "watch", "alert")
WATCH, ALERT, RECOVERY = range(3)  # the columns of `table`


class Thresholds:
    """The thresholds of one register."""

    def __init__(self, register: Register) -> None:
        self._register = register
        self._day: int | None = None
        self._of_day: dict[str, Floats] = {}  # by module; the tables of the day that was asked for last

    def table(self, modules: Sequence[str], day: int) -> Floats:
        """[modules, indicators, 3]; watch, alert and recovery on that day, NaN where there is none.

        The indicators are in the register's order.
        """
        if day != self._day:
            self._day, self._of_day = day, {}
        date = dt.date.fromisoformat(iso_day(day))
        for module in modules:
            if module not in self._of_day:
                limits = [self._limits(entry, module, date) for entry in self._register.indicators]
                self._of_day[module] = np.array(limits, np.float64)
        tables = [self._of_day[module] for module in modules]
        return np.array(tables, np.float64).reshape(len(modules), len(self._register.indicators), 3)

    def _limits(self, entry: IndicatorEntry, module: str, date: dt.date) -> tuple[float, float, float]:
        applying = [
            other
            for other in self._register.thresholds
            if other.indicator == entry.name
            and (not other.modules or module in other.modules)
            and (other.first_day is None or other.first_day <= date)
        ]
        holding: IndicatorEntry | Threshold = max(applying, key=_precedence, default=entry)
        watch, alert, recovery = (
            np.nan if limit is None else limit for limit in (holding.watch, holding.alert, holding.recovery)
        )
        return watch, alert, recovery


def holds(entry: IndicatorEntry, values: Floats, limits: Floats) -> Bools:
    """[n]; whether each value has reached its limit, in the direction that the register gives; False at no limit."""
    if entry.direction == "at-least":
        return values >= limits
    return values <= limits if entry.direction == "at-most" else values < limits


def levels(entry: IndicatorEntry, values: Floats, limits: Floats, before: Ints) -> Ints:
    """[n]; the level of each value as an index of `LEVELS`, hysteresis applied.

    Once reached, a level is kept until the value is back at the recovery, and may rise meanwhile; where there is no
    recovery it ends as soon as its threshold no longer holds.

    Args:
        entry: of the indicator.
        values: [n].
        limits: [n, 3]; as of `Thresholds.table`, part-time factor applied.
        before: [n]; the levels so far.
    """
    reached = np.where(
        holds(entry, values, limits[:, ALERT]),
        ALERT + 1,
        np.where(holds(entry, values, limits[:, WATCH]), WATCH + 1, 0),
    )
    recovery = limits[:, RECOVERY]
    back = np.isnan(recovery) | recovered(entry, values, recovery)
    return np.where(back, reached, np.maximum(reached, before))


def recovered(entry: IndicatorEntry, values: Floats, recovery: Floats) -> Bools:
    """[n]; whether each value has come back to its recovery; False where there is none."""
    return values <= recovery if entry.direction == "at-least" else values >= recovery


def _precedence(other: Threshold) -> tuple[bool, dt.date]:
    return bool(other.modules), other.first_day or dt.date.min
