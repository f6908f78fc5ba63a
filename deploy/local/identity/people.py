"""Whom there is to choose from, and which clients may ask."""

from __future__ import annotations

from pathlib import Path
from typing import TypeVar

import msgspec
from msgspec import Struct

from services.kernel.errors import ConfigurationError

_STUDENT = "student"
_T = TypeVar("_T")


class Somebody(Struct, frozen=True):
    """A person to be, or a program."""

    id: str
    name: str
    roles: tuple[str, ...]


class Client(Struct, frozen=True, kw_only=True):
    """Who may ask the provider.

    Attributes:
        redirect_uris: where a browser may be sent with a code.
        after_sign_out: where a browser may be sent once it is signed out.
        program: as whom the client may ask for a token of its own, without anybody signing in.
    """

    id: str
    secret: str
    redirect_uris: tuple[str, ...] = ()
    after_sign_out: tuple[str, ...] = ()
    program: Somebody | None = None


def load_people(file: Path) -> list[Somebody]:
    """The people to choose from.

    Raises:
        ConfigurationError: the file is no JSON list of id, name and roles.
    """
    return _load(file, list[Somebody])


def load_clients(file: Path) -> list[Client]:
    """The clients.

    Raises:
        ConfigurationError: the file is no JSON list of clients.
    """
    return _load(file, list[Client])


def matching(people: list[Somebody], words: str) -> list[Somebody]:
    """The people whose name, id or role holds each of the words, staff before students."""
    wanted = words.casefold().split()
    found = [p for p in people if all(word in f"{p.name} {p.id} {' '.join(p.roles)}".casefold() for word in wanted)]
    return sorted(found, key=lambda person: (_STUDENT in person.roles, person.roles, person.name))


def with_id(people: list[Somebody], person_id: str) -> Somebody | None:
    """The person with that id, if any."""
    return next((person for person in people if person.id == person_id), None)


def _load(file: Path, kind: type[_T]) -> _T:
    try:
        return msgspec.json.decode(file.read_bytes(), type=kind)
    except (OSError, msgspec.MsgspecError) as error:
        raise ConfigurationError(f"{file} cannot be used: {error}") from error
