"""The body of a bulk registration: read as a whole, and every row that is wrong is named before anything is done."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Literal
from zoneinfo import ZoneInfo

import msgspec
from msgspec import Meta, Struct

from services.consent.domain.decisions import Decision, a_year_later
from services.kernel.errors import InvalidMessage
from services.kernel.ids import Pseudonyms
from services.kernel.register import Register

_FIELD = re.compile(r"(?:field `|at `\$\.)(\w+)`")
_MENDING = {
    "state": "write given, refused, withdrawn or requested",
    "person": "write the institution's id of the student as a text, not empty",
    "from": "write a date and time with its offset, such as 2026-09-21T09:00:00+01:00",
    "until": "write a later date and time with its offset, or leave it out for one year",
}


class _Row(Struct, frozen=True, forbid_unknown_fields=True, rename={"from_": "from"}):
    person: Annotated[str, Meta(pattern=r"\S", max_length=200)]
    purpose: str
    source: str
    state: Literal["given", "refused", "withdrawn", "requested"]
    from_: str
    notice: str
    language: str
    until: str | None = None


class _Body(Struct, frozen=True, forbid_unknown_fields=True):
    decisions: list[Any]


@dataclass(frozen=True, slots=True)
class RowError:
    """What is wrong with a row (counted from 0), where, and how to mend it."""

    index: int
    field: str
    problem: str
    mend: str


class _WrongRowError(Exception):
    def __init__(self, name: str, problem: str, mend: str) -> None:
        super().__init__(problem)
        self.field, self.problem, self.mend = name, problem, mend


@dataclass(frozen=True, slots=True)
class Reader:
    """Reads bodies against what is declared: purposes and sources of the register, notices that exist."""

    register: Register
    notices: frozenset[tuple[str, str]]
    pseudonyms: Pseudonyms
    zone: ZoneInfo

    def read(self, body: bytes) -> tuple[Mapping[str, list[Decision]], list[RowError]]:
        """Decisions by the student's pseudonym, and what is wrong with which row.

        Raises:
            InvalidMessage: it is no such body at all.
        """
        rows = _rows(body)
        decisions: dict[str, list[Decision]] = {}
        errors: list[RowError] = []
        for index, raw in enumerate(rows):
            try:
                row = _row(raw)
                decisions.setdefault(self.pseudonyms.of(row.person), []).append(self._decision(row))
            except _WrongRowError as wrong:
                errors.append(RowError(index, wrong.field, wrong.problem, wrong.mend))
        return decisions, errors

    def _decision(self, row: _Row) -> Decision:
        for name, value, problem, mend in self._undeclared(row):
            raise _WrongRowError(name, f"{value!r} {problem}", mend)
        from_ms = _moment("from", row.from_)
        until_ms = self._until(row, from_ms)
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

    def _undeclared(self, row: _Row) -> Iterator[tuple[str, str, str, str]]:
        unknown = "is not declared in the policy register"
        if row.purpose not in self.register.purpose:
            yield "purpose", row.purpose, unknown, f"write one of {', '.join(self.register.purpose)}"
        if row.source not in self.register.source:
            yield "source", row.source, unknown, f"write one of {', '.join(self.register.source)}"
        if (row.notice, row.language) not in self.notices:
            known = ", ".join(f"{version} in {language}" for version, language in sorted(self.notices))
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
        return until_ms


def _rows(body: bytes) -> list[Any]:
    try:
        return msgspec.json.decode(body, type=_Body).decisions
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise InvalidMessage(
            "not-a-registration", f'{error}. Send one JSON object: {{"decisions": [{{"person": …}}, …]}}.'
        ) from error


def _row(raw: Any) -> _Row:
    try:
        return msgspec.convert(raw, _Row)
    except msgspec.ValidationError as error:
        problem = str(error).partition(" - at ")[0]
        found = _FIELD.search(str(error))
        name = found[1] if found else ""
        raise _WrongRowError(name, problem, _MENDING.get(name, "see the description of the API")) from error


def _moment(name: str, text: str) -> int:
    try:
        at = dt.datetime.fromisoformat(text)
    except ValueError as error:
        raise _WrongRowError(name, "it is no ISO 8601 date and time", _MENDING[name]) from error
    if at.tzinfo is None:
        raise _WrongRowError(name, "it has no offset from UTC", _MENDING[name])
    at_ms = (at - dt.datetime(1970, 1, 1, tzinfo=dt.UTC)) // dt.timedelta(milliseconds=1)
    if at_ms < 0:
        raise _WrongRowError(name, "it is before 1970", _MENDING[name])
    return at_ms
