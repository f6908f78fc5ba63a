"""The worked example of the documentation is worked rightly, and every indicator is explained there."""

from __future__ import annotations

import datetime as dt
import math
import re
import statistics
from collections.abc import Iterator

import pytest

from services.indicators.domain.formulas import FORMULAS
from services.kernel.register import load_register
from tests.support import CHECKOUT, reference
from tests.support.columns import places_of
from tests.support.reference import Happened, History, Mark, Piece

TEXT = (CHECKOUT / "docs" / "indicators.md").read_text("utf-8")
NOW = dt.datetime.combine(dt.date(2026, 3, 18), dt.time(12), dt.UTC)
START = dt.date(2026, 1, 12)


def rows(heading: str) -> Iterator[list[str]]:
    """The cells of the rows of the table with this heading."""
    _, _, below = TEXT.partition(f"| {heading} |")
    for line in below.partition("\n\n")[0].splitlines()[2:]:
        yield [cell.strip() for cell in line.strip("| ").split("|")]


def moment(written: str) -> dt.datetime:
    """A moment of the example."""
    return dt.datetime.fromisoformat(written).replace(tzinfo=dt.UTC)


def history() -> History:
    """The example's student."""
    marks = re.findall(r"(came|not) on (\d{4}-\d\d-\d\d)", TEXT)
    return History(
        start=START,
        since=START,
        happened=[Happened(moment(at), kind, int(weight)) for at, kind, weight in rows("When | What | Actions")],
        work=[
            Piece(moment(due), None if came == "no" else moment(came)) for due, came in rows("Work, due | Handed in")
        ],
        marks=[Mark(dt.date.fromisoformat(day), attended=came == "came") for came, day in marks],
    )


def test_the_worked_example_comes_to_what_it_says() -> None:
    documented = {name.strip("`"): float(value.replace("−", "-")) for name, value, _ in rows("Figure | Value | How")}
    places = places_of([history()], NOW)
    computed = {name: float(formula(places).values[0]) for name, formula in FORMULAS.items()}
    assert documented == {name: pytest.approx(value, abs=5e-5) for name, value in computed.items()}
    assert documented == {n: pytest.approx(v, abs=5e-5) for n, v in reference.figures(history(), NOW).items()}


def test_the_example_among_others_comes_to_what_it_says() -> None:
    volumes = [5, 12, 20, 33, 40, 41, 55, 60, 80, 120]
    logs = [math.log1p(volume) for volume in volumes]
    median = statistics.median(logs)
    mad = statistics.median(abs(log - median) for log in logs)
    assert (round(median, 4), round(mad, 4)) == (3.7256, 0.527)
    assert round((math.log(34) - median) / (1.4826 * mad), 3) == -0.255


@pytest.mark.requirement("R8")
def test_every_indicator_has_its_chapter_and_says_what_it_does_not_mean() -> None:
    chapters = re.split(r"^## ", TEXT, flags=re.MULTILINE)
    explained = {
        name: chapter for chapter in chapters for name in re.findall(r"`([a-z0-9-]+)`", chapter.splitlines()[0])
    }
    assert explained.keys() == {entry.name for entry in load_register().indicators}
    assert [name for name, chapter in explained.items() if "*It does not mean*" not in chapter] == []
    assert [name for name, chapter in explained.items() if "*Limits*" not in chapter] == []
