"""The input: the demonstration's simulated term, repeated with other pseudonyms until there is enough of it.

Two events in a hundred come up to 40 hours late and as many come twice; a tick ends each day. Everybody consents to
everything and is enrolled. The same numbers give the same records, byte for byte. Records are cut from templates, since
encoding each by itself would take longer than reading them.
"""

from __future__ import annotations

import datetime as dt
import math
import random
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import groupby
from typing import NamedTuple
from zoneinfo import ZoneInfo

from deploy.demo.events import SOURCES, Event, Span
from deploy.demo.events import Day as SimulatedDay
from deploy.demo.places import Enrolment as Place
from deploy.demo.term import simulate
from deploy.demo.university import Demo, University, demo_university
from services.kernel.clock import DAY_MS, HOUR_MS, MINUTE_MS, moment_ms
from services.kernel.codec import encode
from services.kernel.consents import INDIVIDUAL_INDICATORS, TUTOR_NOTIFY
from services.kernel.events import ClockTicked, Due, Enrolment, EnrolmentsChanged, Leave
from services.kernel.kafka import partition_of
from services.kernel.register import load_register
from tests.support.students import START_DAY, START_MS, activity, consent, student_of

PURPOSES = (INDIVIDUAL_INDICATORS, TUTOR_NOTIFY, "cohort-improvement")
TERM_DAYS = 70
_DEMO = Demo(weeks=TERM_DAYS // 7)
_SPAN = Span(dt.date.fromisoformat(START_DAY), TERM_DAYS, ZoneInfo("Europe/London"))
_LATE, _TWICE = 0.02, 0.02
_LATEST_MS = 40 * HOUR_MS
_NOBODY = "0" * 64
_COPY_DIGITS = 8  # the first of an event's id say whose copy it is


class Keyed(NamedTuple):
    """A record's key and value."""

    key: bytes | None
    value: bytes


class Day(NamedTuple):
    """One day's events of each partition, in the order of their arrival, and the tick that ends it."""

    events: list[list[Keyed]]
    tick: bytes

    @property
    def number(self) -> int:
        """How many records it is; the tick stands in every partition."""
        return sum(map(len, self.events)) + len(self.events)


@dataclass(frozen=True, slots=True)
class _Arrival:
    """An event of the simulated term as it comes in: a template for everybody who stands for the same person."""

    day: int
    person: int
    parts: tuple[bytes, bytes, bytes]  # around the first digits of the id, and around the student


class Workload:
    """A term of many students.

    Attributes:
        students: how many there are.
        events: how many events are written, ticks left out.
        days: of the term, from its first.
    """

    def __init__(
        self, *, students: int, days: int = TERM_DAYS, most_events: int | None = None, partitions: int = 4
    ) -> None:
        self._persons = [person.id for person in _university().students]
        self._copies = math.ceil(students / len(self._persons))
        self.partitions, self.days = partitions, days
        arrivals = [arrival for arrival in _arrivals() if arrival.day < days]
        thinned = math.ceil(len(arrivals) * self._copies / most_events) if most_events else 1
        self._arrivals = arrivals[::thinned]
        self.students = self._copies * len(self._persons)
        self.events = self._copies * len(self._arrivals)
        self._keys = [[student_of(f"{person}/{n}").encode() for n in range(self._copies)] for person in self._persons]
        self._homes = [[partition_of(key.decode(), partitions) for key in keys] for keys in self._keys]

    @classmethod
    def of_events(cls, events: int, partitions: int = 4) -> Workload:
        """A whole term with at least so many events."""
        one = cls(students=1)
        return cls(students=math.ceil(events / one.events) * one.students, partitions=partitions)

    @property
    def records(self) -> int:
        """Events and ticks, in all partitions."""
        return self.events + self.days * self.partitions

    def consents(self) -> list[Iterator[Keyed]]:
        """Everybody's consent state, by partition."""
        template = encode(consent(_NOBODY, purposes=PURPOSES, sources=SOURCES))
        return self._everybodys([template] * len(self._persons))

    def enrolments(self) -> list[Iterator[Keyed]]:
        """Everybody's enrolments, by partition."""
        places = {
            person: tuple(found) for person, found in groupby(_university().enrolments, lambda place: place.person)
        }
        return self._everybodys([encode(_enrolments(places[person])) for person in self._persons])

    def term(self) -> Iterator[Day]:
        """The term, day by day."""
        copies = [b"%0*x" % (_COPY_DIGITS, copy) for copy in range(self._copies)]
        by_day = {day: list(found) for day, found in groupby(self._arrivals, lambda arrival: arrival.day)}
        heard: dict[str, int] = {}
        for day in range(self.days):
            events: list[list[Keyed]] = [[] for _ in range(self.partitions)]
            for arrival in by_day.get(day, ()):
                keys, homes, (a, b, c) = self._keys[arrival.person], self._homes[arrival.person], arrival.parts
                for copy, key, home in zip(copies, keys, homes, strict=True):
                    events[home].append(Keyed(key, b"".join((a, copy, b, key, c))))
            heard |= _days()[day].heard_ms
            yield Day(events, encode(ClockTicked(at_ms=START_MS + (day + 1) * DAY_MS, heard=heard)))

    def tick_after(self, days: int) -> bytes:
        """The tick that ends the day so many days after the term's last; every source was heard of until then."""
        at_ms = START_MS + (self.days + days) * DAY_MS
        return encode(ClockTicked(at_ms=at_ms, heard=dict.fromkeys(SOURCES, at_ms)))

    def _everybodys(self, templates: Sequence[bytes]) -> list[Iterator[Keyed]]:
        return [self._of_partition(templates, partition) for partition in range(self.partitions)]

    def _of_partition(self, templates: Sequence[bytes], partition: int) -> Iterator[Keyed]:
        for template, keys, homes in zip(templates, self._keys, self._homes, strict=True):
            for key, home in zip(keys, homes, strict=True):
                if home == partition:
                    yield Keyed(key, template.replace(_NOBODY.encode(), key))


@cache
def _university() -> University:
    return demo_university(_DEMO, _SPAN)


@cache
def _days() -> Sequence[SimulatedDay]:
    return list(simulate(_university(), _DEMO, _SPAN).days)


@cache
def _arrivals() -> list[_Arrival]:
    """The simulated term's events in the order in which they come in."""
    random_ = random.Random(1)
    number = {person.id: n for n, person in enumerate(_university().students)}
    qualifying = {entry.name for entry in load_register().activities if entry.qualifying}
    arrivals: list[tuple[int, _Arrival]] = []
    for n, source, event in _simulated():
        at_ms = moment_ms(event.at)
        came_ms = max(at_ms, START_MS + n * DAY_MS) + (random_.randrange(_LATEST_MS) if random_.random() < _LATE else 0)
        parts = _template(event, source, at_ms, came_ms, qualifying=event.activity in qualifying)
        again_ms = [came_ms + random_.randrange(10 * MINUTE_MS)] if random_.random() < _TWICE else []
        arrivals += [
            (ms, _Arrival((ms - START_MS) // DAY_MS, number[event.student], parts)) for ms in (came_ms, *again_ms)
        ]
    return [arrival for _, arrival in sorted(arrivals, key=lambda pair: pair[0])]


def _simulated() -> Iterator[tuple[int, str, Event]]:
    """Each event with its source and the number of the day on which its system tells of it."""
    for n, day in enumerate(_days()):
        for source, events in day.by_source.items():
            yield from ((n, source, event) for event in events)


def _template(
    event: Event, source: str, at_ms: int, received_ms: int, *, qualifying: bool
) -> tuple[bytes, bytes, bytes]:
    recorded = activity(
        _NOBODY,
        at_ms,
        id=event.id,
        source=source,
        module=event.module,
        activity=event.activity,
        qualifying=qualifying,
        received_ms=received_ms,
        weight=event.weight,
        assessment=event.assessment,
    )
    before, rest = encode(recorded).split(event.id[:_COPY_DIGITS].encode(), 1)
    between, after = rest.split(_NOBODY.encode(), 1)
    return before, between, after


def _enrolments(places: Iterable[Place]) -> EnrolmentsChanged:
    """As the directory writes them."""
    return EnrolmentsChanged(student=_NOBODY, version=1, enrolments=tuple(map(_enrolment, places)))


def _enrolment(place: Place) -> Enrolment:
    leave = [Leave(first_day=one.first_day.isoformat(), last_day=one.last_day.isoformat()) for one in place.leave]
    return Enrolment(
        module=place.module,
        start_day=place.start_day.isoformat(),
        end_day=place.end_day.isoformat(),
        left_day=place.left_day.isoformat() if place.left_day else None,
        part_time=place.part_time,
        leave=tuple(leave),
        exempt=place.exempt,
        due=tuple(
            Due(assessment=one.assessment, due_ms=_ms(one.due), extended_ms=_ms(one.extended) if one.extended else None)
            for one in place.due
        ),
    )


def _ms(moment: dt.datetime) -> int:
    return int(moment.timestamp() * 1000)
