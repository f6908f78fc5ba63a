"""What a new version of the policy register changed: found by comparing the files, not by what somebody wrote.

The files are compared as they are read, before their meaning: so a version of an older form compares too.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

# Facts about the file itself rather than about what is done.
_OF_THE_FILE = {"version", "dated", "replaces", "note", "cy"}


@dataclass(frozen=True, slots=True)
class FieldChange:
    """A field of an entry; None where one of the versions has no such field."""

    field: str
    old: Any
    new: Any


@dataclass(frozen=True, slots=True)
class EntryChange:
    """An entry that came, went, or says something else.

    Attributes:
        kind: of the entry, as in the file: "purposes".
        title: as the newer version gives it, or the name where it has none.
        fields: those that differ, of a changed entry only.
    """

    kind: str
    name: str
    title: str
    what: Literal["added", "removed", "changed"]
    fields: tuple[FieldChange, ...] = ()


def changes(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[EntryChange]:
    """All that differs between two registers as read from TOML: in the order of the newer one, kind by kind."""
    kinds = dict.fromkeys([*after, *before])
    return [
        change
        for kind in kinds
        if kind not in _OF_THE_FILE
        for change in _of_kind(kind, before.get(kind, ()), after.get(kind, ()))
    ]


def _of_kind(
    kind: str, before: Sequence[Mapping[str, Any]], after: Sequence[Mapping[str, Any]]
) -> Iterator[EntryChange]:
    old = {entry["name"]: entry for entry in before}
    new = {entry["name"]: entry for entry in after}
    for name, entry in new.items():
        if name not in old:
            yield EntryChange(kind, name, entry.get("title", name), "added")
        elif fields := tuple(_fields(old[name], entry)):
            yield EntryChange(kind, name, entry.get("title", name), "changed", fields)
    for name, entry in old.items():
        if name not in new:
            yield EntryChange(kind, name, entry.get("title", name), "removed")


def _fields(old: Mapping[str, Any], new: Mapping[str, Any]) -> Iterator[FieldChange]:
    for field in dict.fromkeys([*new, *old]):
        if old.get(field) != new.get(field):
            yield FieldChange(field, old.get(field), new.get(field))
