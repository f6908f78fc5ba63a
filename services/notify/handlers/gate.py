"""The last gate: whether a case may be opened, shown or spoken of, judged at that moment and failing closed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from services.kernel.clock import Clock, SystemClock
from services.kernel.errors import SignpostError
from services.kernel.events import ConsentStateChanged, IndicatorsComputed
from services.kernel.register import Register
from services.kernel.topics import CONSENT_STATE
from services.notify.domain import Reason, may_keep, may_show, shared
from services.notify.handlers.unit import Unit

CURRENT_WITHIN_MS = 15_000


class NotNow(SignpostError):  # noqa: N818 - it says when, not that something broke
    """Our view of consent may be behind, so nothing is shown or sent; it will be current again."""


@dataclass(frozen=True, slots=True)
class Gate:
    """Judges by the policy register, the student's consent and the service's clock.

    Attributes:
        clock: says "now" for grants: the machine's, or in a replay the stream's.
        partitions: of the consent topic; our view is current when each was read to its end a moment ago.
    """

    register: Register
    clock: Clock
    partitions: int
    system: Clock = field(default_factory=SystemClock)

    def require_current(self, unit: Unit) -> None:
        """Make sure that our view of consent is current.

        Raises:
            NotNow: it may be behind.
        """
        since_ms = self.system.now_ms() - CURRENT_WITHIN_MS
        if unit.snapshots.current_partitions(CONSENT_STATE.name, since_ms) < self.partitions:
            raise NotNow("The view of students' consent is not known to be current.")

    def permits(self, consent: ConsentStateChanged | None, reasons: Sequence[Reason]) -> bool:
        """Whether a case may exist for all of these reasons."""
        now_ms = self.clock.now_ms()
        return bool(reasons) and all(
            shared(consent, self._sources_of(reason.rule), at_ms=reason.raised_ms, now_ms=now_ms) for reason in reasons
        )

    def permits_figures(self, consent: ConsentStateChanged | None, computed: IndicatorsComputed) -> bool:
        """Whether a tutor may see these indicators."""
        return may_show(consent, computed.sources, at_ms=computed.as_of_ms, now_ms=self.clock.now_ms())

    def permits_keeping(self, consent: ConsentStateChanged | None, computed: IndicatorsComputed) -> bool:
        """Whether these indicators may be stored."""
        return may_keep(consent, computed.sources, at_ms=computed.as_of_ms, now_ms=self.clock.now_ms())

    def as_of_now(self, reason: Reason, figures: IndicatorsComputed | None) -> Reason:
        """The reason with the present value of its indicator, where there is one and the rule still holds."""
        declared = self.register.rule.get(reason.rule)
        if declared is None:
            return reason
        reason = replace(reason, downwards=self.register.indicator[declared.indicator].direction != "at-least")
        if figures is None or reason.recovered_day is not None:
            return reason
        modules = (m for m in figures.modules if m.module == reason.module)
        values = (i.value for m in modules for i in m.indicators if i.name == declared.indicator)
        value = next(values, None)
        return reason if value is None else replace(reason, value=value, day=figures.day)

    def _sources_of(self, rule: str) -> tuple[str, ...]:
        """The sources that a rule's indicator is computed from; a rule that the register lacks has none."""
        declared = self.register.rule.get(rule)
        return self.register.indicator[declared.indicator].sources if declared else ()
