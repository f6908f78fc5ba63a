"""A university to show things with: people, modules, tutoring groups, and what the students said about consent.

Everything follows from a seed: the same seed and numbers give the same people, byte for byte.
"""

from __future__ import annotations

import datetime as dt
import random
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from deploy.demo.chance import chance
from deploy.demo.events import Span
from deploy.demo.names import address, draw_name
from deploy.demo.places import Enrolment, places_of

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
_WELSH = 0.2


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
    return University(
        people=everybody,
        modules=_MODULES,
        enrolments=places_of(ids, [module.code for module in _MODULES], demo.seed, span),
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
