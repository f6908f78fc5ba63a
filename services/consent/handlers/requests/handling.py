"""The use cases of students' requests: make one, look, take a step, and record decisions on a student's behalf.

Each is one transaction. Two who take a step at once collide: the second is told to look again.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Literal

from sqlalchemy import Connection, Engine
from sqlalchemy.exc import IntegrityError

from services.consent.adapters import access_log, ledger, places
from services.consent.adapters import requests as store
from services.consent.adapters.access_log import Access
from services.consent.domain.decisions import ConsentEvent
from services.consent.domain.requests.deadlines import Deadline, DeadlineRules, deadline, may_extend
from services.consent.domain.requests.request import NotPossible, Request, Step, What, possible, take
from services.kernel.clock import Clock
from services.kernel.database import reading, unless_away
from services.kernel.errors import SignpostError

CLOSED_SHOWN = 200
_ALPHABET = "23456789ABCDEFGHJKMNPQRSTUVWXYZ"  # without what sounds or looks alike on the telephone
_ATTEMPTS = 8


class NoSuchRequest(SignpostError):  # noqa: N818 - an answer, not a fault
    """There is no request of that number, or none of this student's."""


class ChangedMeanwhile(SignpostError):  # noqa: N818 - the same
    """Somebody took a step since the page was shown."""


@dataclass(frozen=True, slots=True)
class Reader:
    """A member of the staff: pseudonym, and the role in which they act."""

    pseudonym: str
    role: str


def new_id() -> str:
    """A number for a request that can be read out on the telephone, such as "7KQ3-M2XD"."""
    letters = "".join(secrets.choice(_ALPHABET) for _ in range(8))
    return f"{letters[:4]}-{letters[4:]}"


class Requests:
    """The use cases over one database."""

    def __init__(self, engine: Engine, clock: Clock, rules: DeadlineRules) -> None:
        self._engine, self._clock, self._rules = engine, clock, rules

    def open(self, request: Request) -> Request:
        """Keep a new request; one that was sent twice is kept once.

        Raises:
            NotPossible: another request has its number.
            TransientError: the database is away; so with every use case here.
        """
        try:
            with self._writing() as transaction:
                store.add(transaction, request)
        except IntegrityError as error:
            there = self.get(request.id)
            if (there.student, there.kind) != (request.student, request.kind):
                raise NotPossible("The form was used before: begin a new request.") from error
            return there
        return request

    def get(self, request_id: str, student: str | None = None) -> Request:
        """One request; `student` where only that student's will do.

        Raises:
            NoSuchRequest: there is none.
        """
        with self._reading() as transaction:
            return _found(transaction, request_id, student)

    def of_student(self, student: str) -> list[Request]:
        """A student's requests, the newest first."""
        with self._reading() as transaction:
            return store.of_student(transaction, student)

    def standing(self, which: Literal["open", "closed"] = "open") -> list[Request]:
        """Open requests, what is due first at the top; or the closed ones, the last closed at the top."""
        most = CLOSED_SHOWN if which == "closed" else None
        with self._reading() as transaction:
            found = store.standing(transaction, which, most)
        if which == "closed":
            return sorted(found, key=lambda request: request.events[-1].at_ms, reverse=True)
        return sorted(found, key=lambda request: self._urgency(self.deadline(request)))

    def deadline(self, request: Request) -> Deadline:
        """What has to be done next, and by when."""
        return deadline(request, self._clock.now_ms(), self._rules)

    def possible(self, request: Request) -> list[What]:
        """The steps that staff can take now."""
        return possible(request, may_extend=self._may_extend(request))

    def step(self, request_id: str, step: Step, seen: int | None = None, student: str | None = None) -> Request:
        """Take a step; `seen` is the number of events that whoever takes it has seen, where that matters.

        Raises:
            NoSuchRequest: there is no such request, or none of this student's.
            NotPossible: it cannot be taken as the request stands.
            ChangedMeanwhile: there are other events than those seen.
        """
        for _ in range(_ATTEMPTS if seen is None else 1):
            try:
                with self._writing() as transaction:
                    return self.take(transaction, request_id, step, seen, student)
            except IntegrityError:
                continue
        raise ChangedMeanwhile("Somebody changed this request at the same moment: look again.")

    def take(
        self, transaction: Connection, request_id: str, step: Step, seen: int | None, student: str | None = None
    ) -> Request:
        """The same within a transaction of the caller's; an IntegrityError says that somebody was quicker."""
        request = _found(transaction, request_id, student)
        if seen is not None and seen != len(request.events):
            raise ChangedMeanwhile("Somebody changed this request since the page was shown: look again.")
        now = take(request, step, self._clock.now_ms(), may_extend=self._may_extend(request))
        store.append(transaction, request_id, now.events[len(request.events) :])
        return now

    def read_consents(self, request_id: str, reader: Reader) -> tuple[Request, list[ConsentEvent]]:
        """The student's decisions for whoever handles a request to change them; that they looked is noted.

        Raises:
            NoSuchRequest: there is no such request.
            NotPossible: it is no open request to change consent.
        """
        with self._writing() as transaction:
            request = _found(transaction, request_id)
            take(request, Step("decided", reader.pseudonym, reader.role, "read"), 0, may_extend=False)
            what, now_ms = ", ".join(request.about), self._clock.now_ms()
            read = Access(request.student, reader.pseudonym, reader.role, what, f"request {request.id}", now_ms)
            access_log.note(transaction, read)
            return request, ledger.histories(transaction, [request.student])[request.student]

    def looks_at(self, student: str) -> list[Access]:
        """Who of the staff looked at what a student has decided, the latest first."""
        with self._reading() as transaction:
            return access_log.of(transaction, student)

    def may_be_mistyped(self, student: str) -> bool:
        """Whether nobody of that pseudonym is on any module, though others are."""
        with self._reading() as transaction:
            return places.missing(transaction, student)

    def _may_extend(self, request: Request) -> bool:
        return may_extend(request, self._clock.now_ms(), self._rules)

    def _urgency(self, due: Deadline) -> tuple[bool, int]:
        return not due.running, due.days_left

    @contextmanager
    def _reading(self) -> Iterator[Connection]:
        with unless_away(), reading(self._engine) as transaction:
            yield transaction

    @contextmanager
    def _writing(self) -> Iterator[Connection]:
        with unless_away(), self._engine.begin() as transaction:
            yield transaction


def _found(transaction: Connection, request_id: str, student: str | None = None) -> Request:
    request = store.get(transaction, request_id) if request_id.isprintable() else None
    if request is None or student not in {None, request.student}:
        raise NoSuchRequest("There is no such request.")
    return request
