"""The texts that students are shown before they decide, by version and language (R2).

One file each, `notices/VERSION.LANGUAGE.toml`. A decision records which one was shown, so a file never changes once
it is in use: new words are a new version. A version says from which local day it is in force, what changed, and whether
that is *material*: if so, what students said yes to under older texts no longer holds, and they are asked again. Under
an older text that differs in nothing material a yes goes on, and can still be given by who has that page open.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import tomllib
from collections.abc import Iterable, Iterator
from itertools import pairwise
from pathlib import Path
from typing import Annotated
from zoneinfo import ZoneInfo

import msgspec
from msgspec import Meta, Struct

from services.consent.domain.renewals import Texts
from services.kernel.clock import Clock, SystemClock, midnight_ms
from services.kernel.errors import ConfigurationError
from services.kernel.register import Register

FOLDER = Path(__file__).with_name("notices")
_UTC = ZoneInfo("UTC")


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


class Notice(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The whole text of one version in one language.

    Attributes:
        in_force_from: the first local day on which students are shown it.
        material: whether it asks for something that an older text did not; so does the first of all.
        changed: in plain words, what is different from the version before; empty in the first.
        purposes: by the register's name; an approved special category as "special-category:NAME".
        digest: SHA-256 of the file, 64 hex digits.
    """

    version: Annotated[str, Meta(pattern=r"^\d+(-\d+)*$")]
    language: str
    in_force_from: dt.date
    material: bool
    changed: str
    title: str
    intro: str
    holds: str
    purposes: dict[str, PurposeNotice]
    digest: str


class Notices:
    """All notices, old and coming ones too; what is in force goes by the clock."""

    def __init__(self, notices: Iterable[Notice], clock: Clock, zone: ZoneInfo) -> None:
        self._notices = {(notice.version, notice.language): notice for notice in notices}
        self._clock, self._zone = clock, zone
        self._versions = sorted({version for version, _ in self._notices}, key=_in_order)
        self._facts = {notice.version: notice for notice in self._notices.values()}

    @property
    def known(self) -> frozenset[tuple[str, str]]:
        """Version and language of every notice."""
        return frozenset(self._notices)

    @property
    def languages(self) -> tuple[str, ...]:
        """The languages of the version in force; each has all of it."""
        version = self._reached()[-1]
        return tuple(sorted(language for of, language in self._notices if of == version))

    def of(self, version: str, language: str) -> Notice:
        """One that is `known`."""
        return self._notices[version, language]

    def in_force(self, language: str) -> Notice:
        """The newest version whose day has come, in one of the `languages`."""
        return self._notices[self._reached()[-1], language]

    def reached(self) -> list[Notice]:
        """All that are or were in force, in every language."""
        return [notice for version in self._reached() for notice in self._notices.values() if notice.version == version]

    def changes_since(self, version: str, language: str) -> list[Notice]:
        """The newer versions in force, oldest first: each says what `changed`; for who last read `version`."""
        return [self._notices[of, language] for of in self._reached() if _in_order(of) > _in_order(version)]

    def texts(self) -> Texts:
        """Which of them count now."""
        reached = self._reached()
        newest = max(index for index, version in enumerate(reached) if self._facts[version].material)
        return Texts(
            in_force=reached[-1],
            material=reached[newest],
            material_ms=self.since_ms(reached[newest]),
            outdated=frozenset(reached[:newest]),
        )

    def counts(self, version: str, language: str) -> bool:
        """Whether a student who has this one open can still decide by it: what came after it changes nothing material.

        What is recorded is the version that was really read.
        """
        return (version, language) in self._notices and version in self._reached() and not self.outdated(version)

    def outdated(self, version: str) -> bool:
        """Whether something material has changed since."""
        return version in self.texts().outdated

    def replaced_ms(self, version: str) -> int | None:
        """From when on nobody can have decided by it: the first material change after it; None if there is none."""
        later = (of for of in self._versions if _in_order(of) > _in_order(version) and self._facts[of].material)
        return next((self.since_ms(of) for of in later), None)

    def since_ms(self, version: str) -> int:
        """From when a version is in force."""
        return midnight_ms(self._facts[version].in_force_from, self._zone)

    def _reached(self) -> list[str]:
        """The versions whose day has come, oldest first.

        Raises:
            ConfigurationError: there is none.
        """
        now_ms = self._clock.now_ms()
        if reached := [version for version in self._versions if self.since_ms(version) <= now_ms]:
            return reached
        raise ConfigurationError(
            f"No notice is in force yet: the first, {self._versions[0]}, is from {self._first_day()}. Correct its "
            "in_force_from, or the clock of this machine."
        )

    def _first_day(self) -> str:
        return self._facts[self._versions[0]].in_force_from.isoformat()


def load_notices(
    register: Register, folder: Path = FOLDER, clock: Clock | None = None, zone: ZoneInfo = _UTC
) -> Notices:
    """Read all notices, and check them against each other and those that are or will be shown against the register.

    Args:
        register: the purposes that must have a text.
        folder: of the files.
        clock: by which a version is in force; the machine's by default.
        zone: in which its first day is counted.

    Raises:
        ConfigurationError: a file cannot be read, versions contradict each other, none is in force, or a purpose that
            the register declares has no text.
    """
    read = [_read(file) for file in sorted(folder.glob("*.toml"))]
    if problem := next(_contradictions(folder, read), None):
        raise ConfigurationError(problem)
    notices = Notices(read, clock or SystemClock(), zone)
    shown = notices.in_force(notices.languages[0]).version
    for notice in read:
        missing = register.askable.keys() - notice.purposes.keys()
        if missing and _in_order(notice.version) >= _in_order(shown):
            raise ConfigurationError(
                f"The notice {_file(notice)} says nothing about {sorted(missing)}, which the policy register asks: "
                "nobody may be asked without being told. Add the text as a new version."
            )
    return notices


def _contradictions(folder: Path, read: list[Notice]) -> Iterator[str]:
    versions: dict[str, list[Notice]] = {}
    for notice in sorted(read, key=lambda notice: _in_order(notice.version)):
        versions.setdefault(notice.version, []).append(notice)
    if not versions:
        yield f"There is no notice in {folder}; write one, VERSION.LANGUAGE.toml."
    for first, *others in versions.values():
        for other in others:
            if _facts(other) != _facts(first):
                yield f"The notices {_file(first)} and {_file(other)} must agree on in_force_from, material and needs."
    for first in next(iter(versions.values()), []):
        if not first.material:
            yield f"The notice {_file(first)} is of the first version; so it must say material = true."
    for before, after in pairwise(versions.values()):
        yield from _backwards(before, after)


def _backwards(before: list[Notice], after: list[Notice]) -> Iterator[str]:
    for notice in after:
        if not notice.changed.strip():
            yield f"The notice {_file(notice)} must say in `changed`, in plain words, what is new in it."
    if after[0].in_force_from < before[0].in_force_from:
        yield f"The notice {_file(after[0])} is in force before {_file(before[0])}, which is older."
    if missing := {notice.language for notice in before} - {notice.language for notice in after}:
        yield f"The notice {after[0].version} is missing in {sorted(missing)}, in which the version before was shown."


def _facts(notice: Notice) -> object:
    needs = {name: purpose.needs for name, purpose in notice.purposes.items()}
    return notice.in_force_from, notice.material, needs


def _file(notice: Notice) -> str:
    return f"{notice.version}.{notice.language}.toml"


def _in_order(version: str) -> list[int]:
    """2026-10 comes after 2026-9."""
    return [int(number) for number in version.split("-")]


def _read(file: Path) -> Notice:
    version, _, language = file.stem.rpartition(".")
    try:
        text = file.read_text("utf-8")
        digest = hashlib.sha256(text.encode()).hexdigest()
        told = {"changed": ""} | tomllib.loads(text) | {"version": version, "language": language, "digest": digest}
        return msgspec.convert(told, Notice)
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError, msgspec.ValidationError) as error:
        raise ConfigurationError(f"The notice {file} cannot be used: {error}") from error
