"""What a register must not say: anything twice, what it does not declare, and what contradicts itself."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from itertools import combinations, pairwise
from math import inf, isfinite
from typing import TYPE_CHECKING

from services.kernel.entries import IndicatorEntry, SpecialCategory, Threshold, Worded

if TYPE_CHECKING:
    from services.kernel.register import Register

_YEARS = (1970, 2999)  # of vacations


def problems(register: Register) -> Iterator[tuple[str, list[str]]]:
    """Each kind of problem with all that has it; what is declared is known when contradictions are looked for."""
    for problem, check in (
        ("declares more than once", _twice),
        ("uses what it does not declare", _undeclared),
        ("leaves open or contradicts itself", _unclear),
    ):
        if found := list(check(register)):
            yield problem, found


def _twice(register: Register) -> Iterator[str]:
    """Names must be unique in their kind, and a verb must lead to one activity in the statements of a source."""
    names = Counter((kind, entry.name) for kind, entry in register.entries())
    verbs = Counter(
        (f"verbs of {source}" if source else "verbs", verb)
        for entry in register.activities
        for source in entry.sources or ("",)
        for verb in entry.verbs
    )
    return (f"{name!r} in {kind}" for (kind, name), times in (names + verbs).items() if times > 1)


def _undeclared(register: Register) -> Iterator[str]:
    used = [("purpose", i.purpose) for i in register.indicators]
    used += [("purpose", r.purpose) for r in register.rules]
    used += [("purpose", p.needs) for p in register.purposes if p.needs]
    used += [("source", s) for i in register.indicators for s in i.sources]
    used += [("source", s) for a in register.activities for s in a.sources]
    used += [("indicator", r.indicator) for r in register.rules]
    used += [("indicator", t.indicator) for t in register.thresholds]
    used += [("role", r) for p in register.purposes for r in p.seen_by]
    used += [("view", v) for r in register.roles for v in r.sees]
    known = {
        "purpose": set(register.purpose),
        "source": set(register.source),
        "indicator": set(register.indicator),
        "role": {role.name for role in register.roles},
        "view": {view.name for view in register.views},
    }
    return (f"{kind} {name!r}" for kind, name in used if name not in known[kind])


def _unclear(register: Register) -> Iterator[str]:
    for kept in register.retention:
        if (kept.days is None) == (not kept.until):
            yield f"retention {kept.name!r} must have either days or until"
    seen = {name for role in register.roles for name in role.sees}
    yield from (f"view {view.name!r} is seen by no role" for view in register.views if view.name not in seen)
    yield from _unclear_rules(register)
    yield from _unclear_thresholds(register)
    yield from _unclear_vacations(register)
    for name, worded in _worded(register):
        if alien := [field for field in worded.cy if not isinstance(getattr(worded, field, None), str)]:
            yield f"{name} has Welsh for {alien}, which is no text of it"


def _unclear_rules(register: Register) -> Iterator[str]:
    for rule in register.rules:
        indicator = register.indicator[rule.indicator]
        if getattr(indicator, rule.level) is None:
            yield f"rule {rule.name!r} is of level {rule.level!r}, for which its indicator has no threshold"


def _unclear_thresholds(register: Register) -> Iterator[str]:
    for entry in register.indicators:
        yield from _unclear_levels(f"indicator {entry.name!r}", entry, entry)
        if not 0 < entry.part_time_factor < inf:
            yield f"indicator {entry.name!r} has part_time_factor = {entry.part_time_factor:g}: it must be above 0"
    for other in register.thresholds:
        yield from _unclear_levels(f"threshold {other.name!r}", other, register.indicator[other.indicator])
    for one, other in combinations(register.thresholds, 2):
        if _alike(one, other):
            yield (
                f"thresholds {one.name!r} and {other.name!r} are both for indicator {one.indicator!r}, from the same "
                "day, and have a module in common: give one another first_day or other modules"
            )


def _unclear_levels(what: str, levels: IndicatorEntry | Threshold, entry: IndicatorEntry) -> Iterator[str]:
    """A recovery must lie beyond both levels, and the watch before the alert, in the indicator's direction."""
    for name in ("watch", "alert", "recovery"):
        limit = getattr(levels, name)
        if limit is not None and not isfinite(limit):
            yield f"{what} has {name} = {limit:g}: it must be a finite number; leave it out where there is none"
    upwards = 1 if entry.direction == "at-least" else -1
    limits = [upwards * limit for limit in (levels.watch, levels.alert) if limit is not None]
    if len(limits) == 2 and limits[0] >= limits[1]:  # noqa: PLR2004 - both levels
        yield f"{what} reaches its alert no later than its watch, though its direction is {entry.direction!r}"
    if levels.recovery is None:
        return
    recovery, weakest = upwards * levels.recovery, min(limits, default=None)
    if weakest is None:
        yield f"{what} has a recovery without watch or alert: leave it out"
    elif recovery > weakest or (recovery == weakest and entry.direction != "below"):
        side = "below" if upwards > 0 else "above"
        yield f"{what} has recovery = {levels.recovery:g}, at which its level still holds: it must be {side} that"


def _alike(one: Threshold, other: Threshold) -> bool:
    modules = set(one.modules) & set(other.modules) or not (one.modules or other.modules)
    return one.indicator == other.indicator and one.first_day == other.first_day and bool(modules)


def _unclear_vacations(register: Register) -> Iterator[str]:
    for vacation in register.vacations:
        if vacation.last_day < vacation.first_day:
            yield f"vacation {vacation.name!r} ends before it begins: first_day must not be after last_day"
        if not all(_YEARS[0] <= day.year <= _YEARS[1] for day in (vacation.first_day, vacation.last_day)):
            yield f"vacation {vacation.name!r} must lie within the years {_YEARS[0]} to {_YEARS[1]}"
    for one, after in pairwise(sorted(register.vacations, key=lambda vacation: vacation.first_day)):
        if after.first_day <= one.last_day:
            yield f"vacations {one.name!r} and {after.name!r} overlap: make one of them, or part their days"


def _worded(register: Register) -> Iterator[tuple[str, Worded]]:
    """Everything that has texts in Welsh, with what to call it."""
    yield "the register itself", register
    for kind, entry in register.entries():
        yield f"{entry.name!r} in {kind}", entry
        if isinstance(entry, SpecialCategory) and entry.benefit_record:
            yield f"the benefit record of {entry.name!r}", entry.benefit_record
