"""The rules of a case: what opens, joins, ends and permits it. Pure: time and consent are arguments."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

from services.kernel.consents import INDIVIDUAL_INDICATORS, TUTOR_NOTIFY, permitted_sources, permitting
from services.kernel.errors import SignpostError
from services.kernel.events import ConsentStateChanged, SupportTriggered

State = Literal["opened", "notified", "acknowledged", "closed"]
WITHDRAWN = "withdrawn"
JUDGED_ANEW = "judged-anew"  # of a reason that has lost a source: the rule is judged again without it

# Why a tutor closes a case; the register of outcomes that reports count by.
OUTCOMES: dict[str, str] = {
    "contacted": "Contacted: we exchanged messages",
    "met": "Met: we had a conversation",
    "referred": "Referred to a support service",
    "no-contact": "No contact was possible",
    "not-needed": "Support was not needed",
    "false-alarm": "False alarm: the figures did not tell the story",
}


class NotPossible(SignpostError):  # noqa: N818 - it says that a step is not possible, not that something broke
    """The case has no such step now; the message says why, to the person who tried."""


@dataclass(frozen=True, slots=True)
class Reason:
    """An episode in which a rule holds: why a case is open.

    Attributes:
        trigger_id: the episode's id, the same in every replay.
        raised_ms: stream time at which it was raised.
        recovered_day: the local day on which the rule ceased to hold; None while it holds.
        sources: that it was judged from; none are known of one that was stored by an earlier release.
        inputs: what the value was made from.
        ended_why: of one that has ended, as of `SupportTriggered.why`.
        downwards: whether lower values lie further past the threshold; it is the register's, and not stored.
    """

    trigger_id: str
    module: str
    rule: str
    value: float
    threshold: float
    episode_day: str
    day: str
    raised_ms: int
    recovered_day: str | None = None
    sources: tuple[str, ...] = ()
    inputs: dict[str, float] = field(default_factory=dict)
    ended_why: str | None = None
    downwards: bool = False

    @property
    def past(self) -> float:
        """How far past its threshold the value lies: 1 at it, more beyond, in whichever direction; for ranking."""
        if self.threshold < 0 or not self.downwards:
            return self.value / self.threshold if self.threshold else 1.0
        return (self.threshold + 1) / (self.value + 1)

    @classmethod
    def of(cls, trigger: SupportTriggered) -> Reason:
        """The reason that an opening trigger states."""
        return cls(
            trigger.id,
            trigger.module,
            trigger.rule,
            trigger.value,
            trigger.threshold,
            trigger.episode_day,
            trigger.day,
            trigger.raised_ms,
            sources=trigger.sources,
            inputs=trigger.inputs,
        )


@dataclass(frozen=True, slots=True)
class Case:
    """A student's case; `outcome` is set when it is closed."""

    id: str
    student: str
    state: State
    opened_ms: int
    outcome: str | None = None

    def acknowledge(self) -> Case:
        """A tutor takes it on.

        Raises:
            NotPossible: somebody has already, or it is closed.
        """
        if self.state == "closed":
            raise NotPossible("This case is already closed.")
        if self.state == "acknowledged":
            raise NotPossible("This case is already acknowledged.")
        return replace(self, state="acknowledged")

    def notified(self) -> Case:
        """The tutor's message has been accepted; a case that has gone further stays where it is."""
        return replace(self, state="notified") if self.state == "opened" else self

    def close(self, outcome: str) -> Case:
        """A tutor ends it with one of `OUTCOMES`.

        Raises:
            NotPossible: it is closed already, or there is no such outcome.
        """
        if self.state == "closed":
            raise NotPossible("This case is already closed.")
        if outcome not in OUTCOMES:
            raise NotPossible("Choose one of the outcomes.")
        return replace(self, state="closed", outcome=outcome)

    def withdraw(self) -> Case:
        """Consent has ended: close it, whatever its state."""
        return replace(self, state="closed", outcome=WITHDRAWN)


def shared(consent: ConsentStateChanged | None, sources: Iterable[str], *, at_ms: int, now_ms: int) -> frozenset[str]:
    """Those of the sources whose data of `at_ms` the student's tutor may be told about at `now_ms` (R1).

    It takes a grant for individual indicators and one for telling the tutor; a trigger is computed from such sources
    only.
    """
    return frozenset(
        source
        for source in sources
        if permitting(consent, INDIVIDUAL_INDICATORS, source, at_ms=at_ms, now_ms=now_ms)
        and permitting(consent, TUTOR_NOTIFY, source, at_ms=at_ms, now_ms=now_ms)
    )


def may_show(consent: ConsentStateChanged | None, sources: Sequence[str], *, at_ms: int, now_ms: int) -> bool:
    """Whether a tutor may see figures that combine `sources`: each is shared, as none can be taken out again.

    Figures rest on all since the grant for computing, so the grant for telling the tutor must be as old.
    """
    if not sources or shared(consent, sources, at_ms=at_ms, now_ms=now_ms) != frozenset(sources):
        return False
    computing, telling = (permitted_sources(consent, p, now_ms=now_ms) for p in (INDIVIDUAL_INDICATORS, TUTOR_NOTIFY))
    return all(telling[source].from_ms <= computing[source].from_ms for source in sources)


def may_keep(consent: ConsentStateChanged | None, sources: Sequence[str], *, at_ms: int, now_ms: int) -> bool:
    """Whether indicators computed at `at_ms` from `sources` may be stored: all of them are still permitted."""
    return bool(sources) and all(
        permitting(consent, INDIVIDUAL_INDICATORS, source, at_ms=at_ms, now_ms=now_ms) for source in sources
    )


def has_seen(consent: ConsentStateChanged | None, version: int) -> bool:
    """Whether our view of a student's consent is at least as new as the one that somebody judged by."""
    return consent is not None and consent.version >= version


def is_newer(consent: ConsentStateChanged, known: ConsentStateChanged | None) -> bool:
    """Whether a snapshot replaces the one that is known; a stale or repeated one does not."""
    return known is None or consent.version > known.version


def need(reasons: Iterable[Reason]) -> tuple[int, float]:
    """How pressing a case is, for ranking: modules with a reason that holds, then how far past its threshold one is."""
    holding = [reason for reason in reasons if reason.recovered_day is None]
    worst = max((reason.past for reason in holding), default=0.0)
    return len({reason.module for reason in holding}), worst
