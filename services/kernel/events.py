"""The contracts: what the services say to each other on Kafka.

Small frozen structs with a major version in the type name. Changes within a version are additive only: the writer is
strict, the reader ignores fields that it does not know. Schemas and golden examples stand in `tests/contracts`.

Times are integers, milliseconds since 1970-01-01 UTC, and their names end in `_ms`; `day` is an ISO local date of
the institution. `student` is always a pseudonym (64 hex digits), never a name, address or institution id.
"""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta, Struct

Pseudonym = Annotated[str, Meta(min_length=64, max_length=64)]
EventId = Annotated[str, Meta(min_length=32, max_length=32)]  # `ids.deterministic_id`
Slug = Annotated[str, Meta(min_length=1, max_length=200)]
Milliseconds = Annotated[int, Meta(ge=0)]
IsoDate = Annotated[str, Meta(pattern=r"^\d{4}-\d{2}-\d{2}$")]
WORK_NAME, LONGEST_WORK_NAME = r"^[A-Za-z0-9]+(?:[-_.][A-Za-z0-9]+)*\Z", 100  # a piece of work's: never a text
WorkName = Annotated[str, Meta(min_length=1, max_length=LONGEST_WORK_NAME, pattern=WORK_NAME)]


class ActivityRecorded(
    Struct, frozen=True, kw_only=True, gc=False, omit_defaults=True, tag_field="type", tag="ActivityRecorded.v1"
):
    """A student did something in a source system, and the door saw a grant for it.

    Attributes:
        id: the same whenever the same event is sent again.
        source: the register's name of the kind of system, such as "vle".
        qualifying: whether it counts as engagement (a login alone does not).
        weight: how many single actions it stands for.
        consent_version: the student's consent version that the door judged it by.
        assessment: the piece of work that was handed in, by its name in the enrolment's `due`; None for all else.
    """

    id: EventId
    student: Pseudonym
    source: Slug
    module: Slug
    activity: Slug
    qualifying: bool
    occurred_ms: Milliseconds
    received_ms: Milliseconds
    consent_version: Annotated[int, Meta(ge=1)]
    weight: Annotated[int, Meta(ge=1, le=100_000)] = 1
    assessment: Slug | None = None


class ClockTicked(Struct, frozen=True, kw_only=True, omit_defaults=True, tag_field="type", tag="ClockTicked.v1"):
    """Time has come to `at_ms`; written into every partition of the events, in order with them.

    Attributes:
        heard: for each source that is connected, when its systems last sent anything, whoever it was about;
            0 for never. A source that is not named here is not watched.
    """

    at_ms: Milliseconds
    heard: dict[Slug, Milliseconds] = {}


class Grant(Struct, frozen=True, kw_only=True):
    """A purpose × source that the student now permits, and the span of event times it covers: [from, until)."""

    purpose: Slug
    source: Slug
    from_ms: Milliseconds
    until_ms: Milliseconds
    notice: Slug


class ConsentStateChanged(Struct, frozen=True, kw_only=True, tag_field="type", tag="ConsentStateChanged.v1"):
    """Everything that a student permits now. What is not listed is not permitted, for whatever reason.

    Attributes:
        version: grows by one with each decision of the student; a lower one that arrives later is stale.
        grants: at most one for each purpose × source.
    """

    student: Pseudonym
    version: Annotated[int, Meta(ge=1)]
    changed_ms: Milliseconds
    grants: tuple[Grant, ...] = ()


class ConsentApplied(Struct, frozen=True, kw_only=True, tag_field="type", tag="ConsentApplied.v1"):
    """A consumer's receipt: from `applied_ms` on it obeys this version, and holds nothing that it does not permit.

    Attributes:
        version: of the student's consent; it says the same of every lower one.
        consumer: the service.
        instance: which of its processes, where each has a view of its own; "" where one speaks for all.
    """

    student: Pseudonym
    version: Annotated[int, Meta(ge=1)]
    consumer: Literal["ingest", "indicators", "notify"]
    applied_ms: Milliseconds
    instance: str = ""


class RenewalRequested(Struct, frozen=True, kw_only=True, tag_field="type", tag="RenewalRequested.v1"):
    """A student should be reminded that what they permitted ends, or must be decided again.

    Attributes:
        id: of the reminder; the same whenever it is said again, so that it is sent once.
        reason: "ending" before the end, "ended" at it, "notice-changed" where a new text asks again.
        until_ms: when the first of the grants ends or ended.
        language: in which the student was shown the notice.
    """

    id: EventId
    student: Pseudonym
    reason: Literal["ending", "ended", "notice-changed"]
    until_ms: Milliseconds
    language: Slug


class Leave(Struct, frozen=True, kw_only=True):
    """Local days on which nothing is expected of a student, the last one included."""

    first_day: IsoDate
    last_day: IsoDate


class Due(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A piece of work that a student must hand in; `extended_ms` is the student's own later date, if any."""

    assessment: Slug
    due_ms: Milliseconds
    extended_ms: Milliseconds | None = None


class Enrolment(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A student's place on a module; days are local dates, `end_day` is the last one, `left_day` the first after.

    Attributes:
        leave: spans of agreed absence.
        exempt: rules of the register that do not apply to this student here.
        due: work to hand in; what the student need not hand in is not listed.
    """

    module: Slug
    start_day: IsoDate
    end_day: IsoDate
    left_day: IsoDate | None = None
    part_time: bool = False
    leave: tuple[Leave, ...] = ()
    exempt: tuple[Slug, ...] = ()
    due: tuple[Due, ...] = ()


class EnrolmentsChanged(Struct, frozen=True, kw_only=True, tag_field="type", tag="EnrolmentsChanged.v1"):
    """All modules that a student is on now."""

    student: Pseudonym
    version: Annotated[int, Meta(ge=1)]
    enrolments: tuple[Enrolment, ...] = ()


class Indicator(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One figure, with what is needed to explain it.

    Attributes:
        name: as in the register.
        value: in the register's unit.
        window_days: local days that it looks back over, today included; None where it has no window.
        level: the strongest level that holds, hysteresis applied, or "none".
        threshold: the figure that the level compares with, module and part-time factor applied.
        inputs: the figures that the formula made the value from, by the names that the register's words use.
        sources: that were permitted and that it reads: what it could see.
    """

    name: Slug
    value: float
    window_days: int | None = None
    level: Literal["none", "watch", "alert"] = "none"
    threshold: float | None = None
    inputs: dict[Slug, float] = {}
    sources: tuple[Slug, ...] = ()


class ModuleIndicators(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A student's figures on one module.

    Attributes:
        since_day: first local day that could have counted: module start, enrolment, grant, return from leave or of a
            feed, whichever is last.
        last_active_day: last local day with a qualifying event; None where there is none.
        weekly_active_days: active days of the last eight seven-day windows, oldest first, today's last.
        unsaid: indicators that cannot be said now, with why.
        held: why no rule may begin to hold now, such as "vacation", "leave" or "feed-stale"; None where they may.
        cohort_day: the day of the cohort's norms that the cohort's figures compare with; None where there are none.
    """

    module: Slug
    since_day: IsoDate
    last_active_day: IsoDate | None
    indicators: tuple[Indicator, ...]
    weekly_active_days: tuple[int, ...] = ()
    unsaid: dict[Slug, Slug] = {}
    held: Slug | None = None
    cohort_day: IsoDate | None = None


class IndicatorsComputed(Struct, frozen=True, kw_only=True, tag_field="type", tag="IndicatorsComputed.v1"):
    """A student's indicators, as of a tick of the in-band clock.

    Attributes:
        consent_version: the version that permitted this.
        sources: the sources that were permitted and so could count.
        register_version: of the thresholds.
    """

    student: Pseudonym
    as_of_ms: Milliseconds
    day: IsoDate
    consent_version: Annotated[int, Meta(ge=1)]
    register_version: Slug
    sources: tuple[Slug, ...]
    modules: tuple[ModuleIndicators, ...]


class SupportTriggered(
    Struct, frozen=True, kw_only=True, omit_defaults=True, tag_field="type", tag="SupportTriggered.v1"
):
    """A rule began or ceased to hold for a student: the start or the end of an episode.

    Attributes:
        id: of the episode: the same for its start and its end, and in every replay.
        state: "opened", or "recovered" when the rule no longer holds.
        episode_day: the local day that the episode counts from: for absence the last active day or `since_day`, for
            other rules the day on which it began to hold.
        day: the local day on which the rule was judged.
        sources: that were permitted and that the rule's indicator reads: what the tutor may be told from.
        inputs: as of the indicator.
        why: of an end: "back-to-usual", or what ended the episode without that, such as "module-over" or "exempt".
    """

    id: Slug
    student: Pseudonym
    module: Slug
    rule: Slug
    state: Literal["opened", "recovered"]
    value: float
    threshold: float
    episode_day: IsoDate
    day: IsoDate
    raised_ms: Milliseconds
    consent_version: Annotated[int, Meta(ge=1)]
    notice: Slug
    register_version: Slug
    sources: tuple[Slug, ...] = ()
    inputs: dict[Slug, float] = {}
    why: Slug = "back-to-usual"


class CohortCounted(Struct, frozen=True, kw_only=True, tag_field="type", tag="CohortCounted.v1"):
    """How one partition's students on a module stood at the cohort's tick; partitions' counts add up to the module's.

    Only students with a grant for `cohort-improvement` are in `students` and `counts`.

    Attributes:
        partition: that counted; the record stands in the same partition of its topic.
        day: Monday of the local week that the tick is the first of.
        places: all places on the module here that run at the tick, whoever they belong to; for the coverage.
        students: those who are counted.
        counts: for each figure, the histogram's buckets that are not empty, by lowest number, with their students.
    """

    module: Slug
    partition: Annotated[int, Meta(ge=0)]
    day: IsoDate
    places: Annotated[int, Meta(ge=0)]
    students: Annotated[int, Meta(ge=0)]
    counts: dict[Slug, tuple[tuple[int, int], ...]]


class CohortClosed(Struct, frozen=True, kw_only=True, tag_field="type", tag="CohortClosed.v1"):
    """A partition has said everything about a week's cohorts; stands after its `CohortCounted` of that week."""

    partition: Annotated[int, Meta(ge=0)]
    day: IsoDate
    modules: Annotated[int, Meta(ge=0)]


class DeadLettered(Struct, frozen=True, kw_only=True, tag_field="type", tag="DeadLettered.v1"):
    """A record that could not be read, with its original bytes (base64) and where it stood."""

    consumer: Slug
    reason: Slug
    detail: str
    topic: Slug
    partition: Annotated[int, Meta(ge=0)]
    offset: Annotated[int, Meta(ge=0)]
    key: bytes | None
    value: bytes | None
    failed_ms: Milliseconds
