"""Staff record what a student decided by telephone, in person or by letter, under that student's own request (R3).

The decisions go the same way as the student's own: ledger and outbox, at once. In the same transaction the request's
history says that they were recorded, so there are never decisions of staff without an open request.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import Connection

from services.consent.domain import decisions as domain
from services.consent.domain.decisions import Cell, ConsentEvent, Decision, Terms, Via
from services.consent.domain.requests.request import NotPossible, Request, Step
from services.consent.domain.special import NotExplicit, is_special
from services.consent.handlers.consents import Consents
from services.consent.handlers.requests.handling import Reader, Requests
from services.kernel.clock import Clock


@dataclass(frozen=True, slots=True)
class Assisted:
    """What staff record for a student.

    Attributes:
        choices: the student's yes and no to cells.
        shown: version and language of the notice.
        read: that the notice was read by or to the student before they said yes.
        explicit: that the student said yes to special-category data in so many words.
        text: how the student said it; the student reads it.
    """

    choices: Mapping[Cell, bool]
    shown: tuple[str, str]
    read: bool
    explicit: bool
    text: str

    @property
    def special(self) -> bool:
        """Whether it holds a yes to special-category data."""
        return any(yes and is_special(purpose) for (purpose, _), yes in self.choices.items())

    def lacks(self, about: Sequence[str]) -> dict[str, str]:
        """What is missing or too much for a request about these purposes: field and how to mend it."""
        problems = {}
        if not self.choices or any(purpose not in about for purpose, _ in self.choices):
            problems["choices"] = "Record at least one yes or no, only to what the request is about."
        if any(self.choices.values()) and not self.read:
            problems["read"] = "A yes counts only where the student was told what it means: confirm that they were."
        if self.special and not self.explicit:
            problems["explicit"] = "A yes to special-category data must be explicit: confirm that it was."
        if not self.text.strip():
            problems["text"] = "Write how the student told you: they will read it."
        return problems


class Assistance:
    """The use case, over the ledger and the requests."""

    def __init__(self, consents: Consents, requests: Requests, clock: Clock, terms: Terms) -> None:
        self._consents, self._requests = consents, requests
        self._clock, self._terms = clock, terms

    def record(self, request: Request, seen: int, reader: Reader, said: Assisted) -> tuple[ConsentEvent, ...]:
        """Record the decisions, and in the request's history that they were.

        Raises:
            NotPossible: the request is not open or of another kind, a confirmation is missing, or nothing would change.
            ChangedMeanwhile: somebody took a step since the request was shown.
            TransientError: the database is away or too busy; nothing was recorded.
        """
        if problems := said.lacks(request.about):
            raise NotPossible(" ".join(problems.values()))
        via = Via("staff-assisted", reader.pseudonym, request.id)
        step = Step("decided", reader.pseudonym, reader.role, said.text)

        def decisions(_: str, history: Sequence[ConsentEvent]) -> list[Decision]:
            rules, now_ms = domain.ruling(history), self._clock.now_ms()
            found = domain.answers(rules, said.choices, said.shown, now_ms, self._terms)
            if not found:
                raise NotPossible("Nothing was recorded: that is what the student has decided already.")
            return [via.of(decision) for decision in found]

        def also(transaction: Connection) -> None:
            self._requests.take(transaction, request.id, step, seen)

        try:
            return self._consents.record([request.student], decisions, also)[0].recorded
        except NotExplicit as error:  # the register has dropped the category since the request was made
            raise NotPossible(str(error)) from error
