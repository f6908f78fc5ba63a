"""Trying out other thresholds: what a file of changes makes of the register, and what it must not hold."""

from __future__ import annotations

from pathlib import Path

import pytest

from services.kernel.amendments import amended
from services.kernel.errors import ConfigurationError
from services.kernel.register import load_register

THRESHOLD = """
[[thresholds]]
name = "{name}"
title = "Earlier"
indicator = "days-since-last-activity"
reason = "To be seen"
alert = {alert}
"""


def made(folder: Path, text: str) -> Path:
    file = folder / "changes.toml"
    file.write_text(text)
    return file


def test_an_entry_is_added_or_changed_in_what_is_said_only(tmp_path: Path) -> None:
    rule = '[[rules]]\nname = "days-since-last-activity"\ncool_down_days = 21\n'
    indicator = '[[indicators]]\nname = "days-since-last-activity"\nwatch = 5'
    found = amended(made(tmp_path, THRESHOLD.format(name="earlier", alert=10) + rule + indicator))
    changed = found.indicator["days-since-last-activity"]
    assert (changed.watch, changed.alert, changed.unit) == (5, 14, "days")
    (threshold,) = (entry for entry in found.thresholds if entry.name == "earlier")
    assert (threshold.alert, threshold.indicator) == (10, "days-since-last-activity")
    before = load_register().rule["days-since-last-activity"]
    assert found.rule[before.name].cool_down_days == 21
    assert found.rule[before.name].description == before.description
    assert list(found.rule) == list(load_register().rule)


@pytest.mark.parametrize(
    ("text", "message"),
    [("[[", "cannot be read"), ("", "changes nothing"), ("rules = []", "changes nothing"),
     ("[[purposes]]\nname = 'x'", "holds purposes: only [[indicators]], [[thresholds]], [[rules]], [[vacations]] can"),
     ("[[rules]]\ncool_down_days = 3", "each of [[rules]] must have a name"),
     ("[[rules]]\nname = ['a']", "each of [[rules]] must have a name"),
     ("rules = 3", "each of [[rules]] must have a name"),
     ("[[rules]]\nname = 'new'", "missing required field"),
     ("[[rules]]\nname = 'days-since-last-activity'\nlevel = 'loud'", "Invalid enum value 'loud'"),
     (THRESHOLD.format(name="earlier", alert=10).replace("since-last", "of-joy"), "indicator 'days-of-joy-activity'"),
     (THRESHOLD.format(name="earlier", alert='"soon"'), "Expected `float | null`, got `str`")],
)  # fmt: skip
def test_what_cannot_be_tried_out_is_said(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(ConfigurationError) as refused:
        amended(made(tmp_path, text))
    assert message in str(refused.value)
    assert "changes.toml" in str(refused.value)


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"changes\.toml cannot be read"):
        amended(tmp_path / "changes.toml")
