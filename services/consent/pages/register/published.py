"""The policy register as it is enforced (R8): the file itself, byte for byte, and the versions before it."""

from __future__ import annotations

import hashlib
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from services.consent.domain.changes import EntryChange, changes
from services.kernel.errors import ConfigurationError
from services.kernel.register import SHIPPED, Register, parse_register

EARLIER = "registers"  # folder of the versions before, beside the file


@dataclass(frozen=True)
class Published:
    """A register with what it was read from.

    Attributes:
        earlier: the texts of the versions before, by version.
        changed_s: when the file was last written, in seconds since 1970.
    """

    register: Register
    text: bytes
    earlier: Mapping[str, bytes]
    changed_s: float

    @classmethod
    def read(cls, file: Path | None = None) -> Published:
        """Read the register and the versions before it.

        Raises:
            ConfigurationError: the register cannot be used, or the version that it replaces is not kept beside it.
        """
        path = file or SHIPPED
        try:
            text, changed_s = path.read_bytes(), path.stat().st_mtime
        except OSError as error:
            raise ConfigurationError(f"The policy register {path} cannot be used: {error}") from error
        register, earlier = parse_register(text, path), dict(_earlier(path.parent / EARLIER))
        if register.replaces and register.replaces not in earlier:
            raise ConfigurationError(
                f"The policy register {path} replaces version {register.replaces}, which is not kept: put it, as it "
                f"was, into {EARLIER}/{register.replaces}.toml beside the register."
            )
        return cls(register, text, earlier, changed_s)

    @property
    def digest(self) -> str:
        """The SHA-256 of the file, in hex: whoever has the same file has the same rules."""
        return hashlib.sha256(self.text).hexdigest()

    @cached_property
    def changes(self) -> list[EntryChange]:
        """What differs from the version that it replaces; nothing in the first."""
        if self.register.replaces is None:
            return []
        return changes(_read(self.earlier[self.register.replaces]), _read(self.text))


def _earlier(folder: Path) -> Iterator[tuple[str, bytes]]:
    """The texts of all versions that are kept, by version.

    Raises:
        ConfigurationError: one cannot be read, or says that it is another.
    """
    for file in folder.glob("*.toml"):
        try:
            text = file.read_bytes()
            version = _read(text).get("version")
        except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
            raise ConfigurationError(f"The earlier policy register {file} cannot be read: {error}") from error
        if version != file.stem:
            raise ConfigurationError(
                f"{file} says that it is version {version!r}; keep there version {file.stem}, as it was."
            )
        yield file.stem, text


def _read(text: bytes) -> dict[str, Any]:
    return tomllib.loads(text.decode())
