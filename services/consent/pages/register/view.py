"""What the register's page shows: entries with those that they speak of, in the reader's language, for the template."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import groupby
from typing import Any, Literal

from services.consent.domain.changes import EntryChange, FieldChange
from services.consent.pages.register.published import Published
from services.kernel.register import (
    IndicatorEntry,
    Purpose,
    Register,
    Role,
    Rule,
    Source,
    SpecialCategory,
    Threshold,
    View,
)
from services.kernel.web.i18n.catalogs import gettext

# Fields whose values are words in another form of what the page says anyway: that they changed is enough.
_NAMED_ONLY = {"cy", "dpv", "requirement"}


@dataclass(frozen=True, slots=True)
class PurposeView:
    """A purpose that students are asked about.

    Attributes:
        special: the special category that it is about, if any.
        figures: the indicators computed for it.
    """

    entry: Purpose
    needs: Purpose | None
    seen_by: tuple[Role, ...]
    figures: tuple[IndicatorEntry, ...]
    special: SpecialCategory | None


@dataclass(frozen=True, slots=True)
class Level:
    """From which value on an indicator is a watch or an alert, in its unit; `part_time` None where it is the same."""

    name: Literal["watch", "alert"]
    limit: float
    part_time: float | None


@dataclass(frozen=True, slots=True)
class OtherLevels:
    """The levels of an indicator for some modules or from some day on, with the reason."""

    entry: Threshold
    levels: tuple[Level, ...]


@dataclass(frozen=True, slots=True)
class IndicatorView:
    """An indicator with its levels, the weaker first, and others that hold instead somewhere or from some day on."""

    entry: IndicatorEntry
    levels: tuple[Level, ...]
    others: tuple[OtherLevels, ...]


@dataclass(frozen=True, slots=True)
class IndicatorGroup:
    """Indicators of one purpose and the same systems; `readers` are the roles that see them."""

    purpose: Purpose
    sources: tuple[Source, ...]
    readers: tuple[Role, ...]
    indicators: tuple[IndicatorView, ...]


@dataclass(frozen=True, slots=True)
class RuleView:
    """A rule with the indicator that it judges, the level that it waits for, and the purpose that must permit it."""

    entry: Rule
    indicator: IndicatorEntry
    level: Level
    purpose: Purpose


@dataclass(frozen=True, slots=True)
class RoleView:
    """A role with what it sees; `first` are the names of views that no role above it sees."""

    entry: Role
    sees: tuple[View, ...]
    first: frozenset[str]


@dataclass(frozen=True, slots=True)
class KindOfChanges:
    """The changes of one kind of entry."""

    kind: str
    entries: tuple[EntryChange, ...]


class Shown:
    """A register in one language, with what its entries speak of."""

    def __init__(self, published: Published, language: str) -> None:
        self.language = language
        self.register = published.register.told(language)
        self.digest = published.digest
        self.earlier = sorted(published.earlier, reverse=True)
        self._changes = published.changes
        self._roles = {role.name: role for role in self.register.roles}

    @property
    def purposes(self) -> list[PurposeView]:
        """What students are asked, special categories last."""
        register = self.register
        special = {entry.purpose: entry for entry in register.special_categories}
        return [
            PurposeView(
                entry,
                register.purpose[entry.needs] if entry.needs else None,
                self._named(entry.seen_by),
                tuple(i for i in register.indicators if i.purpose == entry.name),
                special.get(entry.name),
            )
            for entry in register.askable.values()
        ]

    @property
    def indicators(self) -> list[IndicatorGroup]:
        """All indicators, those together that have purpose and systems in common."""
        register = self.register
        groups: dict[tuple[str, tuple[str, ...]], list[IndicatorView]] = {}
        for entry in register.indicators:
            groups.setdefault((entry.purpose, entry.sources), []).append(self._indicator(entry))
        return [
            IndicatorGroup(
                register.purpose[purpose],
                tuple(register.source[name] for name in sources),
                self._named(readers(register, purpose)),
                tuple(views),
            )
            for (purpose, sources), views in groups.items()
        ]

    @property
    def rules(self) -> list[RuleView]:
        """All rules."""
        register = self.register
        found = []
        for rule in register.rules:
            indicator = register.indicator[rule.indicator]
            factor = indicator.part_time_factor
            level = next(level for level in levels(indicator, factor) if level.name == rule.level)
            found.append(RuleView(rule, indicator, level, register.purpose[rule.purpose]))
        return found

    @property
    def roles(self) -> list[RoleView]:
        """All roles."""
        views = {view.name: view for view in self.register.views}
        found, before = [], frozenset[str]()
        for role in self.register.roles:
            found.append(RoleView(role, tuple(views[name] for name in role.sees), frozenset(role.sees) - before))
            before |= frozenset(role.sees)
        return found

    @property
    def changes(self) -> list[KindOfChanges]:
        """What changed since the version before, by kind; empty in the first version."""
        return [KindOfChanges(kind, tuple(found)) for kind, found in groupby(self._changes, lambda c: c.kind)]

    def _indicator(self, entry: IndicatorEntry) -> IndicatorView:
        factor = entry.part_time_factor
        others = (other for other in self.register.thresholds if other.indicator == entry.name)
        return IndicatorView(
            entry,
            tuple(levels(entry, factor)),
            tuple(OtherLevels(other, tuple(levels(other, factor))) for other in others),
        )

    def _named(self, roles: Iterable[str]) -> tuple[Role, ...]:
        return tuple(self._roles[name] for name in roles)


def readers(register: Register, purpose: str) -> list[str]:
    """The roles that see what is made for a purpose: by itself, or by a purpose in use that builds on it."""
    builds = [entry for entry in register.purposes if purpose in (entry.name, entry.needs)]
    return list(dict.fromkeys(role for entry in builds if entry.in_use for role in entry.seen_by))


def levels(entry: IndicatorEntry | Threshold, factor: float) -> list[Level]:
    """The levels that are set, the weaker first; `factor` is for part-time students."""
    limits: list[tuple[Literal["watch", "alert"], float | None]] = [("watch", entry.watch), ("alert", entry.alert)]
    return [Level(name, limit, None if factor == 1 else limit * factor) for name, limit in limits if limit is not None]


def spelt_out(change: EntryChange) -> list[FieldChange]:
    """The fields of a change whose values are worth showing."""
    return [field for field in change.fields if field.field not in _NAMED_ONLY]


def only_named(change: EntryChange) -> list[str]:
    """The fields of a change that are only named."""
    return [field.field for field in change.fields if field.field in _NAMED_ONLY]


def figure(value: float) -> str:
    """A figure without needless decimals."""
    return f"{value:g}"


def in_words(value: Any) -> str:
    """A value of the file as text, in the reader's language; empty where it says nothing."""
    match value:
        case None | "" | [] | ():
            return ""
        case bool():
            return gettext("yes") if value else gettext("no")
        case int() | float():
            return figure(value)
        case list() | tuple():
            return ", ".join(in_words(part) for part in value)
        case _:
            return str(value)
