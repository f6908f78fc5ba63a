"""Every example can be read, says the same when it is written again, and is what its schema describes."""

from __future__ import annotations

import json
from typing import Any

import jsonschema
import pytest

from services.kernel.codec import decoder, encode
from services.kernel.errors import InvalidMessage
from tests.contracts.golden import PAYLOADS, TOPIC_OF, examples_of, golden_schema

EXAMPLES = [
    pytest.param(name, example, id=f"{name}: {what}")
    for name in PAYLOADS
    for what, example in examples_of(name).items()
]


def read(name: str, value: object) -> Any:
    """Decode as the topic's consumers do."""
    return decoder(TOPIC_OF[PAYLOADS[name]])(json.dumps(value).encode())


def filled(schema: dict[str, Any], value: Any, whole: dict[str, Any]) -> Any:
    """The value with the schema's defaults in the place of absent fields."""
    if "$ref" in schema:
        schema = whole["$defs"][schema["$ref"].removeprefix("#/$defs/")]
    if isinstance(value, list) and isinstance(schema["items"], dict):
        return [filled(schema["items"], item, whole) for item in value]
    if not isinstance(value, dict) or "properties" not in schema:
        return value
    fields = schema["properties"]
    absent = {name: field["default"] for name, field in fields.items() if "default" in field}
    return absent | {name: filled(fields[name], item, whole) for name, item in value.items()}


@pytest.mark.parametrize(("name", "example"), EXAMPLES)
def test_an_example_decodes_and_is_written_again_as_it_was(name: str, example: dict[str, Any]) -> None:
    schema = golden_schema(name) or {}
    decoded = read(name, example)
    assert type(decoded) is PAYLOADS[name]
    assert filled(schema, json.loads(encode(decoded)), schema) == filled(schema, example, schema)


@pytest.mark.parametrize(("name", "example"), EXAMPLES)
def test_an_example_is_what_the_schema_describes(name: str, example: dict[str, Any]) -> None:
    schema = golden_schema(name) or {}
    jsonschema.Draft202012Validator.check_schema(schema)
    jsonschema.Draft202012Validator(schema).validate(example)


@pytest.mark.parametrize("name", PAYLOADS)
def test_each_optional_field_is_absent_in_some_example_and_present_in_another(name: str) -> None:
    schema, examples = golden_schema(name) or {}, list(examples_of(name).values())
    fields = schema["$defs"][PAYLOADS[name].__name__]
    for optional in fields["properties"].keys() - set(fields["required"]):
        assert {optional in example for example in examples} == {True, False}, optional


@pytest.mark.parametrize(("name", "example"), EXAMPLES)
def test_a_reader_ignores_fields_that_it_does_not_know(name: str, example: dict[str, Any]) -> None:
    later = example | {"added_by_a_later_writer": {"anything": [1, None]}}
    assert read(name, later) == read(name, example)


@pytest.mark.parametrize(("name", "example"), EXAMPLES)
def test_a_reader_refuses_a_record_without_a_required_field(name: str, example: dict[str, Any]) -> None:
    schema = golden_schema(name) or {}
    for required in schema["$defs"][PAYLOADS[name].__name__]["required"]:
        if required == "type" and len(TOPIC_OF[PAYLOADS[name]].payloads) == 1:
            continue  # on a topic of one type a record without it is still of that type
        with pytest.raises(InvalidMessage):
            read(name, {field: value for field, value in example.items() if field != required})


@pytest.mark.parametrize(("name", "example"), EXAMPLES)
def test_a_reader_refuses_another_major_version(name: str, example: dict[str, Any]) -> None:
    with pytest.raises(InvalidMessage, match="type"):
        read(name, example | {"type": name.replace(".v1", ".v2")})
