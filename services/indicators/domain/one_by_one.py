"""From figures to levels, and from levels to the start and the end of episodes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from services.indicators.domain.engagement import FORMULAS, Activity, counted_from
from services.indicators.domain.window import Episode, ModuleWindows
from services.kernel.events import Enrolment
from services.kernel.ids import deterministic_id
from services.kernel.register import IndicatorEntry, Register

Level = Literal["none", "watch", "alert"]


@dataclass(frozen=True, slots=True)
class Situation:
    """A student on a module as of a local day, as far as the tutor may know."""

    student: str
    enrolment: Enrolment
    activity: Activity
    today: int


@dataclass(frozen=True, slots=True)
class Change:
    """An episode that began or ended, with the figure that says so."""

    episode: Episode
    rule: str
    state: Literal["opened", "recovered"]
    value: float
    threshold: float


def threshold(entry: IndicatorEntry, level: Level, *, part_time: bool) -> float | None:
    """From which value on a level holds, in the indicator's unit; None where the register sets none."""
    limit = {"watch": entry.watch, "alert": entry.alert, "none": None}[level]
    return None if limit is None else limit * (entry.part_time_factor if part_time else 1)


def holds(entry: IndicatorEntry, value: float, limit: float) -> bool:
    """Whether a value has reached a limit, in the direction that the register gives."""
    return value >= limit if entry.direction == "at-least" else value <= limit


def level(entry: IndicatorEntry, value: float, *, part_time: bool) -> tuple[Level, float | None]:
    """The strongest level that holds, with its threshold; the first level's where none holds."""
    levels: tuple[Level, ...] = ("alert", "watch")
    for name in levels:
        limit = threshold(entry, name, part_time=part_time)
        if limit is not None and holds(entry, value, limit):
            return name, limit
    first = threshold(entry, "watch", part_time=part_time)
    return "none", first if first is not None else threshold(entry, "alert", part_time=part_time)


def judge(register: Register, situation: Situation, windows: ModuleWindows) -> list[Change]:
    """Judge every rule, and record in `windows` which episodes are open.

    An episode opens once: its id comes from the student, module, rule and the day that it counts from.
    """
    changes = []
    for rule in register.rules:
        entry = register.indicator[rule.indicator]
        limit = threshold(entry, rule.level, part_time=situation.enrolment.part_time)
        if limit is None:
            continue
        value = FORMULAS[rule.indicator](situation.activity, situation.today)
        is_open = windows.episodes.get(rule.name)
        if holds(entry, value, limit):
            if is_open is None:
                begun = windows.episodes[rule.name] = _episode(situation, rule.name)
                changes.append(Change(begun, rule.name, "opened", value, limit))
        elif is_open is not None:
            del windows.episodes[rule.name]
            changes.append(Change(is_open, rule.name, "recovered", value, limit))
    return changes


def _episode(situation: Situation, rule: str) -> Episode:
    day = counted_from(situation.activity)
    return Episode(deterministic_id(situation.student, situation.enrolment.module, rule, day), day)
