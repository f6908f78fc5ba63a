"""Whole terms as records of the contracts, to be written more than once: a made-up one, and a real one of OULAD."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from zoneinfo import ZoneInfo

from msgspec import structs

from deploy.demo import oulad, places
from deploy.demo.events import Day, Event
from deploy.demo.oulad_work import work
from services.kernel.clock import DAY_MS, HOUR_MS, iso_day, midnight_ms, moment_ms
from services.kernel.consents import COHORT_IMPROVEMENT, INDIVIDUAL_INDICATORS, TUTOR_NOTIFY
from services.kernel.events import (
    ActivityRecorded,
    ClockTicked,
    ConsentStateChanged,
    Due,
    Enrolment,
    EnrolmentsChanged,
    Leave,
)
from tests.support.students import START_MS, Slice, Writer, consent, enrolled, student_of, term

SOURCES = ("vle", "assessment", "attendance", "library")
ALL_PURPOSES = (INDIVIDUAL_INDICATORS, TUTOR_NOTIFY, COHORT_IMPROVEMENT)
_ZONE = ZoneInfo("Europe/London")


@dataclass(frozen=True, slots=True)
class Log:
    """What the door, the consent service and the directory wrote in a term."""

    consents: list[ConsentStateChanged]
    enrolments: list[EnrolmentsChanged]
    slices: list[Slice]

    def write(self, writer: Writer) -> None:
        """All of it, as it would stand at the term's end."""
        writer.consents(self.consents)
        writer.enrolments(self.enrolments)
        for part in self.slices:
            writer.slice(part)


def made_up(students: int, days: int, events_a_day: int, seed: int) -> Log:
    """A term with late and doubled events, several sources, due work, marks, leave, and all kinds of consent."""
    names = [student_of(f"log-{number}") for number in range(students)]
    return Log(
        consents=[state for number, name in enumerate(names) for state in _consents(name, number)],
        enrolments=[_enrolled(name, number) for number, name in enumerate(names)],
        slices=[_varied(part) for part in term(names, days, events_a_day, seed, slices_a_day=2)],
    )


def _consents(student: str, number: int) -> Iterator[ConsentStateChanged]:
    """Most permit all; some not everything, some end it or begin it anew in the term."""
    sources = SOURCES[: 1 + number % 4] if number % 5 == 1 else SOURCES
    purposes = ALL_PURPOSES[:1] if number % 7 == 2 else ALL_PURPOSES[:2] if number % 7 == 3 else ALL_PURPOSES
    until_ms = START_MS + (20 + number % 9) * DAY_MS if number % 11 == 4 else START_MS + 300 * DAY_MS
    yield consent(student, purposes=purposes, sources=sources, until_ms=until_ms)
    if number % 13 == 5:
        yield ConsentStateChanged(student=student, version=2, changed_ms=START_MS)
    if number % 26 == 5:
        yield consent(student, 3, purposes=ALL_PURPOSES, sources=SOURCES, from_ms=START_MS + 10 * DAY_MS + HOUR_MS)


def _enrolled(student: str, number: int) -> EnrolmentsChanged:
    day = START_MS // DAY_MS
    leave = (Leave(first_day=iso_day(day + 9), last_day=iso_day(day + 16)),) if number % 17 == 6 else ()
    due = tuple(Due(assessment=f"essay-{n}", due_ms=START_MS + (10 * n + 9) * DAY_MS) for n in range(3))
    return enrolled(student, due=due, leave=leave, part_time=number % 10 == 7)


def _varied(part: Slice) -> Slice:
    return Slice([_of_a_source(event) for event in part.events], part.tick)


def _of_a_source(event: ActivityRecorded) -> ActivityRecorded:
    """The same event is always given the same source and kind, also when it comes again."""
    choice = int(event.id[:4], 16) % 20
    if choice == 0:
        essay = f"essay-{int(event.id[4:8], 16) % 3}"
        return structs.replace(event, source="assessment", activity="assignment", assessment=essay)
    if choice < 4:
        there = choice > 1
        return structs.replace(event, source="attendance", activity="attended" if there else "absent", qualifying=there)
    kinds = ("page", "forum", "quiz", "resource")
    source = "library" if choice == 4 else "vle"
    return structs.replace(event, source=source, activity=kinds[choice % 4], weight=1 + choice % 3)


def real(folder: Path, name: str, days: int) -> Log:
    """The first days of a presentation of OULAD, whose students permit everything from before their first click on."""
    (presentation,) = oulad.presentations(folder, [name])
    placed = oulad.Placed(presentation, presentation.start, _ZONE)
    found, done = oulad.clicks(folder, presentation), work(folder, presentation.key)
    invented = oulad.Invention(consenting=1.0)
    around = oulad.university(placed, oulad.registrations(folder, presentation), found, done, invented)
    from_ms = _ms(around.consent_from)
    consents = [
        consent(
            student_of(choice.person),
            purposes=ALL_PURPOSES,
            sources=SOURCES,
            from_ms=from_ms,
            until_ms=from_ms + 400 * DAY_MS,
        )
        for choice in around.consents
    ]
    return Log(
        consents=consents,
        enrolments=[_real_place(place) for place in around.enrolments],
        slices=[_real_day(day) for day in islice(oulad.term(placed, found, done).days, days)],
    )


def _real_place(place: places.Enrolment) -> EnrolmentsChanged:
    enrolment = Enrolment(
        module=place.module,
        start_day=place.start_day.isoformat(),
        end_day=place.end_day.isoformat(),
        left_day=place.left_day.isoformat() if place.left_day else None,
        due=tuple(Due(assessment=piece.assessment, due_ms=_ms(piece.due)) for piece in place.due),
    )
    return EnrolmentsChanged(student=student_of(place.person), version=1, enrolments=(enrolment,))


def _real_day(day: Day) -> Slice:
    events = [_real_event(event, source) for source, sent in day.by_source.items() for event in sent]
    return Slice(events, ClockTicked(at_ms=midnight_ms(day.date + dt.timedelta(days=1), _ZONE)))


def _real_event(event: Event, source: str) -> ActivityRecorded:
    at_ms = moment_ms(event.at)
    return ActivityRecorded(
        id=event.id,
        student=student_of(event.student),
        source=source,
        module=event.module,
        activity=event.activity,
        qualifying=True,
        occurred_ms=at_ms,
        received_ms=at_ms,
        consent_version=1,
        weight=event.weight,
        assessment=event.assessment,
    )


def _ms(moment: dt.datetime) -> int:
    return int(moment.timestamp() * 1000)
