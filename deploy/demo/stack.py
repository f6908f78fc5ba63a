"""What a replay must know of a running stack: its addresses, its keys, and which terms it has been given before."""

from __future__ import annotations

import datetime as dt
import json
import os
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Self

import msgspec

from services.kernel.errors import ConfigurationError


@dataclass(frozen=True, slots=True)
class Stack:
    """The services' base addresses (no slash at the end) and the credentials of the demo.

    Attributes:
        source: the name of the source system that may send events and ticks.
        further_keys: of the systems that only send events, by their kind.
    """

    ingest: str
    consent: str
    notify: str
    indicators: str
    source_key: str = field(repr=False)
    registrar_token: str = field(repr=False)
    directory_token: str = field(repr=False)
    source: str = "demo-vle"
    further_keys: dict[str, str] = field(default_factory=dict, repr=False)

    def credentials(self, kind: str) -> tuple[str, str]:
        """Name and key of the system of that kind.

        Raises:
            ConfigurationError: the stack has none.
        """
        if self.source == system(kind):
            return self.source, self.source_key
        if kind not in self.further_keys:
            raise ConfigurationError(
                f"This stack has no source system for {kind}: stop it, and `signpost up` introduces one to the door"
            )
        return system(kind), self.further_keys[kind]

    @classmethod
    def load(cls, path: Path) -> Self:
        """Read what `save` wrote.

        Raises:
            ConfigurationError: there is no such file, or it is not one of these.
        """
        try:
            return msgspec.json.decode(path.read_bytes(), type=cls)
        except FileNotFoundError:
            raise ConfigurationError(f"{path} is not there: start the stack first, with `signpost up`") from None
        except (OSError, msgspec.DecodeError) as error:
            raise ConfigurationError(f"{path} cannot be used ({error}): `signpost up` writes it anew") from error

    def save(self, path: Path) -> None:
        """Write it so that only its owner can read it."""
        _write(path, json.dumps(asdict(self), indent=2))


@dataclass(frozen=True, slots=True)
class Replay:
    """A term that the stack was given: the date of its first day, and whether all of it arrived."""

    first_day: dt.date
    completed: bool = False


class Replays:
    """Remembers replays in a file beside the stack's other state, so that a second one uses the same dates."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def get(self, term: str) -> Replay | None:
        """What is known of the term with this name."""
        return self._read().get(term)

    def put(self, term: str, replay: Replay) -> None:
        """Remember it."""
        _write(self._path, msgspec.json.encode(self._read() | {term: replay}).decode())

    def _read(self) -> dict[str, Replay]:
        try:
            return msgspec.json.decode(self._path.read_bytes(), type=dict[str, Replay])
        except FileNotFoundError:
            return {}
        except (OSError, msgspec.DecodeError) as error:
            raise ConfigurationError(f"{self._path} cannot be used ({error}): `make clean` starts anew") from error


def system(kind: str) -> str:
    """The name of the demo's source system of a kind."""
    return f"demo-{kind}"


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_suffix(".draft")
    draft.unlink(missing_ok=True)
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:
        file.write(text + "\n")
    draft.replace(path)
