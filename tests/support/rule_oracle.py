"""What rules must do, said slowly: one place, one rule and one tick at a time, in plain branches."""

from __future__ import annotations

from dataclasses import dataclass, field

from services.kernel.clock import day_number
from services.kernel.register import IndicatorEntry, Register, Rule
from tests.support.judged import Seen, Tick

Said = tuple[str, str, int, str]  # rule, state, episode's day, why


@dataclass
class Place:
    """What is remembered of one place; None where there is nothing."""

    opened: dict[str, int] = field(default_factory=dict)
    ended: dict[str, int] = field(default_factory=dict)
    weeks: dict[str, int] = field(default_factory=dict)
    level: dict[str, str] = field(default_factory=dict)


class Oracle:
    """Judges places by a register."""

    def __init__(self, register: Register, places: int) -> None:
        self.register = register
        self.places = [Place() for _ in range(places)]

    def judge(self, tick: Tick) -> list[tuple[int, Said]]:
        """What changes at a tick, by place."""
        return [
            (row, said)
            for row, (place, seen) in enumerate(zip(self.places, tick.seen, strict=True))
            for rule in self.register.rules
            for said in self._rule(place, rule, seen, tick)
        ]

    def levels(self, tick: Tick) -> list[dict[str, str]]:
        """The level of each figure after a tick, by place; "none" is left out."""
        for place, seen in zip(self.places, tick.seen, strict=True):
            for entry in self.register.indicators:
                level = self._level(place.level.get(entry.name, "none"), entry, seen, tick)
                place.level[entry.name] = level
        return [{name: level for name, level in place.level.items() if level != "none"} for place in self.places]

    def _rule(  # noqa: PLR0911 - plain branches are the point
        self, place: Place, rule: Rule, seen: Seen, tick: Tick
    ) -> list[Said]:
        entry = self.register.indicator[rule.indicator]
        if not set(entry.sources) & seen.permitted:
            for kept in (place.opened, place.ended, place.weeks):
                kept.pop(rule.name, None)
            return []
        exempt = rule.name in seen.exempt or (seen.part_time and not rule.part_time)
        limits = self._limits(entry, seen, tick.today)
        limit = limits[rule.level]
        known = entry.name in seen.values and entry.name not in seen.unseen
        value = seen.values.get(entry.name, 0.0)
        judged = entry.name not in seen.unjudged
        reached = known and judged and limit is not None and _reached(entry, value, limit)
        stale = bool(set(entry.sources) & seen.permitted & tick.stale)
        if rule.in_a_row > 1 and tick.cohort_tick and seen.held != "vacation" and not stale:
            runs = reached and not seen.held and not exempt
            place.weeks[rule.name] = min(place.weeks.get(rule.name, 0) + 1, rule.in_a_row) if runs else 0
        if rule.name in place.opened:
            why = self._why_ended(rule, seen, limits, exempt=exempt, known=known, judged=judged, value=value)
            if why is None:
                return []
            place.ended[rule.name] = tick.today
            return [(rule.name, "recovered", place.opened.pop(rule.name), why)]
        if not tick.new_day or not reached or seen.held or exempt or stale:
            return []
        if rule.in_a_row > 1 and (not tick.cohort_tick or place.weeks.get(rule.name, 0) < rule.in_a_row):
            return []
        if rule.name in place.ended and tick.today < place.ended[rule.name] + rule.cool_down_days:
            return []
        began = seen.began if entry.name == "up" and seen.began is not None else tick.today
        place.opened[rule.name] = max(began, place.ended.get(rule.name, began))
        return [(rule.name, "opened", place.opened[rule.name], "back-to-usual")]

    def _why_ended(  # noqa: PLR0911, PLR0913 - plain branches are the point
        self,
        rule: Rule,
        seen: Seen,
        limits: dict[str, float | None],
        *,
        exempt: bool,
        known: bool,
        judged: bool,
        value: float,
    ) -> str | None:
        entry, limit = self.register.indicator[rule.indicator], limits[rule.level]
        if seen.held in ("left", "module-over", "leave"):
            return seen.held
        if exempt:
            return "exempt"
        if limit is None:
            return "rule-gone"
        if not known:
            return None
        if not judged:
            return "back-to-usual"
        recovery = limits["recovery"]
        if recovery is None:
            return None if _reached(entry, value, limit) else "back-to-usual"
        return "back-to-usual" if _recovered(entry, value, recovery) else None

    def _level(self, before: str, entry: IndicatorEntry, seen: Seen, tick: Tick) -> str:
        said = entry.name in seen.values and not {entry.name} & (seen.unseen | seen.unjudged)
        if not said or not set(entry.sources) & seen.permitted:
            return "none"
        limits, value = self._limits(entry, seen, tick.today), seen.values[entry.name]
        order = ["none", "watch", "alert"]
        level = "none"
        for name in ("watch", "alert"):
            limit = limits[name]
            if limit is not None and _reached(entry, value, limit):
                level = name
        recovery = limits["recovery"]
        if recovery is not None and not _recovered(entry, value, recovery):
            level = max(level, before, key=order.index)
        if seen.held or set(entry.sources) & seen.permitted & tick.stale:
            level = min(level, before, key=order.index)
        return level

    def _limits(self, entry: IndicatorEntry, seen: Seen, today: int) -> dict[str, float | None]:
        found: dict[str, float | None] = {"watch": entry.watch, "alert": entry.alert, "recovery": entry.recovery}
        for other in self.register.thresholds:
            if (
                other.indicator == entry.name
                and seen.module in other.modules
                and other.first_day is not None
                and day_number(other.first_day.isoformat()) <= today
            ):
                found = {"watch": other.watch, "alert": other.alert, "recovery": other.recovery}
        factor = entry.part_time_factor if seen.part_time else 1
        return {name: None if limit is None else limit * factor for name, limit in found.items()}


def _reached(entry: IndicatorEntry, value: float, limit: float) -> bool:
    if entry.direction == "at-least":
        return value >= limit
    return value <= limit if entry.direction == "at-most" else value < limit


def _recovered(entry: IndicatorEntry, value: float, recovery: float) -> bool:
    return value <= recovery if entry.direction == "at-least" else value >= recovery
