"""The source systems that may use the door: a JSON file with a hash of each one's key, never the key itself."""

from __future__ import annotations

import base64
import hashlib
import hmac
import os
import secrets
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Literal

import msgspec
from msgspec import Meta, Struct

from services.kernel.errors import ConfigurationError
from services.kernel.register import Name, Register

Scope = Literal["events", "clock"]
Format = Literal["native", "xapi"]
_Hash = Annotated[str, Meta(pattern="^[0-9a-f]{64}$")]


class Source(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """A source system.

    Attributes:
        name: its user name at the door.
        source: the kind of system, as the policy register declares it; None where it may only set the clock.
        key_sha256: of its key, which is long and random.
        home_page: of the accounts in its xAPI statements whose names are the institution's person ids.
        assignments: what the object's id begins with in its xAPI statements about work that is handed in; the rest of
            it is the name of the piece of work, as in the directory. None where they do not tell.
    """

    name: Name
    key_sha256: _Hash
    source: Name | None = None
    formats: tuple[Format, ...] = ()
    scopes: tuple[Scope, ...] = ("events",)
    home_page: str | None = None
    assignments: Annotated[str, Meta(min_length=1)] | None = None


class Sources:
    """Finds the source system that a request's credentials belong to."""

    def __init__(self, entries: Sequence[Source]) -> None:
        self._by_name = {entry.name: entry for entry in entries}

    @property
    def kinds(self) -> frozenset[str]:
        """The kinds of systems that events come from."""
        sending = (entry.source for entry in self._by_name.values() if "events" in entry.scopes)
        return frozenset(filter(None, sending))

    def authenticate(self, authorization: str | None) -> Source | None:
        """The source of an `Authorization` header: `Basic` with name and key, or `Bearer name.key`."""
        name, key = _credentials(authorization or "")
        entry = self._by_name.get(name)
        expected = entry.key_sha256 if entry else "0" * 64  # an unknown name takes as long as a wrong key
        return entry if hmac.compare_digest(_hash(key), expected) else None


def load_sources(file: Path, register: Register) -> Sources:
    """Read and check the file.

    Raises:
        ConfigurationError: it cannot be read, names a source twice, or one that the register does not declare or bars.
    """
    entries = _read(file)
    names = [entry.name for entry in entries]
    for entry in entries:
        place = f"The entry {entry.name!r} of {file}"
        if names.count(entry.name) > 1:
            raise ConfigurationError(f"{place} stands there twice; keep one of them")
        _check(entry, place, register)
    return Sources(entries)


def add_source(  # noqa: PLR0913 - an entry's own fields
    file: Path,
    *,
    name: str,
    source: str | None,
    formats: Sequence[Format] = ("native", "xapi"),
    scopes: Sequence[Scope] = ("events",),
    home_page: str | None = None,
) -> str:
    """Write an entry with a fresh key, instead of one of the same name; returns the key, which is kept nowhere."""
    key = secrets.token_urlsafe(32)
    entry = Source(
        name=name,
        key_sha256=_hash(key),
        source=source,
        formats=tuple(formats),
        scopes=tuple(scopes),
        home_page=home_page,
    )
    others = [other for other in _read(file) if other.name != name] if file.exists() else []
    _write(file, [*others, entry])
    return key


def _check(entry: Source, place: str, register: Register) -> None:
    if entry.source is None:
        if "events" in entry.scopes:
            raise ConfigurationError(f"{place} may send events but has no 'source'; write the kind of system there")
        return
    if barred := register.exclusion_of_source(entry.source):
        raise ConfigurationError(f"{place} is of a source that the policy excludes ({barred.name}); remove it")
    if entry.source not in register.source:
        known = ", ".join(register.source)
        raise ConfigurationError(f"{place} has the source {entry.source!r}; the policy register declares {known}")


def _read(file: Path) -> list[Source]:
    try:
        return msgspec.json.decode(file.read_bytes(), type=list[Source])
    except OSError as error:
        hint = "set SIGNPOST_INGEST__SOURCES_FILE to a JSON list of source systems"
        raise ConfigurationError(
            f"The list of source systems {file} cannot be read: {error.strerror}; {hint}"
        ) from None
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"The list of source systems {file} cannot be used: {error}") from None


def _write(file: Path, entries: Sequence[Source]) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    part = file.with_name(f"{file.name}.{secrets.token_hex(4)}.part")
    with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as out:
        out.write(msgspec.json.format(msgspec.json.encode(list(entries)), indent=2) + b"\n")
    part.replace(file)


def _credentials(authorization: str) -> tuple[str, str]:
    scheme, _, given = authorization.partition(" ")
    if scheme.casefold() == "bearer":
        name, _, key = given.strip().partition(".")
        return name, key
    if scheme.casefold() == "basic":
        try:
            name, _, key = base64.b64decode(given.strip(), validate=True).decode().partition(":")
        except ValueError:  # no base64, or no text
            return "", ""
        return name, key
    return "", ""


def _hash(key: str) -> str:
    return hashlib.sha256(key.encode()).hexdigest()
