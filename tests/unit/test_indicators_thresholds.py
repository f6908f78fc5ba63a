"""Which of several thresholds holds for a module on a day."""

from __future__ import annotations

import datetime as dt

import numpy as np
import pytest
from msgspec import structs

from services.indicators.domain.rules import Thresholds
from services.kernel.clock import day_number
from services.kernel.register import Threshold
from tests.support.judged import register

MARCH, APRIL = dt.date(2026, 3, 1), dt.date(2026, 4, 1)


def other(name: str, alert: float | None, first: dt.date | None = None, *modules: str) -> Threshold:
    return Threshold(
        name=name, title=name, indicator="up", reason="Field work.", modules=modules, first_day=first, alert=alert
    )


SEVERAL = (
    other("april-here", 44, APRIL, "B"),
    other("here", 40, None, "B", "C"),
    other("march", 30, MARCH),
    other("april", 34, APRIL),
    other("none-there", None, None, "D"),
)


@pytest.mark.parametrize(
    ("module", "day", "alert"),
    [
        ("A", "2026-02-28", 6),
        ("A", "2026-03-01", 30),
        ("A", "2026-03-31", 30),
        ("A", "2026-04-01", 34),
        ("B", "2026-02-28", 40),
        ("B", "2026-03-31", 40),  # one that names the module goes before one for all
        ("B", "2026-04-01", 44),
        ("C", "2026-04-01", 40),
        ("D", "2026-04-01", None),
    ],
)
def test_the_module_goes_before_the_day_and_the_later_day_before_the_earlier(
    module: str, day: str, alert: float | None
) -> None:
    for order in (SEVERAL, SEVERAL[::-1]):
        table = Thresholds(register(thresholds=order)).table([module], day_number(day))
        expected = [np.nan if alert != 6 else 3, np.nan if alert is None else alert, np.nan if alert != 6 else 1]
        np.testing.assert_array_equal(table[0, 0], expected)


def test_one_that_applies_replaces_all_levels_and_leaves_other_indicators_alone() -> None:
    thresholds = Thresholds(register(thresholds=(other("march", 30, MARCH),)))
    table = thresholds.table(["A", "B"], day_number("2026-03-01"))
    assert table.shape == (2, 3, 3)
    np.testing.assert_array_equal(table[1], [[np.nan, 30, np.nan], [np.nan, -1, np.nan], [np.nan, 50, 60]])


def test_tables_of_one_day_are_not_those_of_the_next() -> None:
    thresholds = Thresholds(register(thresholds=(other("march", 30, MARCH),)))
    days = [day_number(day) for day in ("2026-02-28", "2026-03-01", "2026-02-28")]
    assert [thresholds.table(["A"], day)[0, 0, 1] for day in days] == [6, 30, 6]
    assert thresholds.table([], days[0]).shape == (0, 3, 3)
    bare = structs.replace(register(), thresholds=())
    assert Thresholds(bare).table(["A"], days[1])[0, 0, 1] == 6
