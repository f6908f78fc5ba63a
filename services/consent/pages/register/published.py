"""The policy register as it is enforced (R8): the file itself, byte for byte, and the version that it replaced."""

from __future__ import annotations

import hashlib
import tomllib
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
        before: the text of the version that it replaces; None on the first.
        changed_s: when the file was last written, in seconds since 1970.
    """

    register: Register
    text: bytes
    before: bytes | None
    changed_s: float

    @classmethod
    def read(cls, file: Path | None = None) -> Published:
        """Read the register and the version before it.

        Raises:
            ConfigurationError: the register cannot be used, or the version before is not kept beside it.
        """
        path = file or SHIPPED
        try:
            text, changed_s = path.read_bytes(), path.stat().st_mtime
        except OSError as error:
            raise ConfigurationError(f"The policy register {path} cannot be used: {error}") from error
        register = parse_register(text, path)
        return cls(register, text, _before(register, path), changed_s)

    @property
    def digest(self) -> str:
        """The SHA-256 of the file, in hex: whoever has the same file has the same rules."""
        return hashlib.sha256(self.text).hexdigest()

    @cached_property
    def changes(self) -> list[EntryChange]:
        """What differs from the version before; all is new in the first."""
        return changes(_read(self.before or b""), _read(self.text))


def _before(register: Register, path: Path) -> bytes | None:
    if register.replaces is None:
        return None
    kept = path.parent / EARLIER / f"{register.replaces}.toml"
    try:
        text = kept.read_bytes()
        version = _read(text).get("version")
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise ConfigurationError(
            f"The policy register {path} replaces version {register.replaces}, which cannot be read: {error}. Keep "
            f"that version, as it was, as {EARLIER}/{kept.name} beside the register."
        ) from error
    if version != register.replaces:
        raise ConfigurationError(
            f"{kept} says that it is version {version!r}; keep there version {register.replaces}, as it was."
        )
    return text


def _read(text: bytes) -> dict[str, Any]:
    return tomllib.loads(text.decode())
