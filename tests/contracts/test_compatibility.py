"""The comparison of schemas lets additions pass and names every breaking change."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec
import pytest
from msgspec import Meta, Struct, defstruct

from tests.contracts.compatibility import breaking_changes


class Part(Struct, kw_only=True):
    """Stands inside another."""

    name: str


class NumberedPart(Struct, kw_only=True):
    """As `Part`, with a number for its name."""

    name: int


class TitledPart(Struct, kw_only=True):
    """As `Part`, with a title for its name."""

    title: str


class AgedPart(Part, kw_only=True):
    """As `Part`, with an age beside its name."""

    age: int


class Thing(Struct, kw_only=True, tag_field="type", tag="Thing.v1"):
    """What is changed below."""

    size: Annotated[int, Meta(ge=1)]
    state: Literal["a", "b"]
    parts: tuple[Part, ...] = ()
    first: Part | None = None
    note: str = ""


def changed(tag: str = "Thing.v1", without: str = "", **fields: object) -> list[str]:
    """What breaks when `Thing` gets other fields: a type, or a type with a default."""
    kept = {f.name: (f.type, f.default) for f in msgspec.structs.fields(Thing) if f.name != without}
    wanted = kept | {name: how if isinstance(how, tuple) else (how, msgspec.NODEFAULT) for name, how in fields.items()}
    listed = [(name, *(part for part in how if part is not msgspec.NODEFAULT)) for name, how in wanted.items()]
    thing = defstruct("Other", listed, kw_only=True, tag_field="type", tag=tag)
    return breaking_changes(msgspec.json.schema(Thing), msgspec.json.schema(thing))


def test_nothing_breaks_where_only_names_and_words_differ() -> None:
    assert changed() == []


def test_a_new_optional_field_is_an_addition() -> None:
    assert changed(colour=(str | None, None), more=(Part | None, None)) == []


@pytest.mark.parametrize(
    ("how", "expected"),
    [
        ({"without": "note"}, ".note: it was removed"),
        ({"colour": str}, ".colour: it is required, and older records lack it"),
        ({"note": str}, ".note: it is required, and older records lack it"),
        ({"size": (Annotated[int, Meta(ge=1)], 1)}, ".size: it may be absent, and older readers require it"),
        ({"size": Annotated[str, Meta(min_length=1)]}, ".size: type was 'integer' and is 'string'"),
        ({"size": Annotated[int, Meta(ge=2)]}, ".size: minimum was 1 and is 2"),
        ({"size": int}, ".size: minimum was 1 and is None"),
        ({"state": Literal["a", "b", "c"]}, ".state: enum was ['a', 'b'] and is ['a', 'b', 'c']"),
        ({"state": Literal["a"]}, ".state: enum was ['a', 'b'] and is ['a']"),
        ({"note": (str, "none")}, ".note: default was '' and is 'none'"),
        ({"note": (str | None, "")}, ".note: it had 0 forms and has 2"),
        ({"parts": (tuple[NumberedPart, ...], ())}, ".parts[].name: type was 'string' and is 'integer'"),
        ({"parts": (tuple[TitledPart, ...], ())}, ".parts[].name: it was removed"),
        ({"first": (AgedPart | None, None)}, ".first.age: it is required, and older records lack it"),
        ({"tag": "Thing.v2"}, ".type: enum was ['Thing.v1'] and is ['Thing.v2']"),
    ],
)
def test_a_breaking_change_is_named(how: dict[str, object], expected: str) -> None:
    assert expected in changed(**how)  # type: ignore[arg-type]  # each is one of its arguments
