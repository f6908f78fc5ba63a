"""The texts that students are shown before they decide, by version and language (R2).

One file each, `notices/VERSION.LANGUAGE.toml`. A decision records which one was shown, so a file never changes once
it is in use: new words are a new version.
"""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Annotated

import msgspec
from msgspec import Meta, Struct

from services.kernel.errors import ConfigurationError
from services.kernel.register import Register

FOLDER = Path(__file__).with_name("notices")


class PurposeNotice(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a student is told about one purpose.

    Attributes:
        if_no: the implications of refusal.
        now_yes, now_no: what a decision means from then on.
        needs: the purpose without which this one has no effect, if any.
    """

    question: str
    does: str
    seen_by: str
    if_no: str
    now_yes: str
    now_no: str
    needs: str | None = None


class Notice(Struct, frozen=True, kw_only=True):
    """The whole text of one version in one language."""

    version: Annotated[str, Meta(pattern=r"^\d+(-\d+)*$")]
    language: str
    title: str
    intro: str
    holds: str
    purposes: dict[str, PurposeNotice]


class Notices:
    """All notices, old ones too."""

    def __init__(self, notices: list[Notice]) -> None:
        self._notices = {(notice.version, notice.language): notice for notice in notices}

    @property
    def known(self) -> frozenset[tuple[str, str]]:
        """Version and language of every notice."""
        return frozenset(self._notices)

    def in_force(self, language: str) -> Notice:
        """The newest version in that language."""
        versions = [version for version, of in self._notices if of == language]
        return self._notices[max(versions, key=_in_order), language]


def load_notices(register: Register, folder: Path = FOLDER) -> Notices:
    """Read all notices and check the newest of each language against the register.

    Raises:
        ConfigurationError: a file cannot be read, or a declared purpose has no text.
    """
    notices = Notices([_read(file) for file in sorted(folder.glob("*.toml"))])
    for language in {language for _, language in notices.known}:
        notice = notices.in_force(language)
        if missing := register.purpose.keys() - notice.purposes.keys():
            raise ConfigurationError(
                f"The notice {notice.version}.{language}.toml says nothing about {sorted(missing)}, which the policy "
                "register declares: nobody may be asked without being told. Add the text as a new version."
            )
    return notices


def _in_order(version: str) -> list[int]:
    """2026-10 comes after 2026-9."""
    return [int(number) for number in version.split("-")]


def _read(file: Path) -> Notice:
    version, _, language = file.stem.rpartition(".")
    try:
        told = tomllib.loads(file.read_text("utf-8"))
        return msgspec.convert(told | {"version": version, "language": language}, Notice)
    except (OSError, tomllib.TOMLDecodeError, msgspec.ValidationError) as error:
        raise ConfigurationError(f"The notice {file} cannot be used: {error}") from error
