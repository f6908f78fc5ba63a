"""A university to show things with: people, modules, tutoring groups, and what the students said about consent.

Everything follows from a seed: the same seed and numbers give the same people, byte for byte.
"""

from __future__ import annotations

import datetime as dt
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from deploy.demo.events import Span
from deploy.demo.names import address, draw_name

NOTICE = "2026-1"
CONSENT_LEAD_DAYS = 14  # the students decide at registration, before the term
TUTOR_NOTIFY = "tutor-notify"

Choice = Literal["given", "partial", "refused", "undecided"]
Cell = tuple[str, str]  # purpose, source


@dataclass(frozen=True, slots=True)
class Person:
    """A student or tutor of the university."""

    id: str
    name: str
    email: str
    role: Literal["student", "tutor"]


@dataclass(frozen=True, slots=True)
class Officer:
    """Somebody who neither studies nor has a tutoring group."""

    id: str
    name: str
    roles: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Module:
    """A module that students can be on."""

    code: str
    title: str


@dataclass(frozen=True, slots=True)
class Enrolment:
    """A student's place on a module; `end_day` is its last day, `left_day` the first one after leaving early."""

    person: str
    module: str
    start_day: dt.date
    end_day: dt.date
    left_day: dt.date | None = None
    part_time: bool = False


@dataclass(frozen=True, slots=True)
class Consent:
    """What a student said at registration, and in which language the notice was shown."""

    person: str
    choice: Choice
    language: Literal["en", "cy"]


@dataclass(frozen=True, slots=True)
class University:
    """All that the services have to be told before a term.

    Attributes:
        tutoring: pairs of a tutor's and a student's id.
        consent_from: the moment from which the decisions count.
    """

    people: tuple[Person, ...]
    modules: tuple[Module, ...]
    enrolments: tuple[Enrolment, ...]
    tutoring: tuple[tuple[str, str], ...]
    consents: tuple[Consent, ...]
    consent_from: dt.datetime

    @property
    def students(self) -> tuple[Person, ...]:
        """The students, in a stable order."""
        return tuple(person for person in self.people if person.role == "student")


def chance(*parts: str | int) -> random.Random:
    """A stream of pseudo-random numbers that depends on nothing but `parts`."""
    return random.Random("/".join(map(str, parts)))  # noqa: S311 - it has to be repeatable, not secret


# The demo ----------------------------------------------------------------------------------------------------------

_MODULES = (
    Module("HIST101", "Reading the past"),
    Module("BIOL110", "Cells and organisms"),
    Module("COMP120", "Programs and data"),
    Module("PSYC105", "Mind and behaviour"),
)
_OFFICERS = (
    ("a0000001", ("administrator",)),
    ("d0000001", ("data-protection-officer",)),
    ("p0000001", ("senior-tutor", "tutor")),
    ("r0000001", ("representative",)),
)
_SHARES: tuple[tuple[Choice, float], ...] = (
    ("given", 0.70),
    ("refused", 0.12),
    ("undecided", 0.12),
)  # the rest in part
_WELSH, _TWO_MODULES, _PART_TIME, _LEAVE = 0.2, 0.2, 0.06, 0.02
_EXAM_DAYS = 7  # modules outlast the teaching weeks


@dataclass(frozen=True, slots=True)
class Demo:
    """Which demo university and term: the same values give the same people and events."""

    seed: int = 1
    students: int = 200
    tutors: int = 8
    weeks: int = 10

    @property
    def days(self) -> int:
        """The term's length."""
        return self.weeks * 7

    @property
    def term(self) -> str:
        """The name under which its replay is remembered."""
        return f"simulated seed={self.seed} students={self.students} tutors={self.tutors} weeks={self.weeks}"


def people(demo: Demo) -> tuple[Person, ...]:
    """The tutors and students; they do not depend on when the term is."""
    draw = chance("people", demo.seed, demo.students, demo.tutors)
    numbers = draw.sample(range(10_000, 99_999), demo.students)
    ids = [f"t{n:07}" for n in range(1, demo.tutors + 1)] + [f"s{n:07}" for n in sorted(numbers)]
    return tuple(_person(person_id, draw) for person_id in ids)


def officers(demo: Demo) -> tuple[Officer, ...]:
    """Those who look after the whole; drawn apart from the people, so that neither changes the other."""
    draw = chance("officers", demo.seed)
    return tuple(Officer(person_id, draw_name(draw), roles) for person_id, roles in _OFFICERS)


def demo_university(demo: Demo, span: Span) -> University:
    """The university, for a term at these dates."""
    everybody = people(demo)
    ids = [person.id for person in everybody if person.role == "student"]
    draw = chance("enrolments", demo.seed)
    return University(
        people=everybody,
        modules=_MODULES,
        enrolments=tuple(place for student in ids for place in _enrol(student, draw, span)),
        tutoring=groups([person.id for person in everybody if person.role == "tutor"], ids, demo.seed),
        consents=decide(ids, demo.seed),
        consent_from=span.moment(-CONSENT_LEAD_DAYS),
    )


def groups(tutors: Sequence[str], students: Sequence[str], seed: int) -> tuple[tuple[str, str], ...]:
    """Tutoring groups of equal size, mixed."""
    mixed = list(students)
    chance("groups", seed).shuffle(mixed)
    return tuple((tutors[n % len(tutors)], student) for n, student in enumerate(mixed))


def decide(students: Sequence[str], seed: int) -> tuple[Consent, ...]:
    """Deal out choices in exactly the shares of the demo; one student in five reads Welsh."""
    draw = chance("consents", seed)
    mixed = list(students)
    draw.shuffle(mixed)
    dealt: list[Choice] = [choice for choice, share in _SHARES for _ in range(round(share * len(mixed)))]
    dealt += ["partial"] * (len(mixed) - len(dealt))
    return tuple(
        Consent(student, choice, "cy" if draw.random() < _WELSH else "en")
        for student, choice in zip(mixed, dealt, strict=False)
    )


def _person(person_id: str, draw: random.Random) -> Person:
    role: Literal["student", "tutor"] = "tutor" if person_id.startswith("t") else "student"
    name = draw_name(draw)
    host = "staff.example.org" if role == "tutor" else "students.example.org"
    return Person(person_id, name, address(name, person_id, host), role)


def _enrol(student: str, draw: random.Random, span: Span) -> Iterator[Enrolment]:
    part_time = draw.random() < _PART_TIME
    modules = 2 if not part_time and draw.random() < _TWO_MODULES else 1
    left = draw.randrange(span.days // 4, span.days) if draw.random() < _LEAVE else None
    for module in draw.sample(_MODULES, modules):
        yield Enrolment(
            person=student,
            module=module.code,
            start_day=span.first_day,
            end_day=span.date(span.days + _EXAM_DAYS),
            left_day=None if left is None else span.date(left),
            part_time=part_time,
        )


# The bodies of the services' APIs ----------------------------------------------------------------------------------


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


def registration_bodies(university: University, cells: Sequence[Cell], size: int = 1000) -> Iterator[dict[str, Any]]:
    """Bodies of `POST /v1/registration`, about `size` decisions each; one student's are never apart."""
    decisions: list[dict[str, Any]] = []
    for consent in university.consents:
        decisions += _decision_bodies(consent, cells, university.consent_from)
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
    return body


def _decision_bodies(consent: Consent, cells: Sequence[Cell], since: dt.datetime) -> Iterator[dict[str, str]]:
    if consent.choice == "undecided":
        return
    for purpose, source in cells:
        refused = consent.choice == "refused" or (consent.choice == "partial" and purpose == TUTOR_NOTIFY)
        yield {
            "person": consent.person,
            "purpose": purpose,
            "source": source,
            "state": "refused" if refused else "given",
            "from": since.isoformat(),
            "notice": NOTICE,
            "language": consent.language,
        }
