"""A register with changes that are only being thought of, to see what they would do before anybody is told of them."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from services.kernel.errors import ConfigurationError
from services.kernel.register import SHIPPED, Register, checked

AMENDABLE = ("indicators", "thresholds", "rules", "vacations")


def amended(changes: Path, register: Path | None = None) -> Register:
    """The register with the tables of `changes` in it, checked as a whole.

    A table says only what is to be different: one with the name of an entry changes that entry, another is a new
    entry and says all that the register asks of it.

    Raises:
        ConfigurationError: the file cannot be read or holds something else, or the register would not do so.
    """
    base = register or SHIPPED
    tables, changing = _read(base), _read(changes)
    if alien := sorted(set(changing) - set(AMENDABLE)):
        raise ConfigurationError(
            f"{changes} holds {', '.join(alien)}: only [[{']], [['.join(AMENDABLE)}]] can be tried out"
        )
    if not any(changing.values()):
        raise ConfigurationError(f"{changes} changes nothing: write [[{']], [['.join(AMENDABLE)}]] as in the register")
    for kind, entries in changing.items():
        tables[kind] = _changed(changes, kind, tables.get(kind, []), entries)
    return checked(tables, changes)


def _changed(file: Path, kind: str, before: Sequence[Mapping[str, Any]], entries: Any) -> list[Mapping[str, Any]]:
    named = isinstance(entries, list) and all(isinstance(e, dict) and isinstance(e.get("name"), str) for e in entries)
    if not named:
        raise ConfigurationError(f"{file}: each of [[{kind}]] must have a name, to say which entry it changes or adds")
    by_name = {entry["name"]: entry for entry in before}
    for entry in entries:
        by_name[entry["name"]] = {**by_name.get(entry["name"], {}), **entry}
    return list(by_name.values())


def _read(file: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(file.read_text("utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise ConfigurationError(f"{file} cannot be read: {error}") from error
