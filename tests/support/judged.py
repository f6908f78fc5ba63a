"""A small register of rules, days of places as tests write them, and a slow oracle that judges one place at a time."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from msgspec import structs

from services.indicators.domain.calendar import HELD
from services.indicators.domain.places import CALENDAR_DAYS, HISTORY_DAYS, Figure, Places
from services.indicators.domain.rules import Situation
from services.kernel.register import IndicatorEntry, Register, Rule, Threshold, load_register

SHIPPED = load_register()
SOURCES = ("vle", "attendance")
DAY_0 = 20_500  # 2026-02-16, a Monday
LATER = dt.date(2026, 3, 9)  # from this day on another threshold holds on module B


def _indicator(name: str, **changes: object) -> IndicatorEntry:
    base = structs.replace(SHIPPED.indicators[0], watch=None, alert=None, recovery=None, part_time_factor=1)
    return structs.replace(base, name=name, sources=SOURCES, window_days=None, **changes)


def _rule(name: str, indicator: str, level: str = "alert", **changes: object) -> Rule:
    return structs.replace(SHIPPED.rules[0], name=name, indicator=indicator, level=level, **changes)


def register(**changes: object) -> Register:
    """Four rules on three indicators that between them have all that rules can have."""
    up = _indicator("up", watch=3.0, alert=6.0, recovery=1.0, part_time_factor=2.0)
    down = _indicator("down", alert=-1.0, direction="at-most", cohort=True)
    share = structs.replace(_indicator("share", alert=50.0, recovery=60.0, direction="below"), sources=("attendance",))
    other = Threshold(
        name="b", title="B", indicator="up", reason="A week of field work.", modules=("B",), first_day=LATER, alert=4.0
    )
    small = {
        "sources": tuple(SHIPPED.source[name] for name in SOURCES),
        "indicators": (up, down, share),
        "thresholds": (other,),
        "rules": (
            _rule("up", "up"),
            _rule("early", "up", "watch", cool_down_days=3),
            _rule("down", "down", in_a_row=2),
            _rule("share", "share", cool_down_days=0, part_time=False),
        ),
    }
    return structs.replace(SHIPPED, **(small | changes))


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """A place at a tick, as it is judged.

    Attributes:
        values: by indicator; what is left out cannot be said.
        unjudged, unseen: indicators that have no levels now, or of which not all could be seen.
        held: as of `HELD`.
    """

    values: Mapping[str, float] = field(default_factory=dict)
    unjudged: frozenset[str] = frozenset()
    unseen: frozenset[str] = frozenset()
    began: int | None = None
    module: str = "A"
    part_time: bool = False
    held: str = ""
    exempt: frozenset[str] = frozenset()
    permitted: frozenset[str] = frozenset(SOURCES)


@dataclass(frozen=True, slots=True, kw_only=True)
class Tick:
    """All places at one tick."""

    today: int
    seen: Sequence[Seen]
    stale: frozenset[str] = frozenset()
    new_day: bool = True
    cohort_tick: bool = False

    def situation(self, rules: Register) -> Situation:
        """The same as columns."""
        modules = sorted({seen.module for seen in self.seen})
        return Situation(
            places=places(self.today, [seen.part_time for seen in self.seen]),
            modules=modules,
            module=np.array([modules.index(seen.module) for seen in self.seen]),
            held=np.array([HELD.index(seen.held) for seen in self.seen]),
            permitted=np.array([[source in seen.permitted for source in SOURCES] for seen in self.seen]),
            stale=np.array([source in self.stale for source in SOURCES]),
            exempt=np.array([[rule.name in seen.exempt for rule in rules.rules] for seen in self.seen]),
            new_day=self.new_day,
            cohort_tick=self.cohort_tick,
        )

    def figures(self, rules: Register) -> dict[str, Figure]:
        """The figures as columns; "up" counts from a day of its own, as absence does."""
        return {
            entry.name: Figure(
                np.array([seen.values.get(entry.name, 99.0) for seen in self.seen]),
                np.array([entry.name in seen.values for seen in self.seen]),
                judged=np.array([entry.name not in seen.unjudged for seen in self.seen]),
                seen=np.array([entry.name not in seen.unseen for seen in self.seen]),
                began=self._began() if entry.name == "up" else None,
                inputs={"half": np.array([seen.values.get(entry.name, 99.0) / 2 for seen in self.seen])},
            )
            for entry in rules.indicators
        }

    def _began(self) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
        return np.array([self.today if seen.began is None else seen.began for seen in self.seen])


def places(today: int, part_time: Sequence[bool], since_day: int = DAY_0 - 100) -> Places:
    """Places of which rules take nothing but who studies part-time and since when they could be seen."""
    n = len(part_time)
    nothing, days = np.zeros(n, np.int64), np.zeros((n, HISTORY_DAYS), np.int64)
    since = np.full(n, since_day)
    return Places(
        today=today, counting=np.arange(CALENDAR_DAYS), weights=days, kinds=days, start_day=since, since_day=since,
        first_day=since, last_day=since, part_time=np.array(part_time, np.bool_), attended=days, absent=days,
        due=nothing, late=nothing, missing=nothing, arrears=nothing, sessions=nothing, session_minutes=np.zeros(n),
    )  # fmt: skip
