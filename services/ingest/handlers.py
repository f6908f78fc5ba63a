"""What the door does with a request's claims: judge each by consent, and write what may pass."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from services.ingest.domain import Claim, HeldOut, Secrets, Verdict, recorded
from services.ingest.feeds import Feeds
from services.ingest.ticks import Ticks
from services.ingest.turnstile import Turnstile
from services.kernel.clock import Clock, SystemClock
from services.kernel.errors import TransientError
from services.kernel.events import ActivityRecorded, ConsentStateChanged
from services.kernel.ids import Pseudonyms
from services.kernel.metrics import IngestMetrics


class KnowsConsents(Protocol):
    """The view of consent."""

    def of(self, student: str) -> ConsentStateChanged | None:
        """What a student permits."""
        ...

    def problem(self) -> str | None:
        """Why it must not be believed just now."""
        ...


class AppendsEvents(Protocol):
    """Where events go."""

    async def append(self, events: Sequence[ActivityRecorded]) -> None:
        """Write all, or raise `TransientError`."""


@dataclass(frozen=True, kw_only=True)
class Door:
    """The one use case: take claims, keep out what consent does not cover, write the rest.

    Attributes:
        qualifying: whether an activity counts as engagement, by its name in the register.
        machine: the clock that says when an event was received.
    """

    consents: KnowsConsents
    log: AppendsEvents
    feeds: Feeds
    ticks: Ticks
    turnstile: Turnstile
    metrics: IngestMetrics
    pseudonyms: Pseudonyms
    secrets: Secrets
    qualifying: Mapping[str, bool]
    machine: Clock = SystemClock()  # noqa: RUF009 - it has no state

    def require_open(self) -> None:
        """Raises: TransientError, while the door cannot know consent or time."""
        for what, problem in (("consent", self.consents.problem()), ("time", self.ticks.problem())):
            if problem:
                raise TransientError(f"The door is closed for now, since it cannot know {what}: {problem}")

    async def take(self, system: str, source: str, claims: Iterable[Claim], *, sent: int) -> None:
        """Judge the claims of a source system and write what may pass; all of it is acknowledged at the end.

        Args:
            system: the source system's name.
            source: which kind of system it is.
            claims: of the events that can be of use.
            sent: how many valid events it sent, of use or not.

        Raises:
            TransientError: it cannot know consent, or not all could be written; sending again is harmless.
        """
        async with self.turnstile.with_others():
            self.require_open()
            verdict = self._judge(system, source, claims)
            await self.log.append(verdict.passing)
            if sent:
                self.feeds.heard(source, self.machine.now_ms())
        self.metrics.accepted.labels(source).inc(len(verdict.passing))
        self.count_held_out(verdict.held_out)

    def count_held_out(self, held_out: Mapping[HeldOut, int]) -> None:
        """Count what was let go."""
        for reason, count in held_out.items():
            self.metrics.discarded.labels(reason).inc(count)

    def _judge(self, system: str, source: str, claims: Iterable[Claim]) -> Verdict:
        now_ms, received_ms = self.ticks.clock.now_ms(), self.machine.now_ms()
        passing: list[ActivityRecorded] = []
        without_grant = 0
        for claim in claims:
            student = self.pseudonyms.of(claim.person)
            event = recorded(
                claim,
                event_id=self._id(system, student, claim),
                student=student,
                source=source,
                qualifying=self.qualifying[claim.activity],
                consent=self.consents.of(student),
                now_ms=now_ms,
                received_ms=received_ms,
            )
            if event is None:
                without_grant += 1
            else:
                passing.append(event)
        return Verdict(passing, Counter({"no-grant": without_grant}) if without_grant else Counter())

    def _id(self, system: str, student: str, claim: Claim) -> str:
        if claim.own_id is not None:
            return self.secrets.event_id(system, claim.own_id)
        what: tuple[str | int, ...] = (claim.module, claim.activity, claim.occurred_ms, claim.weight)
        named = () if claim.assessment is None else (claim.assessment,)
        return self.secrets.event_id(system, student, *what, *named)
