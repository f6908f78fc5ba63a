"""What a register may not say of thresholds, vacations and rules; each refusal says where it is and how to mend it."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest
from msgspec import structs

from services.kernel.consistency import problems
from services.kernel.register import Register, Threshold, Vacation, load_register
from tests.support.registers import local

SHIPPED = load_register()
MARCH, EASTER = dt.date(2026, 3, 9), dt.date(2026, 3, 28)
DAYS = "indicator 'days-since-last-activity'"
ALIKE = (
    f"thresholds 'a' and 'b' are both for {DAYS}, from the same day, and have a module in common: give one another "
    "first_day or other modules"
)

pytestmark = pytest.mark.requirement("R8")


def said(register: Register) -> list[str]:
    """All that is wrong with a register."""
    return next(problems(register), ("", []))[1]


def with_indicator(name: str, **changes: Any) -> Register:
    changed = tuple(structs.replace(i, **changes) if i.name == name else i for i in SHIPPED.indicators)
    return structs.replace(SHIPPED, indicators=changed)


def with_rule(name: str, **changes: Any) -> Register:
    changed = tuple(structs.replace(r, **changes) if r.name == name else r for r in SHIPPED.rules)
    return structs.replace(SHIPPED, rules=changed)


def threshold(name: str, indicator: str = "days-since-last-activity", **changes: Any) -> Threshold:
    return Threshold(name=name, title=name, indicator=indicator, reason="Field work.", **changes)


def with_thresholds(*thresholds: Threshold) -> Register:
    return structs.replace(SHIPPED, thresholds=thresholds)


def vacation(name: str, first: dt.date, days: int) -> Vacation:
    return Vacation(name=name, title=name, first_day=first, last_day=first + dt.timedelta(days=days - 1))


def with_vacations(*vacations: Vacation) -> Register:
    return structs.replace(SHIPPED, vacations=vacations)


def test_the_shipped_register_and_one_with_vacations_and_other_thresholds_contradict_nothing() -> None:
    assert said(SHIPPED) == []
    assert said(local().register) == []


@pytest.mark.parametrize(
    ("register", "problem"),
    [
        (
            with_indicator("days-since-last-activity", recovery=7),
            f"{DAYS} has recovery = 7, at which its level still holds: it must be below that",
        ),
        (
            with_indicator("active-days-14", recovery=1),
            "indicator 'active-days-14' has recovery = 1, at which its level still holds: it must be above that",
        ),
        (
            with_indicator("attendance", recovery=49),
            "indicator 'attendance' has recovery = 49, at which its level still holds: it must be above that",
        ),
        (
            with_indicator("volume-7", recovery=3),
            "indicator 'volume-7' has a recovery without watch or alert: leave it out",
        ),
        (
            with_indicator("days-since-last-activity", watch=14),
            f"{DAYS} reaches its alert no later than its watch, though its direction is 'at-least'",
        ),
        (
            with_indicator("own-trend", watch=-2),
            "indicator 'own-trend' reaches its alert no later than its watch, though its direction is 'at-most'",
        ),
        (
            with_indicator("days-since-last-activity", part_time_factor=0),
            "indicator 'days-since-last-activity' has part_time_factor = 0: it must be above 0",
        ),
        (
            with_indicator("own-trend", alert=float("nan"), recovery=None),
            "indicator 'own-trend' has alert = nan: it must be a finite number; leave it out where there is none",
        ),
        (
            with_rule("low-activity", level="watch"),
            "rule 'low-activity' is of level 'watch', for which its indicator has no threshold",
        ),
        (with_thresholds(threshold("t", "gravity", alert=3)), "indicator 'gravity'"),
        (
            with_thresholds(threshold("t", alert=10, recovery=12)),
            "threshold 't' has recovery = 12, at which its level still holds: it must be below that",
        ),
        (
            with_thresholds(threshold("a", alert=10, modules=("M", "N")), threshold("b", alert=9, modules=("N",))),
            ALIKE,
        ),
        (
            with_thresholds(threshold("a", alert=10, first_day=MARCH), threshold("b", alert=9, first_day=MARCH)),
            ALIKE,
        ),
        (
            with_vacations(vacation("easter", EASTER, 0)),
            "vacation 'easter' ends before it begins: first_day must not be after last_day",
        ),
        (
            with_vacations(vacation("for-good", dt.date(2026, 1, 1), (dt.date.max - dt.date(2026, 1, 1)).days)),
            "vacation 'for-good' must lie within the years 1970 to 2999",
        ),
        (
            with_vacations(vacation("whitsun", EASTER + dt.timedelta(days=15), 7), vacation("easter", EASTER, 16)),
            "vacations 'easter' and 'whitsun' overlap: make one of them, or part their days",
        ),
    ],
)
def test_what_contradicts_itself_is_refused(register: Register, problem: str) -> None:
    assert said(register) == [problem]


@pytest.mark.parametrize(
    "register",
    [
        with_indicator("days-since-last-activity", recovery=6),
        with_indicator("attendance", recovery=50),
        with_rule("missing-work", in_a_row=2),
        with_thresholds(threshold("none-there", modules=("M",))),
        with_thresholds(threshold("a", alert=10, modules=("M",)), threshold("b", alert=9)),
        with_thresholds(threshold("a", alert=10, modules=("M",)), threshold("b", alert=9, modules=("N",))),
        with_thresholds(threshold("a", alert=10), threshold("b", alert=9, first_day=MARCH)),
        with_thresholds(threshold("a", alert=10), threshold("b", "active-days-14", alert=2)),
        with_vacations(vacation("one", EASTER, 7), vacation("next", EASTER + dt.timedelta(days=7), 7)),
        with_vacations(vacation("one-day", EASTER, 1)),
    ],
)
def test_what_is_clear_is_not(register: Register) -> None:
    assert said(register) == []
