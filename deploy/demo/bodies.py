"""The bodies of the services' APIs that tell them about a university."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from deploy.demo.places import Due, Enrolment
from deploy.demo.university import TUTOR_NOTIFY, Cell, Consent, Person, University


@dataclass(frozen=True, slots=True)
class Asked:
    """What students were asked at registration.

    Attributes:
        cells: purpose × source, as the register declares them.
        notice: the version that they were shown.
    """

    cells: Sequence[Cell]
    notice: str


def directory_bodies(university: University, size: int = 500) -> Iterator[dict[str, Any]]:
    """Bodies of `POST /v1/directory`: first modules and tutors, then `size` students at a time with all of theirs."""
    tutors = [person for person in university.people if person.role == "tutor"]
    modules = [{"code": module.code, "title": module.title} for module in university.modules]
    yield {"people": list(map(_person_body, tutors)), "modules": modules, "enrolments": [], "tutoring": []}
    students = university.students
    for start in range(0, len(students), size):
        chunk = students[start : start + size]
        ids = {person.id for person in chunk}
        yield {
            "people": list(map(_person_body, chunk)),
            "modules": [],
            "enrolments": [_enrolment_body(e) for e in university.enrolments if e.person in ids],
            "tutoring": [{"tutor": t, "student": s} for t, s in university.tutoring if s in ids],
        }


def registration_bodies(university: University, asked: Asked, size: int = 1000) -> Iterator[dict[str, Any]]:
    """Bodies of `POST /v1/registration`, about `size` decisions each; one student's are never apart."""
    decisions: list[dict[str, Any]] = []
    for consent in university.consents:
        decisions += _decision_bodies(consent, asked, university.consent_from)
        if len(decisions) >= size:
            yield {"decisions": decisions}
            decisions = []
    if decisions:
        yield {"decisions": decisions}


def _person_body(person: Person) -> dict[str, str]:
    return {"id": person.id, "name": person.name, "email": person.email, "role": person.role}


def _enrolment_body(enrolment: Enrolment) -> dict[str, Any]:
    body: dict[str, Any] = {
        "person": enrolment.person,
        "module": enrolment.module,
        "start_day": enrolment.start_day.isoformat(),
        "end_day": enrolment.end_day.isoformat(),
    }
    if enrolment.left_day:
        body["left_day"] = enrolment.left_day.isoformat()
    if enrolment.part_time:
        body["part_time"] = True
    if enrolment.leave:
        body["leave"] = [
            {"first_day": leave.first_day.isoformat(), "last_day": leave.last_day.isoformat()}
            for leave in enrolment.leave
        ]
    if enrolment.exempt:
        body["exempt"] = list(enrolment.exempt)
    if enrolment.due:
        body["due"] = list(map(_due_body, enrolment.due))
    return body


def _due_body(due: Due) -> dict[str, str]:
    extended = {"extended": due.extended.isoformat()} if due.extended else {}
    return {"assessment": due.assessment, "due": due.due.isoformat(), **extended}


def _decision_bodies(consent: Consent, asked: Asked, since: dt.datetime) -> Iterator[dict[str, str]]:
    if consent.choice == "undecided":
        return
    for purpose, source in asked.cells:
        refused = consent.choice == "refused" or (consent.choice == "partial" and purpose == TUTOR_NOTIFY)
        yield {
            "person": consent.person,
            "purpose": purpose,
            "source": source,
            "state": "refused" if refused else "given",
            "from": since.isoformat(),
            "notice": asked.notice,
            "language": consent.language,
        }
