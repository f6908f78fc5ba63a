"""Every topic, declared once: who owns it, what it carries, how it is kept, what happens to a bad record.

All but `dead-letters` and `cohort-norms` are keyed by the student's pseudonym, and all have the same number of
partitions, so that a student's consent, enrolments and events meet in one worker. Record time is the broker's append
time: with historic record times the broker's retention would delete a replayed term within minutes.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Literal

from services.kernel import events

Service = Literal["consent", "ingest", "indicators", "notify"]


@dataclass(frozen=True, slots=True)
class Topic:
    """A topic's declaration; `services.kernel.kafka.provision` makes the broker agree with it.

    Attributes:
        name: without the namespace that settings may put before it.
        payloads: the types that a value may have.
        owner: makes its contract, and writes it where no `producers` are named.
        producers: who writes it instead of the owner.
        retention: of a topic that deletes; None on one that compacts.
        poison: "dead-letter" sets an unreadable record aside; "halt" stops, since skipping it could skip a
            withdrawal.
    """

    name: str
    purpose: str
    payloads: tuple[type, ...]
    owner: Service
    consumers: tuple[Service, ...]
    producers: tuple[Service, ...] = ()
    retention: timedelta | None = None
    poison: Literal["dead-letter", "halt"] = "dead-letter"
    internal: bool = False

    @property
    def compacted(self) -> bool:
        """Whether the last value of each key is kept for good."""
        return self.retention is None

    @property
    def config(self) -> dict[str, str]:
        """The broker's configuration of the topic."""
        common = {"message.timestamp.type": "LogAppendTime"}
        if self.retention is None:
            # Old values must really go, also from a quiet topic: a purge is not done while they can be read.
            return common | {
                "cleanup.policy": "compact",
                "min.cleanable.dirty.ratio": "0.1",
                "max.compaction.lag.ms": "60000",
                "segment.ms": "60000",
                "delete.retention.ms": "86400000",
            }
        milliseconds = int(self.retention.total_seconds() * 1000)
        return common | {"cleanup.policy": "delete", "retention.ms": str(milliseconds)}


ACTIVITY_EVENTS = Topic(
    name="activity-events",
    purpose="Canonical events of students with a grant, and the clock's ticks in order with them.",
    payloads=(events.ActivityRecorded, events.ClockTicked),
    owner="ingest",
    consumers=("indicators", "ingest"),
    retention=timedelta(days=30),
)
CONSENT_STATE = Topic(
    name="consent-state",
    purpose="Everything that each student permits now.",
    payloads=(events.ConsentStateChanged,),
    owner="consent",
    consumers=("ingest", "indicators", "notify"),
    poison="halt",
)
CONSENT_RECEIPTS = Topic(
    name="consent-receipts",
    purpose="Which version of a student's consent each consumer has applied, and when.",
    payloads=(events.ConsentApplied,),
    owner="consent",
    consumers=("consent",),
    producers=("ingest", "indicators", "notify"),
    retention=timedelta(days=30),
)
RENEWALS = Topic(
    name="renewals",
    purpose="Reminders that what a student permitted ends, or must be decided again.",
    payloads=(events.RenewalRequested,),
    owner="consent",
    consumers=("notify",),
    retention=timedelta(days=30),
)
ENROLMENTS = Topic(
    name="enrolments",
    purpose="The modules that each student is on.",
    payloads=(events.EnrolmentsChanged,),
    owner="notify",
    consumers=("indicators", "consent"),
)
ENGAGEMENT_INDICATORS = Topic(
    name="engagement-indicators",
    purpose="Each consenting student's current indicators; a tombstone when consent ends.",
    payloads=(events.IndicatorsComputed,),
    owner="indicators",
    consumers=("notify",),
)
SUPPORT_TRIGGERS = Topic(
    name="support-triggers",
    purpose="Starts and ends of episodes in which a rule holds.",
    payloads=(events.SupportTriggered,),
    owner="indicators",
    consumers=("notify",),
    retention=timedelta(days=30),
)
COHORT_NORMS = Topic(
    name="cohort-norms",
    purpose="Histograms of modules' figures, without pseudonyms, of students who permit it; keyed by module.",
    payloads=(events.CohortCounted, events.CohortClosed),
    owner="indicators",
    consumers=("indicators",),
    retention=timedelta(days=30),
    poison="halt",
)
DEAD_LETTERS = Topic(
    name="dead-letters",
    purpose="Records that could not be read, with their original bytes and the reason.",
    payloads=(events.DeadLettered,),
    owner="indicators",
    consumers=(),
    retention=timedelta(days=30),
)
INDICATORS_STATE = Topic(
    name="indicators-state",
    purpose="The shards' own memory: rolling state per student, and each shard's position in the log.",
    payloads=(),
    owner="indicators",
    consumers=("indicators",),
    internal=True,
)

ALL_TOPICS = (
    ACTIVITY_EVENTS,
    CONSENT_STATE,
    CONSENT_RECEIPTS,
    RENEWALS,
    ENROLMENTS,
    ENGAGEMENT_INDICATORS,
    SUPPORT_TRIGGERS,
    COHORT_NORMS,
    DEAD_LETTERS,
    INDICATORS_STATE,
)
