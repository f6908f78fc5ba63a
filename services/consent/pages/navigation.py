"""The places that each page of the consent service links to, for whom the register lets see them."""

from __future__ import annotations

from services.kernel.register import Register
from services.kernel.web.pages import Link


def said(text: str) -> str:
    """The English text as it is: it is put into the reader's language where it is shown."""
    return text


def navigation(register: Register) -> tuple[Link, ...]:
    """The places, in their order; a person's first is where they start."""

    def whoever_sees(view: str) -> tuple[str, ...]:
        return tuple(role.name for role in register.roles if view in role.sees)

    return (
        Link(said("My choices"), "/", whoever_sees("own-consents")),
        Link(said("History and receipts"), "/history", whoever_sees("own-consents")),
        Link(said("My requests"), "/requests", whoever_sees("own-requests")),
        Link(said("Oversight"), "/oversight", whoever_sees("consent-health")),
        Link(said("Coverage"), "/coverage", whoever_sees("coverage")),
        Link(said("Requests"), "/staff/requests", whoever_sees("requests")),
        Link(said("What is done here"), "/register"),
    )
