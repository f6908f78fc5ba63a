"""Real terms: the Open University Learning Analytics Dataset as days of events, with a university around it.

Kuzilek, Hlosta and Zdrahal 2017, doi:10.1038/sdata.2017.171, CC BY 4.0. It has neither clock times, names, tutors nor
consents. A time within the day follows from a hash; the rest is made up from a seed. A (student, site, date) may come
several times, each of them real clicks, so an event's id also counts the ordinal within that key.
"""

from __future__ import annotations

import datetime as dt
import re
from array import array
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from zlib import crc32
from zoneinfo import ZoneInfo

from deploy.demo.chance import chance
from deploy.demo.events import ASSESSMENT, VLE, Day, Event, Span, Term, in_order
from deploy.demo.names import address, draw_name
from deploy.demo.oulad_files import read
from deploy.demo.oulad_work import Work
from deploy.demo.places import Due, Enrolment
from deploy.demo.university import CONSENT_LEAD_DAYS, Choice, Consent, Module, Person, University, groups
from services.kernel.errors import ConfigurationError
from services.kernel.ids import deterministic_id

STUDENTS_A_TUTOR = 50
_START_MONTH = {"B": 2, "J": 10}  # nominal: the dataset hides the days
ACTIVITIES = {  # the dataset's types as the register's activities; others go through as they are, and are kept out
    "dataplus": "resource",
    "dualpane": "page",
    "externalquiz": "quiz",
    "folder": "resource",
    "forumng": "forum",
    "homepage": "page",
    "htmlactivity": "page",
    "oucollaborate": "collaboration",
    "oucontent": "page",
    "ouelluminate": "collaboration",
    "ouwiki": "collaboration",
    "questionnaire": "quiz",
    "repeatactivity": "quiz",
    "sharedsubpage": "page",
    "subpage": "page",
    "url": "external",
}
_BY_HOUR = (2, 1, 0, 0, 0, 0, 1, 2, 5, 9, 10, 9, 8, 9, 10, 9, 8, 7, 7, 9, 9, 8, 6, 3)
_HOURS = tuple(hour for hour, weight in enumerate(_BY_HOUR) for _ in range(weight))
_SITTING_S, _LAST_SECOND = 5400, 86_399


@dataclass(frozen=True, slots=True)
class Presentation:
    """One run of a module; `days` is its length."""

    module: str
    code: str
    days: int

    @property
    def key(self) -> tuple[str, str]:
        """As the dataset's tables have it."""
        return self.module, self.code

    @property
    def name(self) -> str:
        """As in `--presentation BBB/2013J`."""
        return f"{self.module}/{self.code}"

    @property
    def slug(self) -> str:
        """As the code of a module of ours."""
        return f"{self.module}-{self.code}"

    @property
    def start(self) -> dt.date:
        """The nominal date of its day 0."""
        match = re.fullmatch(r"(\d{4})([BJ])", self.code)
        if not match:
            raise ConfigurationError(
                f"Presentation {self.name}: the start of {self.code!r} is unknown; use 2013B or 2013J"
            )
        return dt.date(int(match[1]), _START_MONTH[match[2]], 1)

    @property
    def term(self) -> str:
        """The name under which a replay of it is remembered."""
        return f"oulad {self.name}"


@dataclass(frozen=True, slots=True)
class Placed:
    """A presentation with its day 0 at a date."""

    presentation: Presentation
    start: dt.date
    zone: ZoneInfo

    @property
    def span(self) -> Span:
        """Its days."""
        return Span(self.start, self.presentation.days, self.zone)


@dataclass(frozen=True, slots=True)
class Invention:
    """What the dataset does not have: the share of students who give every consent, drawn from a seed."""

    seed: int = 1
    consenting: float = 0.8


@dataclass(frozen=True, slots=True)
class Registration:
    """A student's place; days count from the presentation's start, None where the dataset has none."""

    student: int
    registered: int | None
    left: int | None


@dataclass(frozen=True, slots=True)
class Clicks:
    """A presentation's clicks in memory, packed.

    Attributes:
        by_day: for each day offset, student, site and number of clicks, one after the other.
        activity: of each site.
    """

    by_day: Mapping[int, array[int]]
    activity: Mapping[int, str]

    @property
    def first_day(self) -> int:
        """The offset of the first day with a click, or 0."""
        return min((0, *self.by_day))

    @property
    def last_day(self) -> int:
        """The offset of the last day with a click, or 0."""
        return max((0, *self.by_day))


def presentations(folder: Path, names: Sequence[str] = ()) -> list[Presentation]:
    """Those with these names, or all that `courses` lists, in order of their starts.

    Raises:
        ConfigurationError: there is no such folder, file, column or presentation.
    """
    if not folder.is_dir():
        raise ConfigurationError(f"{folder} is no folder: name the one with OULAD's files")
    columns = read(
        folder, "courses", texts=("code_module", "code_presentation"), numbers=("module_presentation_length",)
    )
    known = {found.name: found for found in (Presentation(m, p, days or 0) for m, p, days in columns)}
    if unknown := [name for name in names if name not in known]:
        raise ConfigurationError(f"No presentation {', '.join(unknown)}; there are {', '.join(sorted(known))}")
    return sorted((known[name] for name in names or known), key=lambda p: (p.start, p.name))


def registrations(folder: Path, presentation: Presentation) -> list[Registration]:
    """Everybody who ever registered for the presentation, in order of their ids."""
    numbers = ("id_student", "date_registration", "date_unregistration")
    rows = read(folder, "studentRegistration", numbers=numbers, only=presentation.key)
    return sorted((Registration(*row) for row in rows), key=lambda r: r.student)


def clicks(folder: Path, presentation: Presentation) -> Clicks:
    """All clicks of the presentation."""
    key = presentation.key
    by_day: dict[int, array[int]] = defaultdict(lambda: array("q"))
    for row in read(folder, "studentVle", numbers=("id_student", "id_site", "date", "sum_click"), only=key):
        if None in row:
            raise ConfigurationError(f"studentVle: a row of {presentation.name} lacks a value: {row}")
        student, site, day, count = row
        by_day[day].extend((student, site, count))
    if not by_day:
        raise ConfigurationError(f"studentVle has no row of {presentation.name}")
    sites = read(folder, "vle", texts=("activity_type",), numbers=("id_site",), only=key)
    return Clicks(by_day, {site: ACTIVITIES.get(kind, kind) for kind, site in sites})


def term(placed: Placed, found: Clicks, work: Work) -> Term:
    """The presentation as days of events, from the first with a click to the end."""
    offsets = range(found.first_day, _last_day(placed.presentation, found) + 1)
    span = Span(placed.start + dt.timedelta(days=offsets[0]), len(offsets), placed.zone)
    return Term(placed.presentation.term, span, (_day(placed, found, work, offset) for offset in offsets))


def university(
    placed: Placed, registered: Sequence[Registration], found: Clicks, work: Work, invention: Invention
) -> University:
    """People, tutors and consents around the presentation; the consents cover every click."""
    presentation, last_day = placed.presentation, _last_day(placed.presentation, found)
    students = [_student(registration) for registration in registered]
    ids = [student.id for student in students]
    tutors = [_tutor(presentation, n) for n in range(-(-len(students) // STUDENTS_A_TUTOR))]
    return University(
        people=(*tutors, *students),
        modules=(Module(presentation.slug, f"Module {presentation.module}, presentation {presentation.code}"),),
        enrolments=tuple(_enrolment(placed, registration, last_day, work) for registration in registered),
        tutoring=groups([tutor.id for tutor in tutors], ids, invention.seed),
        consents=tuple(Consent(student, _choice(student, invention), "en") for student in ids),
        consent_from=placed.span.moment(found.first_day - CONSENT_LEAD_DAYS),
    )


def _choice(student: str, invention: Invention) -> Choice:
    """The same for a student in every presentation; those who do not give refuse or say nothing, half and half."""
    drawn = chance("oulad-consent", invention.seed, student).random()
    if drawn < invention.consenting:
        return "given"
    return "refused" if drawn < (1 + invention.consenting) / 2 else "undecided"


def _student(registration: Registration) -> Person:
    person_id = f"oulad-{registration.student}"
    name = draw_name(chance("oulad-name", person_id))
    return Person(person_id, name, address(name, person_id, "students.example.org"), "student")


def _tutor(presentation: Presentation, number: int) -> Person:
    person_id = f"oulad-tutor-{presentation.slug.lower()}-{number + 1:02}"
    name = draw_name(chance("oulad-name", person_id))
    return Person(person_id, name, address(name, person_id, "staff.example.org"), "tutor")


def _last_day(presentation: Presentation, found: Clicks) -> int:
    return max(presentation.days, found.last_day)


def _enrolment(placed: Placed, registration: Registration, last_day: int, work: Work) -> Enrolment:
    """Whoever left before the start has a place that ended as it began.

    The others' lasts for a day more than the data: a replay ends on that day's first moment, and an ended module would
    leave nothing to look at.
    """
    first, left = max(0, registration.registered or 0), registration.left
    mine = work.due_from(registration.student)
    return Enrolment(
        person=f"oulad-{registration.student}",
        module=placed.presentation.slug,
        start_day=placed.span.date(first),
        end_day=placed.span.date(last_day + 1),
        left_day=None if left is None else placed.span.date(max(left, first)),
        due=tuple(Due(name, placed.span.moment(day, _LAST_SECOND)) for name, day in mine if day >= first),
    )


def _day(placed: Placed, found: Clicks, work: Work, offset: int) -> Day:
    handed_in, clicked = _handed_in(placed, work, offset), _clicked(placed, found, offset)
    by_source = {ASSESSMENT: sorted(handed_in, key=in_order), VLE: sorted(clicked, key=in_order)}
    return Day(placed.span.date(offset), by_source)


def _handed_in(placed: Placed, work: Work, offset: int) -> Iterator[Event]:
    for student, assessment in work.handed_in.get(offset, ()):
        name = work.name(assessment)
        yield Event(
            id=deterministic_id("oulad-work", placed.presentation.name, student, name),
            student=f"oulad-{student}",
            module=placed.presentation.slug,
            activity="assignment",
            at=placed.span.moment(offset, _second(offset, student, assessment, 0)).isoformat(),
            assessment=name,
        )


def _clicked(placed: Placed, found: Clicks, offset: int) -> Iterator[Event]:
    packed = found.by_day.get(offset, array("q"))
    rows = sorted(zip(packed[::3], packed[1::3], packed[2::3], strict=True))
    for (student, site, count), ordinal in ((row, ordinal) for row, ordinal in _with_ordinals(rows) if row[2] > 0):
        yield Event(
            id=deterministic_id("oulad", placed.presentation.name, student, site, offset, ordinal),
            student=f"oulad-{student}",
            module=placed.presentation.slug,
            activity=found.activity.get(site, "unknown"),
            at=placed.span.moment(offset, _second(offset, student, site, ordinal)).isoformat(),
            weight=count,
        )


def _with_ordinals(rows: Sequence[tuple[int, int, int]]) -> Iterator[tuple[tuple[int, int, int], int]]:
    """Number the rows of one student and site; sorted by clicks too, so the files' order does not matter."""
    before, ordinal = (0, 0), 0
    for row in rows:
        ordinal = ordinal + 1 if row[:2] == before else 0
        before = row[:2]
        yield row, ordinal


def _second(offset: int, student: int, site: int, ordinal: int) -> int:
    """A likely second of the day: one sitting a day for each student, their sites spread over it."""
    sitting = crc32(f"{student}/{offset}".encode())
    hour, rest = _HOURS[sitting % len(_HOURS)], sitting // len(_HOURS) % 3600
    return min(hour * 3600 + rest + crc32(f"{site}/{ordinal}".encode()) % _SITTING_S, _LAST_SECOND)
