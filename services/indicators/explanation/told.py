"""What an explanation holds: plain values, for a person's eyes or as JSON."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True, kw_only=True)
class GrantTold:
    """A source that may be computed from: since when, until when, by which notice, and what else it may be used for."""

    source: str
    from_ms: int
    until_ms: int
    notice: str
    tutor: bool
    counted: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class FeedTold:
    """What is known of a source's systems; `heard_ms` is 0 for never."""

    source: str
    heard_ms: int
    stale: bool
    back_day: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class FigureTold:
    """A figure; `value` is None where it cannot be said, for the reason `unsaid`.

    Attributes:
        watch, alert, recovery: that hold for this place today, with the factor for part-time students.
        level: hysteresis applied.
        inputs: the numbers that the formula made it from.
        sources: that it reads and that are permitted.
    """

    name: str
    title: str
    unit: str
    value: float | None
    unsaid: str | None = None
    window_days: int | None = None
    level: str = "none"
    watch: float | None = None
    alert: float | None = None
    recovery: float | None = None
    inputs: Mapping[str, float] = field(default_factory=dict)
    sources: Sequence[str] = ()
    formula: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleTold:
    """How a rule stands.

    Attributes:
        since_day: the day that its open episode counts from; None where none is open.
        ended_day: of the last episode.
        weeks: for how many weekly ticks in a row its level has held, of those that it wants.
        held: why none may begin now.
    """

    name: str
    indicator: str
    since_day: str | None
    ended_day: str | None
    weeks: tuple[int, int]
    held: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class DayTold:
    """What is kept of a local day: sums of actions by source, the kinds, and marks of attendance."""

    day: str
    counts: bool
    actions: Mapping[str, int]
    kinds: Sequence[str]
    attended: int
    absent: int


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkTold:
    """A piece of work that is due, and when it was first handed in."""

    name: str
    due_ms: int
    extended: bool
    handed_ms: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Explanation:
    """How the figures of a student on a module come about.

    Attributes:
        as_of_ms: the moment that the figures are of; `clock_ms` is the last tick.
        judged_by: the register's version by which the worker judged last; `register_version` is the one used here.
        seen_day: the first day on which activity could be seen; `since_day` the first from which on it could without a
            break, and `since` what makes it that.
        held: why no rule may begin now.
        cohort_day: of the module's norms; the figures that compare with it have them among their inputs.
        days: those of the last eight weeks with anything on them, the newest first.
    """

    student: str
    module: str
    day: str
    as_of_ms: int
    clock_ms: int
    register_version: str
    judged_by: str
    consent_version: int
    grants: Sequence[GrantTold]
    not_permitted: Sequence[str]
    feeds: Sequence[FeedTold]
    start_day: str
    end_day: str
    left_day: str | None
    part_time: bool
    exempt: Sequence[str]
    leave: Sequence[tuple[str, str]]
    seen_day: str
    since_day: str
    since: str
    last_active_day: str | None
    held: str | None
    figures: Sequence[FigureTold]
    rules: Sequence[RuleTold]
    cohort_day: str | None
    days: Sequence[DayTold]
    work: Sequence[WorkTold]
