"""The real outcomes of 2013, where they are at hand: the published, untrained index orders students well enough."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from services.cli import main
from services.kernel.register import load_register
from tests.support import CHECKOUT

DATA = os.environ.get("SIGNPOST_TEST_DATA", "")
pytestmark = pytest.mark.skipif(not DATA, reason="SIGNPOST_TEST_DATA names no folder with real data sets")

# An equal-weight index of centiles over the same inputs reached this on another year.
REFERENCE = {28: (0.71, 0.84), 56: (0.76, 0.85), 84: (0.78, 0.70), 112: (0.83, 0.84)}


@pytest.fixture(scope="module")
def days() -> dict[int, dict[str, Any]]:
    done = CliRunner().invoke(main, ["evaluate", "oulad", str(Path(DATA) / "oulad"), "--json"])
    assert done.exit_code == 0, done.output
    return {day["day"]: day for day in json.loads(done.stdout)}


def test_the_index_is_at_least_as_good_as_the_reference(days: dict[int, dict[str, Any]]) -> None:
    """AUC, and precision among as many students as the rule of fourteen days flags."""
    assert set(days) == set(REFERENCE)
    for day, (auc, precision) in REFERENCE.items():
        assert days[day]["index"]["auc"] >= auc
        assert days[day]["index"]["precision_at_rule_rate"] >= precision
        assert days[day]["index"]["precision_at_rule_rate"] > days[day]["rule"]["precision"]


def test_the_figures_are_those_that_the_files_have(days: dict[int, dict[str, Any]]) -> None:
    """Counted from the files by other means."""
    assert [days[day]["students"] for day in REFERENCE] == [11802, 11426, 11131, 10775]
    assert days[28]["base"] == pytest.approx(0.4437, abs=5e-5)
    assert [days[day]["rule"]["flagged_students"] for day in REFERENCE] == [1147, 1534, 3355, 2703]
    assert days[84]["rule"]["precision"] == pytest.approx(0.6689, abs=5e-5)


def test_the_documents_tables_are_what_comes_out(days: dict[int, dict[str, Any]]) -> None:
    """To the digit that they are given in: the index and the rule by day, then each rule."""
    text = (CHECKOUT / "docs" / "evaluation.md").read_text()
    for number, day in days.items():
        (row,) = re.findall(rf"^\| {number} \| (.*) \|$", text, re.MULTILINE)
        rule, index = day["rule"], day["index"]
        shares = (day["base"], rule["flagged"], rule["precision"], rule["recall"])
        said = [f"{day['students']:,}", *(f"{100 * share:.1f}" for share in shares), f"{index['auc']:.3f}"[1:]]
        assert row.split(" | ") == [*said, f"{100 * index['precision_at_rule_rate']:.1f}"]
    for name in set(days[28]["rules"]) - {"low-attendance"}:
        (row,) = re.findall(rf"^\| `{name}` \| (.*) \|$", text, re.MULTILINE)
        rules = [day["rules"][name] for day in days.values()]
        cells = [" / ".join(_percent(r[figure]) for figure in ("flagged", "precision", "recall")) for r in rules]
        assert row.split(" | ")[:4] == cells


def _percent(share: float | None) -> str:
    return "–" if share is None else f"{100 * share:.0f}"


def test_every_rule_is_scored_and_every_attribute_compared(days: dict[int, dict[str, Any]]) -> None:
    for day in days.values():
        assert set(day["rules"]) == set(load_register().rule)
        for gap in day["gaps"].values():
            assert 0 < gap["flag_rate"] < 0.5
            assert gap["precision"] is not None
        assert len(day["presentations"]) == 9
