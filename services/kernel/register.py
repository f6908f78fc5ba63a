"""The policy register: what is published is what is enforced.

One file declares purposes, sources, activities, exclusions, indicators with their thresholds, roles and retention.
Every service loads it and obeys it; nothing may use what it does not declare.
"""

from __future__ import annotations

import datetime as dt
import re
import tomllib
from collections.abc import Container
from functools import cached_property
from pathlib import Path
from typing import Annotated, Literal
from urllib.parse import unquote

import msgspec
from msgspec import Meta, Struct

from services.kernel.errors import ConfigurationError

SHIPPED = Path(__file__).with_name("register.toml")
_WORD_BEGINS = re.compile(r"(?<=[a-z])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])|(?<=[A-Za-z])(?=[0-9])|(?<=[0-9])(?=[A-Za-z])")
Name = Annotated[str, Meta(pattern="^[a-z0-9]+(-[a-z0-9]+)*$")]
Requirement = Annotated[str, Meta(pattern="^R([1-9]|1[0-3])$")]


class Entry(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What all entries have."""

    name: Name
    title: str = ""
    requirement: Requirement | None = None


class Purpose(Entry, frozen=True, kw_only=True):
    """What a student may permit data to be used for."""

    description: str


class Source(Entry, frozen=True, kw_only=True):
    """A kind of system that activity comes from."""

    description: str


class Activity(Entry, frozen=True, kw_only=True):
    """A canonical type of activity, whether it counts as engagement, and the xAPI verbs that lead to it."""

    qualifying: bool
    verbs: tuple[str, ...] = ()


class Exclusion(Entry, frozen=True, kw_only=True):
    """Data never used (R5): events of these sources, or with these words in a verb, object type or field name."""

    sources: tuple[Name, ...] = ()
    words: tuple[Name, ...] = ()


class BenefitRecord(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An approved demonstration that a special category improves students' learning significantly (R4)."""

    reference: str
    approved_by: str
    approved_on: dt.date
    finding: str


class SpecialCategory(Entry, frozen=True, kw_only=True):
    """A kind of GDPR Article 9 data, and the field names that hold it (R4).

    Attributes:
        benefit_record: None where no benefit was demonstrated: then no student is asked, and nobody's is used.
    """

    description: str
    words: tuple[Name, ...]
    benefit_record: BenefitRecord | None = None

    @property
    def purpose(self) -> str:
        """The name of the separate purpose that a student may permit, where the benefit is approved."""
        return f"special-category:{self.name}"


class IndicatorEntry(Entry, frozen=True, kw_only=True):
    """An indicator: its formula in words, what it reads, and from which value on it is a watch or an alert."""

    unit: str
    formula: str
    purpose: Name
    sources: tuple[Name, ...]
    window_days: int | None = None
    watch: float | None = None
    alert: float | None = None
    part_time_factor: float = 1
    direction: Literal["at-least", "at-most"] = "at-least"


class Rule(Entry, frozen=True, kw_only=True):
    """That an indicator at a level opens a case, and the purpose that must permit it."""

    indicator: Name
    level: Literal["watch", "alert"]
    purpose: Name


class Role(Entry, frozen=True, kw_only=True):
    """Who may see what."""

    sees: tuple[Name, ...]


class Retention(Entry, frozen=True, kw_only=True):
    """How long a kind of data is kept."""

    days: Annotated[int, Meta(ge=1)]


class Register(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, dict=True):
    """The whole register; look entries up by name in the dictionaries."""

    version: str
    purposes: tuple[Purpose, ...]
    sources: tuple[Source, ...]
    activities: tuple[Activity, ...]
    exclusions: tuple[Exclusion, ...]
    special_categories: tuple[SpecialCategory, ...]
    indicators: tuple[IndicatorEntry, ...]
    rules: tuple[Rule, ...]
    roles: tuple[Role, ...]
    retention: tuple[Retention, ...]

    @cached_property
    def purpose(self) -> dict[str, Purpose]:
        """Purposes by name."""
        return {entry.name: entry for entry in self.purposes}

    @cached_property
    def askable(self) -> dict[str, Purpose]:
        """All that students are asked to permit, by name: the purposes, then each approved special category (R4)."""
        special = (
            Purpose(name=entry.purpose, title=entry.title, description=entry.description, requirement="R4")
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

    @cached_property
    def activity_of_verb(self) -> dict[str, Activity]:
        """Activities by xAPI verb id."""
        return {verb: entry for entry in self.activities for verb in entry.verbs}

    @cached_property
    def indicator(self) -> dict[str, IndicatorEntry]:
        """Indicators by name."""
        return {entry.name: entry for entry in self.indicators}

    @cached_property
    def rule(self) -> dict[str, Rule]:
        """Rules by name."""
        return {entry.name: entry for entry in self.rules}

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
        ConfigurationError: it cannot be read, or it names something that it does not declare.
    """
    path = file or SHIPPED
    try:
        register = msgspec.convert(tomllib.loads(path.read_text("utf-8")), Register)
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError, msgspec.ValidationError) as error:
        raise ConfigurationError(f"The policy register {path} cannot be used: {error}") from error
    if undeclared := list(_undeclared(register)):
        raise ConfigurationError(f"The policy register {path} uses what it does not declare: {undeclared}")
    return register


def _undeclared(register: Register) -> list[str]:
    used = [("purpose", i.purpose) for i in register.indicators]
    used += [("purpose", r.purpose) for r in register.rules]
    used += [("source", s) for i in register.indicators for s in i.sources]
    used += [("indicator", r.indicator) for r in register.rules]
    known: dict[str, Container[str]] = {
        "purpose": register.purpose,
        "source": register.source,
        "indicator": register.indicator,
    }
    return [f"{kind} {name!r}" for kind, name in used if name not in known[kind]]


def _as_words(words: tuple[str, ...]) -> re.Pattern[str]:
    """A pattern for any of the dashed words, standing alone in a dashed identifier."""
    return re.compile(r"(?:^|-)(?:" + "|".join(map(re.escape, words)) + r")(?:-|$)")


def _dashed(identifier: str) -> str:
    """`tuitionFee`, `tuition_fee`, `UKTuitionFee2026` and `https://…/tuition-fee` become dashed lower-case words."""
    spaced = _WORD_BEGINS.sub("-", unquote(identifier))
    return re.sub(r"[^a-z0-9]+", "-", spaced.casefold()).strip("-")
