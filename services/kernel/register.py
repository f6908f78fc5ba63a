"""The policy register: what is published is what is enforced.

One file declares purposes, sources, activities, exclusions, indicators with their thresholds, roles and retention.
Every service loads it and obeys it; nothing may use what it does not declare, and the public page is made from it.
"""

from __future__ import annotations

import datetime as dt
import re
import tomllib
from collections.abc import Iterator, Mapping
from functools import cached_property
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import msgspec
from msgspec import structs

from services.kernel.consistency import problems
from services.kernel.entries import (
    Activity,
    Entry,
    Exclusion,
    IndicatorEntry,
    Name,
    Purpose,
    Retention,
    Role,
    Rule,
    Source,
    SpecialCategory,
    Threshold,
    Vacation,
    Version,
    View,
    Worded,
)
from services.kernel.errors import ConfigurationError

__all__ = [
    "KINDS", "SHIPPED", "Activity", "Entry", "Exclusion", "IndicatorEntry", "Name", "Purpose", "Register", "Retention",
    "Role", "Rule", "Source", "SpecialCategory", "Threshold", "Vacation", "View", "load_register", "parse_register",
]  # fmt: skip

SHIPPED = Path(__file__).with_name("register.toml")
KINDS = (
    "purposes", "sources", "activities", "exclusions", "special_categories", "indicators", "thresholds", "rules",
    "vacations", "views", "roles", "retention",
)  # fmt: skip
_WORD_BEGINS = re.compile(r"(?<=[a-z])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])|(?<=[A-Za-z])(?=[0-9])|(?<=[0-9])(?=[A-Za-z])")


class Register(Worded, frozen=True, kw_only=True, dict=True):
    """The whole register; look entries up by name in the dictionaries.

    Attributes:
        dated: the day of this version; it is in force where services have loaded it.
        replaces: the version before, which is kept in `registers/` beside the file.
        note: why it changed, in a sentence of its editors.
    """

    version: Version
    dated: dt.date
    replaces: Version | None = None
    note: str = ""
    purposes: tuple[Purpose, ...]
    sources: tuple[Source, ...]
    activities: tuple[Activity, ...]
    exclusions: tuple[Exclusion, ...]
    special_categories: tuple[SpecialCategory, ...]
    indicators: tuple[IndicatorEntry, ...]
    thresholds: tuple[Threshold, ...] = ()
    rules: tuple[Rule, ...]
    vacations: tuple[Vacation, ...] = ()
    views: tuple[View, ...]
    roles: tuple[Role, ...]
    retention: tuple[Retention, ...]

    def told(self, language: str) -> Register:
        """The register with its texts, and those of all entries, in that language; in English where it has none."""
        entries = {kind: tuple(entry.told(language) for entry in getattr(self, kind)) for kind in KINDS}
        return structs.replace(super().told(language), **entries)

    @cached_property
    def purpose(self) -> dict[str, Purpose]:
        """Purposes by name."""
        return {entry.name: entry for entry in self.purposes}

    @cached_property
    def askable(self) -> dict[str, Purpose]:
        """All that students are asked to permit, by name: the purposes, then each approved special category (R4)."""
        special = (
            Purpose(
                name=entry.purpose,
                title=entry.title,
                description=entry.description,
                requirement="R4",
                in_use=False,  # no event has room for one, and no indicator reads one
                cy=entry.cy,
            )
            for entry in self.special_categories
            if entry.benefit_record
        )
        return self.purpose | {purpose.name: purpose for purpose in special}

    @cached_property
    def source(self) -> dict[str, Source]:
        """Sources by name."""
        return {entry.name: entry for entry in self.sources}

    @cached_property
    def activity(self) -> dict[str, Activity]:
        """Activities by name."""
        return {entry.name: entry for entry in self.activities}

    def activities_of(self, source: str) -> dict[str, Activity]:
        """The activities that systems of a source may report, by name."""
        return {entry.name: entry for entry in self.activities if not entry.sources or source in entry.sources}

    def verbs_of(self, source: str) -> dict[str, Activity]:
        """What each xAPI verb leads to in statements of a source."""
        reported = sorted(self.activities_of(source).values(), key=lambda entry: bool(entry.sources))
        return {verb: entry for entry in reported for verb in entry.verbs}

    @cached_property
    def indicator(self) -> dict[str, IndicatorEntry]:
        """Indicators by name."""
        return {entry.name: entry for entry in self.indicators}

    @cached_property
    def rule(self) -> dict[str, Rule]:
        """Rules by name."""
        return {entry.name: entry for entry in self.rules}

    @cached_property
    def kept(self) -> dict[str, Retention]:
        """Retention by name."""
        return {entry.name: entry for entry in self.retention}

    def entries(self) -> Iterator[tuple[str, Entry]]:
        """Every entry with its kind."""
        for kind in KINDS:
            yield from ((kind, entry) for entry in getattr(self, kind))

    @cached_property
    def _excluded_words(self) -> tuple[tuple[re.Pattern[str], Exclusion], ...]:
        return tuple((_as_words(entry.words), entry) for entry in self.exclusions if entry.words)

    @cached_property
    def _special_words(self) -> tuple[tuple[re.Pattern[str], SpecialCategory], ...]:
        return tuple((_as_words(entry.words), entry) for entry in self.special_categories)

    def exclusion_of_source(self, source: str) -> Exclusion | None:
        """The exclusion that bars a source, if any."""
        return next((e for e in self.exclusions if source.casefold() in e.sources), None)

    def exclusion_of(self, identifier: str) -> Exclusion | None:
        """The exclusion that bars a verb, object type or field name, if any."""
        words = _dashed(identifier)
        return next((entry for pattern, entry in self._excluded_words if pattern.search(words)), None)

    def special_category_of(self, field: str) -> SpecialCategory | None:
        """The special category that a field name holds, if any."""
        words = _dashed(field)
        return next((entry for pattern, entry in self._special_words if pattern.search(words)), None)


def load_register(file: Path | None = None) -> Register:
    """Read and check the register.

    Raises:
        ConfigurationError: it cannot be read, says something twice, or uses what it does not declare.
    """
    path = file or SHIPPED
    try:
        return parse_register(path.read_bytes(), path)
    except OSError as error:
        raise ConfigurationError(f"The policy register {path} cannot be used: {error}") from error


def parse_register(text: bytes, path: Path) -> Register:
    """The register that the file's text holds; `path` is for the messages.

    Raises:
        ConfigurationError: as `load_register`.
    """
    try:
        return checked(tomllib.loads(text.decode()), path)
    except (UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise ConfigurationError(f"The policy register {path} cannot be used: {error}") from error


def checked(tables: Mapping[str, Any], path: Path) -> Register:
    """The register that the tables of a file make.

    Raises:
        ConfigurationError: as `load_register`.
    """
    try:
        register = msgspec.convert(tables, Register)
    except msgspec.ValidationError as error:
        raise ConfigurationError(f"The policy register {path} cannot be used: {error}") from error
    for problem, found in problems(register):
        raise ConfigurationError(f"The policy register {path} {problem}: {', '.join(found)}")
    return register


def _as_words(words: tuple[str, ...]) -> re.Pattern[str]:
    """A pattern for any of the dashed words, standing alone in a dashed identifier."""
    return re.compile(r"(?:^|-)(?:" + "|".join(map(re.escape, words)) + r")(?:-|$)")


def _dashed(identifier: str) -> str:
    """`tuitionFee`, `tuition_fee`, `UKTuitionFee2026` and `https://…/tuition-fee` become dashed lower-case words."""
    spaced = _WORD_BEGINS.sub("-", unquote(identifier))
    return re.sub(r"[^a-z0-9]+", "-", spaced.casefold()).strip("-")
