"""The golden files: one schema for each type of event, and examples of it that a person wrote."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import msgspec

from services.kernel.topics import ALL_TOPICS

SCHEMAS = Path(__file__).with_name("schemas")
EXAMPLES = Path(__file__).with_name("examples")

PAYLOADS: dict[str, type[msgspec.Struct]] = {
    msgspec.inspect.type_info(payload).tag: payload  # type: ignore[attr-defined]  # a tagged struct
    for topic in ALL_TOPICS
    for payload in topic.payloads
}
TOPIC_OF = {payload: topic for topic in ALL_TOPICS for payload in topic.payloads}


def schema_of(payload: type) -> dict[str, Any]:
    """The JSON Schema of a type as today's code has it."""
    return dict(json.loads(json.dumps(msgspec.json.schema(payload))))


def golden_schema(name: str, folder: Path = SCHEMAS) -> dict[str, Any] | None:
    """The committed JSON Schema of a type, by its name with version; None where there is none."""
    file = folder / f"{name}.json"
    return dict(json.loads(file.read_text())) if file.is_file() else None


def examples_of(name: str) -> dict[str, Any]:
    """The committed examples of a type, by what is special about each."""
    return dict(json.loads((EXAMPLES / f"{name}.json").read_text()))
