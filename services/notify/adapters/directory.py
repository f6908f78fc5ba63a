"""People, modules, enrolments and who tutors whom in the database."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from msgspec import convert
from sqlalchemy import Connection, delete, select, update

from services.kernel.events import Enrolment
from services.notify.adapters.tables import enrolment, module, person, tutoring, upsert


@dataclass(frozen=True, slots=True)
class PersonRecord:
    """A person as the directory knows them."""

    id: str
    pseudonym: str
    name: str
    email: str
    role: str


class Directory:
    """The directory, within one transaction."""

    def __init__(self, tx: Connection) -> None:
        self._tx = tx

    def roles(self, ids: Iterable[str]) -> dict[str, str]:
        """The roles of those of the people who are known."""
        rows = self._tx.execute(select(person.c.id, person.c.role).where(person.c.id.in_(list(ids))))
        return {row.id: row.role for row in rows}

    def known_modules(self, codes: Iterable[str]) -> set[str]:
        """Those of the codes that are known."""
        rows = self._tx.execute(select(module.c.code).where(module.c.code.in_(list(codes))))
        return {row.code for row in rows}

    def put_people(self, rows: list[dict[str, Any]]) -> None:
        """Insert people, or bring them up to date."""
        upsert(self._tx, person, rows, "pseudonym", "name", "email", "role")

    def put_modules(self, rows: list[dict[str, Any]]) -> None:
        """Insert modules, or bring them up to date."""
        upsert(self._tx, module, rows, "title")

    def put_enrolments(self, rows: list[dict[str, Any]]) -> None:
        """Insert enrolments, or bring them up to date."""
        upsert(self._tx, enrolment, rows, *_OF_ENROLMENT)

    def enrolments_of(self, ids: Iterable[str]) -> dict[str, tuple[Enrolment, ...]]:
        """Each person's enrolments, in the order of the modules."""
        found: dict[str, list[Enrolment]] = {person_id: [] for person_id in ids}
        query = select(enrolment).where(enrolment.c.person.in_(list(found))).order_by(enrolment.c.module)
        for row in self._tx.execute(query):
            values = {name: getattr(row, name) for name in ("module", *_OF_ENROLMENT)}
            found[row.person].append(convert(values, Enrolment))
        return {person_id: tuple(enrolments) for person_id, enrolments in found.items()}

    def next_enrolments_version(self, person_id: str) -> tuple[str, int]:
        """Count one more change of a person's enrolments; gives their pseudonym and the new version."""
        row = self._tx.execute(
            update(person)
            .where(person.c.id == person_id)
            .values(enrolments_version=person.c.enrolments_version + 1)
            .returning(person.c.pseudonym, person.c.enrolments_version)
        ).one()
        return row.pseudonym, row.enrolments_version

    def set_tutors(self, student: str, tutors: Iterable[str]) -> None:
        """Let a student have these tutors and no others."""
        self._tx.execute(delete(tutoring).where(tutoring.c.student == student))
        upsert(self._tx, tutoring, [{"tutor": tutor, "student": student} for tutor in tutors])

    def by_ids(self, ids: Iterable[str]) -> dict[str, PersonRecord]:
        """People by id."""
        rows = self._tx.execute(select(*_RECORD).where(person.c.id.in_(list(ids))))
        return {row.id: PersonRecord(**row._asdict()) for row in rows}

    def student(self, pseudonym: str) -> PersonRecord | None:
        """The student behind a pseudonym, if the directory knows them."""
        query = select(*_RECORD).where(person.c.pseudonym == pseudonym, person.c.role == "student")
        row = self._tx.execute(query).first()
        return PersonRecord(**row._asdict()) if row else None

    def students_of(self, tutor: str) -> dict[str, PersonRecord]:
        """A tutor's own students, by pseudonym."""
        query = select(*_RECORD).join(tutoring, tutoring.c.student == person.c.id).where(tutoring.c.tutor == tutor)
        return {row.pseudonym: PersonRecord(**row._asdict()) for row in self._tx.execute(query)}

    def tutors_of(self, pseudonym: str) -> list[str]:
        """The ids of a student's tutors."""
        student = select(person.c.id).where(person.c.pseudonym == pseudonym).scalar_subquery()
        rows = self._tx.execute(
            select(tutoring.c.tutor).where(tutoring.c.student == student).order_by(tutoring.c.tutor)
        )
        return [row.tutor for row in rows]

    def tutoring(self) -> dict[str, list[str]]:
        """The ids of all students' tutors, by the student's pseudonym."""
        found: dict[str, list[str]] = {}
        query = select(person.c.pseudonym, tutoring.c.tutor).join(tutoring, tutoring.c.student == person.c.id)
        for row in self._tx.execute(query.order_by(tutoring.c.tutor)):
            found.setdefault(row.pseudonym, []).append(row.tutor)
        return found

    def module_titles(self, codes: Iterable[str]) -> dict[str, str]:
        """The titles of modules; a module that the directory does not know goes by its code."""
        wanted = list(codes)
        rows = self._tx.execute(select(module).where(module.c.code.in_(wanted)))
        return {code: code for code in wanted} | {row.code: row.title for row in rows}


_RECORD = (person.c.id, person.c.pseudonym, person.c.name, person.c.email, person.c.role)
_OF_ENROLMENT = ("start_day", "end_day", "left_day", "part_time", "leave", "exempt", "due")
