"""The body of a bulk registration: read as a whole, and every row that is wrong is named before anything is done."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Annotated, Literal
from zoneinfo import ZoneInfo

import msgspec
from msgspec import Meta, Struct

from services.consent.api.registration_forms import Form, RawRow, rows
from services.consent.domain.decisions import Decision, a_year_later
from services.consent.domain.special import is_special
from services.consent.notices import Notices
from services.kernel.clock import DAY_MS, moment_ms
from services.kernel.ids import Pseudonyms
from services.kernel.register import Register

_FIELD = re.compile(r"(?:field `|at `\$\.)(\w+)`")
_MENDING = {
    "": "write one decision, with the fields that the description of the API names",
    "state": "write given, refused, withdrawn or requested",
    "person": "write the institution's id of the student as a text, not empty",
    "from": "write a date and time with its offset, such as 2026-09-21T09:00:00+01:00",
    "until": "write a later date and time with its offset, at most a year later, or leave it out for one year",
}
_LONGEST_MS = 366 * DAY_MS  # a year, however it is counted
_LAST_YEAR, _LATEST_MS = 2999, 32_503_680_000_000  # beyond 9999 calendars end, in the middle of a reckoning of days


class _Row(Struct, frozen=True, forbid_unknown_fields=True, rename={"from_": "from"}):
    person: Annotated[str, Meta(pattern=r"\S", max_length=200)]
    purpose: str
    source: str
    state: Literal["given", "refused", "withdrawn", "requested"]
    from_: str
    notice: str
    language: str
    until: str | None = None


@dataclass(frozen=True, slots=True)
class RowError:
    """What is wrong with a row, where, and how to mend it.

    Attributes:
        index: of the row, from 0.
        line: on which it begins, from 1; None where a body has no lines to count.
        other, other_line: the same of a row that it contradicts.
    """

    index: int
    line: int | None
    field: str
    problem: str
    mend: str
    other: int | None = None
    other_line: int | None = None


class _WrongRowError(Exception):
    def __init__(self, name: str, problem: str, mend: str, other: RawRow | None = None) -> None:
        super().__init__(problem)
        self.field, self.problem, self.mend, self.other = name, problem, mend, other

    def of(self, raw: RawRow) -> RowError:
        """The error of that row."""
        other = (self.other.index, self.other.line) if self.other else (None, None)
        return RowError(raw.index, raw.line, self.field, self.problem, self.mend, *other)


@dataclass(slots=True)
class _Read:
    """The decisions so far, and where each was said, to find two that contradict each other."""

    shown: frozenset[tuple[str, str]]
    decisions: dict[str, list[Decision]] = field(default_factory=dict)
    said: dict[tuple[str, str, str, int], tuple[Decision, RawRow]] = field(default_factory=dict)

    def add(self, student: str, decision: Decision, raw: RawRow) -> None:
        key = (student, decision.purpose, decision.source, decision.from_ms)
        before, other = self.said.setdefault(key, (decision, raw))
        if before != decision:
            problem = "it contradicts another row about the same student, purpose, source and moment"
            raise _WrongRowError("state", problem, "keep what the student said last, or correct its from", other)
        self.decisions.setdefault(student, []).append(decision)


@dataclass(frozen=True, slots=True)
class Reader:
    """Reads bodies against what is declared: purposes and sources of the register, notices that were shown."""

    register: Register
    notices: Notices
    pseudonyms: Pseudonyms
    zone: ZoneInfo

    def read(self, body: bytes, form: Form = "json") -> tuple[Mapping[str, list[Decision]], list[RowError]]:
        """Decisions by the student's pseudonym, and what is wrong with which row.

        Raises:
            InvalidMessage: it is no such body at all.
        """
        read = _Read(frozenset((notice.version, notice.language) for notice in self.notices.reached()))
        errors: list[RowError] = []
        for raw in rows(body, form):
            try:
                row = _row(raw)
                read.add(self.pseudonyms.of(row.person), self._decision(row, read.shown), raw)
            except _WrongRowError as wrong:
                errors.append(wrong.of(raw))
        return read.decisions, errors

    def _decision(self, row: _Row, shown: frozenset[tuple[str, str]]) -> Decision:
        for name, value, problem, mend in self._undeclared(row, shown):
            raise _WrongRowError(name, f"{value!r} {problem}", mend)
        from_ms = _moment("from", row.from_)
        until_ms = self._until(row, from_ms)
        if row.state == "given" and (replaced_ms := self.notices.replaced_ms(row.notice)) is not None:
            _require_shown(row.notice, from_ms, replaced_ms)
        return Decision(
            purpose=row.purpose,
            source=row.source,
            state=row.state,
            from_ms=from_ms,
            until_ms=until_ms,
            notice=row.notice,
            language=row.language,
            channel="registration",
            actor="registrar",
        )

    def _undeclared(self, row: _Row, shown: frozenset[tuple[str, str]]) -> Iterator[tuple[str, str, str, str]]:
        unknown = "is not declared in the policy register"
        if row.purpose not in self.register.askable:
            yield "purpose", row.purpose, unknown, f"write one of {', '.join(self.register.askable)}"
        if is_special(row.purpose) and row.state == "given":
            problem = "is special-category data: a yes to it is said explicitly, and not at registration"
            yield "purpose", row.purpose, problem, "let the student say it in the portal, or to a member of staff"
        if row.source not in self.register.source:
            yield "source", row.source, unknown, f"write one of {', '.join(self.register.source)}"
        if (row.notice, row.language) not in shown:
            known = ", ".join(f"{version} in {language}" for version, language in sorted(shown))
            yield "notice", row.notice, f"was never shown in {row.language!r}", f"write a notice that was: {known}"

    def _until(self, row: _Row, from_ms: int) -> int | None:
        if row.state != "given":
            if row.until is not None:
                raise _WrongRowError("until", f"it has no meaning when {row.state}", "leave it out")
            return None
        if row.until is None:
            return a_year_later(from_ms, self.zone)
        until_ms = _moment("until", row.until)
        if until_ms <= from_ms:
            raise _WrongRowError("until", "it is not after from", _MENDING["until"])
        if until_ms - from_ms > _LONGEST_MS:
            raise _WrongRowError("until", "it is more than a year after from", _MENDING["until"])
        return until_ms


def _row(raw: RawRow) -> _Row:
    if raw.problem:
        raise _WrongRowError("", raw.problem, _MENDING[""])
    try:
        return msgspec.convert(raw.content, _Row)
    except msgspec.ValidationError as error:
        problem = str(error).partition(" - at ")[0]
        found = _FIELD.search(str(error))
        name = found[1] if found else ""
        raise _WrongRowError(name, problem, _MENDING.get(name, _MENDING[""])) from error


def _require_shown(version: str, from_ms: int, replaced_ms: int) -> None:
    if from_ms >= replaced_ms:
        problem = f"{version!r} had been replaced by then by a text that asks for something else"
        raise _WrongRowError("notice", problem, "write the notice that the student read, or ask them again")


def _moment(name: str, text: str) -> int:
    try:
        at_ms = moment_ms(text)
    except ValueError as error:
        raise _WrongRowError(name, f"it {error}", _MENDING[name]) from error
    if at_ms >= _LATEST_MS:
        raise _WrongRowError(name, f"it is after {_LAST_YEAR}", _MENDING[name])
    return at_ms
