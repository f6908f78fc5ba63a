"""Today's contracts are those of the golden schemas, or differ by additions that were written down."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from services.kernel.topics import ALL_TOPICS
from tests.contracts.compatibility import breaking_changes
from tests.contracts.golden import EXAMPLES, PAYLOADS, SCHEMAS, golden_schema, schema_of
from tests.contracts.regenerate import regenerate

_EITHER_OR = (
    "{name} is not what tests/contracts/schemas/{name}.json says. If the change only adds optional fields, write the"
    " schema anew with `python -m tests.contracts.regenerate`; otherwise leave {name} as it was and make a new type"
    " with a new major version."
)


@pytest.mark.parametrize("name", PAYLOADS)
def test_a_type_is_what_its_golden_schema_says(name: str) -> None:
    assert schema_of(PAYLOADS[name]) == golden_schema(name), _EITHER_OR.format(name=name)


@pytest.mark.parametrize("name", PAYLOADS)
def test_a_type_breaks_neither_older_records_nor_older_readers(name: str) -> None:
    golden = golden_schema(name)
    assert golden is not None, f"write the schema of {name} with `python -m tests.contracts.regenerate`"
    assert breaking_changes(golden, schema_of(PAYLOADS[name])) == [], _EITHER_OR.format(name=name)


@pytest.mark.parametrize("folder", [SCHEMAS, EXAMPLES])
def test_every_payload_of_every_topic_has_its_file_and_no_file_lost_its_type(folder: Path) -> None:
    assert {file.name for file in folder.iterdir()} == {f"{name}.json" for name in PAYLOADS}


def test_types_are_named_in_the_past_tense_with_a_major_version() -> None:
    assert len(PAYLOADS) == sum(len(topic.payloads) for topic in ALL_TOPICS)
    for name, payload in PAYLOADS.items():
        assert re.fullmatch(payload.__name__ + r"\.v[1-9]\d*", name)
        assert payload.__name__.endswith("ed")


def test_regenerating_changes_nothing_while_the_contracts_are_unchanged(tmp_path: Path) -> None:
    assert regenerate(tmp_path) == []
    assert {file.name: file.read_text() for file in tmp_path.iterdir()} == {
        file.name: file.read_text() for file in SCHEMAS.iterdir()
    }


def test_regenerating_refuses_to_write_a_breaking_change(tmp_path: Path) -> None:
    regenerate(tmp_path)
    file = tmp_path / "ClockTicked.v1.json"
    older = file.read_text().replace('"at_ms": {', '"zone": {"type": "string"}, "at_ms": {')
    file.write_text(older)
    assert regenerate(tmp_path) == ["ClockTicked.v1: .zone: it was removed"]
    assert json.loads(file.read_text()) == json.loads(older)
