"""Asking what was permitted in the past: the question as a person writes it, and the answer, which leaves a trace."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import Any

from sqlalchemy import Engine

from services.consent.adapters import access_log, ledger
from services.consent.adapters.access_log import Access
from services.consent.domain.permitted import Answer, Question, moment, permitted
from services.kernel.clock import Clock, moment_ms
from services.kernel.database import unless_away
from services.kernel.errors import SignpostError
from services.kernel.ids import Pseudonyms
from services.kernel.register import Register

_PSEUDONYM = re.compile(r"[0-9a-f]{64}")
_A_MOMENT = "write a date and time with its offset, such as 2026-09-21T09:00:00+01:00 or 2026-09-21T08:00:00Z"
LONGEST_REASON = 500


@dataclass(frozen=True, slots=True)
class Wrong:
    """What is wrong with one part of a question, and how to mend it."""

    field: str
    problem: str
    mend: str


class WrongQuestion(SignpostError):  # noqa: N818 - it is the question that is wrong
    """A question that cannot be answered as it is written."""

    def __init__(self, errors: list[Wrong]) -> None:
        super().__init__("; ".join(f"{error.field}: {error.problem} ({error.mend})" for error in errors))
        self.errors = errors


@dataclass(frozen=True, slots=True)
class Asked:
    """A question that can be answered, and who asks it."""

    student: str
    question: Question
    reader: str
    role: str
    reason: str


@dataclass(frozen=True, slots=True)
class PointInTime:
    """Answers from one ledger."""

    engine: Engine
    register: Register
    pseudonyms: Pseudonyms
    clock: Clock

    def read(self, asked: Mapping[str, str], reader: str, role: str) -> Asked:
        """The question of `person`, `purpose`, `source`, `at`, `known_at` (optional) and `reason`, all as written.

        `reader` is the pseudonym of who asks, in which `role`.

        Raises:
            WrongQuestion: every part that is wrong is named.
        """
        written = {name: value.replace("\0", "").strip() for name, value in asked.items()}
        given = {name: value for name, value in written.items() if value}
        if wrong := list(self._wrong(given)):
            raise WrongQuestion(wrong)
        at_ms = _moment(given["at"])
        known_ms = _moment(given.get("known_at", given["at"]))
        person = given["person"]
        student = person if is_pseudonym(person) else self.pseudonyms.of(person)
        question = Question((given["purpose"], given["source"]), at_ms, known_ms)
        return Asked(student, question, reader, role, given["reason"])

    def answer(self, asked: Asked) -> Answer:
        """The answer; that it was asked, by whom and why, is shown to the student.

        Raises:
            TransientError: the database is away.
        """
        what = f"{' / '.join(asked.question.cell)} at {moment(asked.question.at_ms)}"
        access = Access(asked.student, asked.reader, asked.role, what, asked.reason, self.clock.now_ms())
        with unless_away(), self.engine.begin() as transaction:
            access_log.note(transaction, access)
            history = ledger.histories(transaction, [asked.student])[asked.student]
        return permitted(history, asked.question)

    def _wrong(self, given: Mapping[str, str]) -> Iterator[Wrong]:
        if "person" not in given:
            yield Wrong("person", "it is missing", "write the institution's id of the student, or the pseudonym")
        for name, known in (("purpose", self.register.askable), ("source", self.register.source)):
            if given.get(name) not in known:
                problem = f"{given[name]!r} is not in the policy register" if name in given else "it is missing"
                yield Wrong(name, problem, f"write one of {', '.join(known)}")
        if not 0 < len(given.get("reason", "")) <= LONGEST_REASON:
            mend = f"say in at most {LONGEST_REASON} characters why you ask; the student can read it"
            yield Wrong("reason", "it is too long" if "reason" in given else "it is missing", mend)
        for name in ("at", "known_at"):
            if name in given or name == "at":
                yield from self._wrong_moment(name, given.get(name))

    def _wrong_moment(self, name: str, text: str | None) -> Iterator[Wrong]:
        if text is None:
            yield Wrong(name, "it is missing", _A_MOMENT)
            return
        try:
            at_ms = _moment(text)
        except ValueError as error:
            yield Wrong(name, f"{text!r} {error}", _A_MOMENT)
            return
        if at_ms > self.clock.now_ms():
            yield Wrong(name, "it is in the future, of which nobody can know", "write a moment that has passed")


def is_pseudonym(person: str) -> bool:
    """Whether that is a pseudonym, not an id of the institution."""
    return _PSEUDONYM.fullmatch(person) is not None


def as_json(asked: Asked, answer: Answer) -> dict[str, Any]:
    """The answer for a program; moments in milliseconds, as the ledger holds them."""
    event = answer.event
    return {
        "permitted": answer.permitted,
        "why": answer.why,
        "stands": answer.stands,
        "student": asked.student,
        "purpose": asked.question.cell[0],
        "source": asked.question.cell[1],
        "at_ms": asked.question.at_ms,
        "known_ms": asked.question.known_ms,
        "event": None if event is None else asdict(event),
        "grant": None
        if answer.grant is None
        else {"from_ms": answer.grant.from_ms, "until_ms": answer.grant.until_ms, "notice": answer.grant.notice},
    }


def _moment(text: str) -> int:
    return moment_ms(re.sub(r" (?=\d\d:?\d\d$)", "+", text))  # a plus sign that was not encoded arrives as a blank
