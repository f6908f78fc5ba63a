"""The last gate: whether a case may be opened, shown or spoken of, judged at that moment and failing closed."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace

from services.kernel.clock import Clock, SystemClock
from services.kernel.errors import SignpostError
from services.kernel.events import ConsentStateChanged, Indicator, IndicatorsComputed
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

    def permitted(self, consent: ConsentStateChanged | None, reasons: Iterable[Reason]) -> list[Reason]:
        """Those of the reasons that a case may rest on: of each, something that it was judged from is still shared."""
        return [reason for reason in reasons if self.shared(consent, reason)]

    def shown(
        self, consent: ConsentStateChanged | None, reasons: Iterable[Reason], figures: IndicatorsComputed | None
    ) -> list[Reason]:
        """The reasons as a tutor may see them, with present values where there are.

        The value that a reason came with combines sources. Once one of them is shared no longer, that value is not
        shown: the present one, which is without it, or nothing.
        """
        return [
            self.as_of_now(reason, figures)
            for reason in self.permitted(consent, reasons)
            if reason.recovered_day is not None
            or self._present(reason, figures)
            or self.shared(consent, reason) >= frozenset(reason.sources)
        ]

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
        found = self._present(reason, figures)
        if figures is None or found is None or reason.recovered_day is not None:
            return reason
        return replace(reason, value=found.value, inputs=found.inputs, day=figures.day)

    def shared(self, consent: ConsentStateChanged | None, reason: Reason) -> frozenset[str]:
        """What is shared of that which a reason was judged from; nothing of a rule that the register lacks."""
        declared = self.register.rule.get(reason.rule)
        if declared is None:
            return frozenset()
        sources = reason.sources or self.register.indicator[declared.indicator].sources
        return shared(consent, sources, at_ms=reason.raised_ms, now_ms=self.clock.now_ms())

    def _present(self, reason: Reason, figures: IndicatorsComputed | None) -> Indicator | None:
        """The present figure of a reason's indicator, if there is one."""
        declared = self.register.rule.get(reason.rule)
        modules = (m for m in figures.modules if m.module == reason.module) if figures and declared else ()
        return next((i for m in modules for i in m.indicators if declared and i.name == declared.indicator), None)
