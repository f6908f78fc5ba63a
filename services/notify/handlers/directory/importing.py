"""The directory import: people, modules, enrolments and tutoring, whole or not at all.

It is idempotent: what is sent again changes nothing, and only students whose enrolments changed are published anew.
Every row that is wrong is named with what to mend; then nothing of the request is kept.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Any, Literal, TypeVar

import msgspec
from msgspec import Meta, Struct

from services.kernel.errors import SignpostError
from services.kernel.events import EnrolmentsChanged, Slug
from services.kernel.ids import Pseudonyms
from services.kernel.topics import ENROLMENTS
from services.notify.adapters.tables import outbox
from services.notify.handlers.directory.enrolments import EnrolmentRow, stored, wrong
from services.notify.handlers.gate import Gate
from services.notify.handlers.intake import OPENED, queue_messages
from services.notify.handlers.unit import Unit

Name = Annotated[str, Meta(min_length=1, max_length=300)]
MOST_ROWS = 10_000  # databases bound the parameters of a statement


class PersonRow(Struct, frozen=True, forbid_unknown_fields=True):
    """A person; the only place where names and addresses enter."""

    id: Slug
    name: Name
    email: Annotated[str, Meta(pattern=r"^[^@\s<>,;]+@[^@\s<>,;]+$", max_length=320)]
    role: Literal["student", "tutor"]


class ModuleRow(Struct, frozen=True, forbid_unknown_fields=True):
    """A module."""

    code: Slug
    title: Name


class TutoringRow(Struct, frozen=True, forbid_unknown_fields=True):
    """That somebody tutors a student; a student's rows replace the tutors whom they had before."""

    tutor: Slug
    student: Slug


class RowError(Struct, frozen=True):
    """A row that is wrong: in which list, which one (from 0), and how to mend it."""

    list: str
    row: int
    reason: str
    detail: str


class DirectoryRefused(SignpostError):  # noqa: N818 - the answer to a request
    """The import is refused as a whole; `errors` names each row that is wrong."""

    def __init__(self, errors: list[RowError]) -> None:
        super().__init__(f"{len(errors)} rows of the directory are wrong; nothing was changed")
        self.errors = errors


class Import(Struct, frozen=True):
    """The rows of a request, each read."""

    people: list[PersonRow]
    modules: list[ModuleRow]
    enrolments: list[EnrolmentRow]
    tutoring: list[TutoringRow]


LISTS = ("people", "modules", "enrolments", "tutoring")
Row = TypeVar("Row", bound=Struct)


def read(body: bytes) -> Import:
    """The import that a request's body holds.

    Raises:
        DirectoryRefused: it is no JSON object of these lists, or a row is wrong.
    """
    try:
        lists = msgspec.json.decode(body, type=dict[str, list[Any]])
    except msgspec.MsgspecError as error:
        raise DirectoryRefused([RowError("", 0, "not-the-contract", f"{error}: {_SHAPE}")]) from error
    errors = [RowError(name, 0, "unknown-list", _SHAPE) for name in lists if name not in LISTS]
    errors += [RowError(n, MOST_ROWS, "too-many-rows", _SPLIT) for n, rows in lists.items() if len(rows) > MOST_ROWS]
    if errors:
        raise DirectoryRefused(errors)
    wanted = Import(
        people=_converted("people", PersonRow, lists, errors),
        modules=_converted("modules", ModuleRow, lists, errors),
        enrolments=_converted("enrolments", EnrolmentRow, lists, errors),
        tutoring=_converted("tutoring", TutoringRow, lists, errors),
    )
    if errors:
        raise DirectoryRefused(errors)
    return wanted


def take(unit: Unit, gate: Gate, pseudonyms: Pseudonyms, wanted: Import) -> dict[str, int]:
    """Keep the import, and publish the enrolments that changed; gives the number of rows of each list.

    Raises:
        DirectoryRefused: a row names somebody or something unknown, or contradicts itself.
    """
    if errors := list(_contradictions(unit, gate, wanted)):
        raise DirectoryRefused(errors)
    unit.directory.put_people([msgspec.structs.asdict(p) | {"pseudonym": pseudonyms.of(p.id)} for p in wanted.people])
    unit.directory.put_modules([msgspec.structs.asdict(m) for m in wanted.modules])
    _take_enrolments(unit, wanted)
    _take_tutoring(unit, gate, wanted, pseudonyms)
    return {name: len(getattr(wanted, name)) for name in LISTS}


_SHAPE = 'send {"people": […], "modules": […], "enrolments": […], "tutoring": […]}, each list optional'
_SPLIT = f"send at most {MOST_ROWS} rows of a list in one request"


def _converted(name: str, kind: type[Row], lists: dict[str, list[Any]], errors: list[RowError]) -> list[Row]:
    rows: list[Row] = []
    for number, row in enumerate(lists.get(name, [])):
        try:
            rows.append(msgspec.convert(row, kind))
        except msgspec.ValidationError as error:
            errors.append(RowError(name, number, "not-the-contract", str(error)))
    return rows


def _take_enrolments(unit: Unit, wanted: Import) -> None:
    concerned = {row.person for row in wanted.enrolments}
    before = unit.directory.enrolments_of(concerned)
    unit.directory.put_enrolments(list(map(stored, wanted.enrolments)))
    for person, enrolments in unit.directory.enrolments_of(concerned).items():
        if enrolments != before[person]:
            student, version = unit.directory.next_enrolments_version(person)
            changed = EnrolmentsChanged(student=student, version=version, enrolments=enrolments)
            outbox.add(unit.tx, ENROLMENTS, student, changed)


def _take_tutoring(unit: Unit, gate: Gate, wanted: Import, pseudonyms: Pseudonyms) -> None:
    tutors: dict[str, list[str]] = {}
    for row in wanted.tutoring:
        tutors.setdefault(row.student, []).append(row.tutor)
    for student, theirs in tutors.items():
        unit.directory.set_tutors(student, theirs)
    waiting = {case.id: case for case in unit.cases.all_open([pseudonyms.of(student) for student in tutors])}
    for case_id in unit.deliveries.cases_without(list(waiting), OPENED):  # opened before anybody was their tutor
        queue_messages(unit, waiting[case_id], gate.system.now_ms())


def _contradictions(unit: Unit, gate: Gate, wanted: Import) -> Iterator[RowError]:
    roles = _roles(unit, wanted)
    modules = {row.code for row in wanted.modules}
    modules |= unit.directory.known_modules({row.module for row in wanted.enrolments} - modules)
    for number, row in enumerate(wanted.enrolments):
        for reason, detail in (*_unknown(row, roles, modules), *wrong(row, gate.register.rule)):
            yield RowError("enrolments", number, reason, detail)
    for number, pair in enumerate(wanted.tutoring):
        if roles.get(pair.tutor) != "tutor":
            yield RowError("tutoring", number, "unknown-tutor", "tutor must be a person with the role tutor")
        if roles.get(pair.student) != "student":
            yield RowError("tutoring", number, "unknown-student", "student must be a person with the role student")


def _roles(unit: Unit, wanted: Import) -> dict[str, str]:
    sent: dict[str, str] = {row.id: row.role for row in wanted.people}
    named: set[str] = {row.person for row in wanted.enrolments}
    named |= {person for row in wanted.tutoring for person in (row.tutor, row.student)}
    return unit.directory.roles(named - sent.keys()) | sent


def _unknown(row: EnrolmentRow, roles: dict[str, str], modules: set[str]) -> Iterator[tuple[str, str]]:
    if roles.get(row.person) != "student":
        yield "unknown-student", "person must be a person with the role student"
    if row.module not in modules:
        yield "unknown-module", "module must be the code of a module, sent with this request or before"
