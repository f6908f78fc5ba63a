"""The places that each page of the consent service links to."""

from __future__ import annotations

from services.kernel.web.pages import Link


def said(text: str) -> str:
    """The English text as it is: it is put into the reader's language where it is shown."""
    return text


NAVIGATION = (
    Link(said("My choices"), "/", ("student",)),
    Link(said("History and receipts"), "/history", ("student",)),
    Link(said("My requests"), "/requests", ("student",)),
    Link(said("Oversight"), "/oversight", ("data-protection-officer",)),
    Link(said("Coverage"), "/coverage", ("data-protection-officer", "senior-tutor", "representative")),
    Link(said("Requests"), "/staff/requests", ("data-protection-officer", "administrator")),
    Link(said("What is done here"), "/register"),
)
