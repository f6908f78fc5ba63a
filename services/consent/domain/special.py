"""Special-category data (R4): a yes to it is explicit, and possible only where the register approves its use.

Explicit is what a student chose in the portal at that question, or said to a member of staff who confirms it; never a
line of an import, and never the life cycle. Taking it back, or saying no, is possible in every way.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable

from services.consent.domain.decisions import Channel, Decision
from services.kernel.errors import SignpostError

PREFIX = "special-category:"
_EXPLICIT: frozenset[Channel] = frozenset({"portal", "staff-assisted"})


class NotExplicit(SignpostError):  # noqa: N818 - it says what the consent is not
    """A yes to special-category data that must not be recorded."""


def is_special(purpose: str) -> bool:
    """Whether a purpose is about special-category data."""
    return purpose.startswith(PREFIX)


def require_explicit(decisions: Iterable[Decision], approved: Collection[str]) -> None:
    """Make sure that each yes to special-category data among the decisions is explicit and asked for.

    Args:
        decisions: about to be recorded.
        approved: the purposes of special categories whose benefit the register approves.

    Raises:
        NotExplicit: one is not.
    """
    for decision in decisions:
        if decision.state != "given" or not is_special(decision.purpose):
            continue
        if decision.purpose not in approved:
            raise NotExplicit(f"The register approves no use of {decision.purpose}: nobody can be asked for it.")
        if decision.channel not in _EXPLICIT:
            raise NotExplicit(f"A yes to {decision.purpose} is said explicitly, not through {decision.channel}.")
