"""The kinds of entries of the policy register, and what each must say.

Beside what services obey, entries hold the words that students read, in Welsh too (`cy`), and terms of the Data
Privacy Vocabulary (`dpv`), for the public page is made from them.
"""

from __future__ import annotations

import datetime as dt
from typing import Annotated, Literal, Self

from msgspec import Meta, Struct, structs

Name = Annotated[str, Meta(pattern="^[a-z0-9]+(-[a-z0-9]+)*$")]
Version = Annotated[str, Meta(pattern=r"^\d+(-\d+)*$")]
Requirement = Annotated[str, Meta(pattern="^R([1-9]|1[0-3])$")]
Term = Annotated[str, Meta(pattern="^(dpv|pd|sector-education):[A-Za-z0-9-]+$")]
Table = Annotated[str, Meta(pattern=r"^[a-z]+\.[a-z_]+$")]


class Worded(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Something with texts for people; `cy` holds the Welsh of its fields by their names."""

    cy: dict[str, str] = {}

    def told(self, language: str) -> Self:
        """The same with its texts in that language, and in English where it has none."""
        return structs.replace(self, **self.cy) if language == "cy" else self


class Entry(Worded, frozen=True, kw_only=True):
    """What all entries have; `requirement` is the line of the policy that it serves."""

    name: Name
    title: str
    requirement: Requirement | None = None


class Purpose(Entry, frozen=True, kw_only=True):
    """What a student may permit data to be used for.

    Attributes:
        seen_by: the roles that see what is made for it, within what each role may see.
        needs: the purpose without which this one has no effect.
        in_use: whether anything is done for it; students may be asked before that.
    """

    description: str
    seen_by: tuple[Name, ...] = ()
    needs: Name | None = None
    in_use: bool = True
    dpv: tuple[Term, ...] = ()


class Source(Entry, frozen=True, kw_only=True):
    """A kind of system that activity comes from: what is collected of it, and what never is.

    Attributes:
        stale_after_hours: when its systems have sent nothing for so long, about nobody, the feed is taken for broken
            and absence is not concluded from it; None where silence is no sign.
    """

    description: str
    never: str
    stale_after_hours: Annotated[int, Meta(ge=1)] | None = None
    dpv: tuple[Term, ...] = ()


class Activity(Entry, frozen=True, kw_only=True):
    """A canonical type of activity, whether it counts as engagement, and the xAPI verbs that lead to it.

    Attributes:
        sources: the only ones whose systems may report it; any where empty. A verb of such an activity leads to it in
            their statements, and in those of other sources to the activity that has it without naming sources.
    """

    qualifying: bool
    verbs: tuple[str, ...] = ()
    sources: tuple[Name, ...] = ()


class Exclusion(Entry, frozen=True, kw_only=True):
    """Data never used (R5): events of these sources, or with these words in a verb, object type or field name."""

    reason: str
    sources: tuple[Name, ...] = ()
    words: tuple[Name, ...] = ()
    dpv: tuple[Term, ...] = ()


class BenefitRecord(Worded, frozen=True, kw_only=True):
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
    dpv: tuple[Term, ...] = ()

    @property
    def purpose(self) -> str:
        """The name of the separate purpose that a student may permit, where the benefit is approved."""
        return f"special-category:{self.name}"


class IndicatorEntry(Entry, frozen=True, kw_only=True):
    """An indicator: its formula in words, what it reads, and from which value on it is a watch or an alert.

    Attributes:
        unit: of the value; "" where it has none. Words for people know how to count the units of the shipped register.
        says: a sentence that tells a person the value, with `{value}` and the names of the formula's inputs in braces,
            each with the unit that it is counted in after a colon, where it has one.
        watch, alert: the levels' thresholds for all modules, at any time that no `Threshold` speaks of.
        cohort: whether it compares with the module's other students; then it is made anew once a week.
        recovery: an alert or watch, once reached, ends only when the value has come back to this (hysteresis); None
            where it ends as soon as its threshold no longer holds.
    """

    unit: str
    formula: str
    says: str = ""
    purpose: Name
    sources: tuple[Name, ...]
    window_days: int | None = None
    watch: float | None = None
    alert: float | None = None
    recovery: float | None = None
    part_time_factor: float = 1
    cohort: bool = False
    direction: Literal["at-least", "at-most", "below"] = "at-least"


class Threshold(Entry, frozen=True, kw_only=True):
    """Other thresholds of an indicator, for some modules or from some day on.

    They take effect at the first tick of their first day, also when that term is replayed. Of several that apply, one
    that names the module goes before one for all, then the one with the latest first day.

    Attributes:
        reason: why they differ, for everybody to read.
        modules: that they are for; all where empty.
        first_day: local day from which they hold; None for any.
        watch, alert, recovery: as of the indicator, which they replace as a whole.
    """

    indicator: Name
    reason: str
    modules: tuple[str, ...] = ()
    first_day: dt.date | None = None
    watch: float | None = None
    alert: float | None = None
    recovery: float | None = None


class Vacation(Entry, frozen=True, kw_only=True):
    """Local days on which nothing is expected of anybody, the last one included: no window and no rule counts them."""

    first_day: dt.date
    last_day: dt.date


class Rule(Entry, frozen=True, kw_only=True):
    """That an indicator at a level opens a case, and the purpose that must permit it.

    Attributes:
        in_a_row: at how many weekly ticks, each the first of its week, the level must hold; 1: it opens as soon as it
            holds.
        cool_down_days: after an episode's end no new one of this rule begins for so long.
        part_time: whether it applies to part-time students.
    """

    description: str
    indicator: Name
    level: Literal["watch", "alert"]
    purpose: Name
    in_a_row: Annotated[int, Meta(ge=1)] = 1
    cool_down_days: Annotated[int, Meta(ge=0)] = 7
    part_time: bool = True


class View(Entry, frozen=True, kw_only=True):
    """Something that roles may see."""


class Role(Entry, frozen=True, kw_only=True):
    """Who may see which views."""

    description: str
    sees: tuple[Name, ...]
    dpv: tuple[Term, ...] = ()


class Retention(Entry, frozen=True, kw_only=True):
    """How long a kind of data is kept.

    Attributes:
        days: after so many it is removed; None where `until` says in words what ends it.
        topics, tables: where it is held; a table as SERVICE.TABLE.
    """

    description: str
    days: Annotated[int, Meta(ge=1)] | None = None
    until: str = ""
    topics: tuple[Name, ...] = ()
    tables: tuple[Table, ...] = ()
