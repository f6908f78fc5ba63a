"""Whether a schema may take the place of another within the same major version: only additions may."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

_ANNOTATIONS = {"$defs", "$ref", "title", "description"}  # a reference is followed, its name does not matter
_COMPARED_IN_DEPTH = {"properties", "required", "items", "anyOf"}


@dataclass(frozen=True, slots=True)
class _Node:
    """A part of a schema, with the whole that its references point into."""

    part: dict[str, Any]
    whole: dict[str, Any]

    def at(self, part: Any) -> _Node:
        """Another part of the same schema."""
        return _Node(part, self.whole)

    def followed(self) -> _Node:
        """The same, where a reference stands: what it points to, with what stands beside it."""
        reference = self.part.get("$ref")
        if reference is None:
            return self
        beside = {keyword: value for keyword, value in self.part.items() if keyword != "$ref"}
        return self.at(self.whole["$defs"][reference.removeprefix("#/$defs/")] | beside)


def breaking_changes(old: dict[str, Any], new: dict[str, Any]) -> list[str]:
    """What in `new` a reader or a record of `old` could not bear; empty where `new` only adds optional fields."""
    return list(_compare("", _Node(old, old), _Node(new, new)))


def _compare(where: str, old: _Node, new: _Node) -> Iterator[str]:
    old, new = old.followed(), new.followed()
    for keyword in sorted((old.part.keys() | new.part.keys()) - _ANNOTATIONS - _COMPARED_IN_DEPTH):
        before, now = old.part.get(keyword), new.part.get(keyword)
        if before != now:
            yield f"{where or 'the type'}: {keyword} was {before!r} and is {now!r}"
    yield from _compare_fields(where, old, new)
    yield from _compare_list(f"{where}[]", _wrapped(old, "items"), _wrapped(new, "items"))
    yield from _compare_list(where, _listed(old, "anyOf"), _listed(new, "anyOf"))


def _compare_fields(where: str, old: _Node, new: _Node) -> Iterator[str]:
    before, now = old.part.get("properties", {}), new.part.get("properties", {})
    needed_before, needed_now = set(old.part.get("required", ())), set(new.part.get("required", ()))
    for name in sorted(before.keys() - now.keys()):
        yield f"{where}.{name}: it was removed"
    for name in sorted(needed_now - needed_before):
        yield f"{where}.{name}: it is required, and older records lack it"
    for name in sorted((needed_before - needed_now) & now.keys()):
        yield f"{where}.{name}: it may be absent, and older readers require it"
    for name in sorted(before.keys() & now.keys()):
        yield from _compare(f"{where}.{name}", old.at(before[name]), new.at(now[name]))


def _compare_list(where: str, old: list[_Node], new: list[_Node]) -> Iterator[str]:
    if len(old) != len(new):
        yield f"{where or 'the type'}: it had {len(old)} forms and has {len(new)}"
        return
    for before, now in zip(old, new, strict=True):
        yield from _compare(where, before, now)


def _wrapped(node: _Node, keyword: str) -> list[_Node]:
    return [node.at(node.part[keyword])] if keyword in node.part else []


def _listed(node: _Node, keyword: str) -> list[_Node]:
    return [node.at(part) for part in node.part.get(keyword, ())]
