"""Says from scratch what may stand of each student: the simple judge beside a partition that works incrementally.

It keeps every event that arrived and every consent that was told, and looks all of it through whenever it is asked.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from copy import deepcopy
from dataclasses import dataclass, field

from services.kernel.clock import HOUR_MS, day_number
from services.kernel.events import ActivityRecorded, ConsentStateChanged, Enrolment, Grant

INDIVIDUAL, TUTOR = "individual-indicators", "tutor-notify"
MARKS = ("attended", "absent")
LATENESS_MS = 48 * HOUR_MS
AHEAD_DAYS = 3
ENDLESS = 1 << 60
Day = int
Sums = dict[tuple[str, str, Day], int]  # module, source, day → sum of weights
Place = tuple[str, str]  # student, module
Said = tuple[str, str, str, Day, tuple[str, ...]]  # student, module, state, the episode's day, sources


@dataclass(frozen=True, slots=True)
class Told:
    """A consent state, None for a deletion, with the count of records and the clock at which it was told."""

    number: int
    clock_ms: int
    state: ConsentStateChanged | None


@dataclass(frozen=True, slots=True)
class Arrived:
    """An event, with the count of records at which it came; `countable` says whether it was permitted and in time."""

    number: int
    event: ActivityRecorded
    day: Day
    countable: bool


@dataclass(slots=True)
class Student:
    """All that ever was heard of a student."""

    told: list[Told] = field(default_factory=list)
    arrived: list[Arrived] = field(default_factory=list)
    enrolments: tuple[Enrolment, ...] = ()


@dataclass(slots=True)
class Memory:
    """What depends on the order of things, and falls back in a crash.

    Attributes:
        clock_ms: the last tick.
        waiting: whether it is still to be judged, after the comparison with the module.
        episodes: of absence, that are open, with the day that each counts from.
        ended: on which day the last one ended.
        told: from when on the tutor's grants run that these rest on.
    """

    clock_ms: int = 0
    waiting: bool = False
    episodes: dict[Place, Day] = field(default_factory=dict)
    ended: dict[Place, Day] = field(default_factory=dict)
    told: dict[str, dict[str, int]] = field(default_factory=dict)


class Oracle:
    """What may stand, by the whole history.

    Attributes:
        students: by pseudonym.
        said: the episodes' starts and ends since the last flush.
        memory: of now.
    """

    def __init__(self, day_of: Callable[[int], Day], absent_days: float) -> None:
        self.students: dict[str, Student] = defaultdict(Student)
        self.said: list[Said] = []
        self.memory = Memory()
        self._day_of, self._absent_days = day_of, absent_days
        self._number = 0
        self.flushed()

    def flushed(self) -> None:
        """Everything until now is durable."""
        self._flushed = self._number, deepcopy(self.memory)
        self.said = []

    def crash(self) -> None:
        """Forget what came after the last flush."""
        number, memory = self._flushed
        self.memory, self.said = deepcopy(memory), []
        for known in self.students.values():
            known.told = [t for t in known.told if t.number <= number]
            known.arrived = [a for a in known.arrived if a.number <= number]

    @property
    def clock_ms(self) -> int:
        """The last tick."""
        return self.memory.clock_ms

    @property
    def today(self) -> Day:
        """The local day of the clock."""
        return self._day_of(self.clock_ms)

    def tick(self, at_ms: int) -> None:
        """Time goes on: grants end, and absence is judged, in a new week only after the comparison with the module."""
        before, self.memory.clock_ms = self.today, max(self.clock_ms, at_ms)
        for student in self.students:
            self._end_unpermitted(student)
        self.memory.waiting = _week(self.today) != _week(before)
        if not self.memory.waiting:
            self._judge(new_day=self.today != before)

    def compared(self) -> None:
        """The comparison that was waited for is made."""
        self.memory.waiting = False
        self._judge(new_day=True)

    def consent(self, student: str, state: ConsentStateChanged | None) -> None:
        """A consent is told; an old one is no news."""
        known = self.latest(student)
        if state is None or known is None or state.version > known.version:
            self._take(student, state)

    def read_anew(self, consents: Mapping[str, ConsentStateChanged | None]) -> None:
        """All consents are told as they stand, whatever was known before."""
        for student, state in consents.items():
            if state != self.latest(student):
                self._take(student, state)

    def _take(self, student: str, state: ConsentStateChanged | None) -> None:
        self._number += 1
        self.students[student].told.append(Told(self._number, self.clock_ms, state))
        self._end_unpermitted(student)

    def latest(self, student: str) -> ConsentStateChanged | None:
        """The consent that holds."""
        told = self.students[student].told
        return told[-1].state if told else None

    def event(self, event: ActivityRecorded) -> None:
        """An event arrives, whether it may count or not."""
        self._number += 1
        grant = _grant(self.latest(event.student), INDIVIDUAL, event.source)
        at_ms = event.occurred_ms
        countable = (
            grant is not None
            and grant.from_ms <= at_ms < grant.until_ms
            and self.clock_ms < grant.until_ms
            and at_ms >= self.clock_ms - LATENESS_MS
            and (not self.clock_ms or self._day_of(at_ms) <= self.today + AHEAD_DAYS)
        )
        self.students[event.student].arrived.append(Arrived(self._number, event, self._day_of(at_ms), countable))

    def permitted(self, student: str, purpose: str) -> dict[str, Grant]:
        """The grants of a purpose that hold now, by source; the tutor's only where figures may be computed."""
        state = self.latest(student)
        grants = state.grants if state else ()
        found = {g.source: g for g in grants if g.purpose == purpose and self.clock_ms < g.until_ms}
        if purpose == INDIVIDUAL:
            return found
        individual = self.permitted(student, INDIVIDUAL)
        return {source: grant for source, grant in found.items() if source in individual}

    def standing(self, student: str) -> Iterator[Arrived]:
        """The events that count now, each id once."""
        known = self.students[student]
        since = {source: self._unbroken_since(known, source) for source in self.permitted(student, INDIVIDUAL)}
        ids = set()
        for arrived in known.arrived:
            begun = since.get(arrived.event.source)
            if arrived.countable and begun is not None and arrived.number > begun and arrived.event.id not in ids:
                ids.add(arrived.event.id)
                yield arrived

    def sums(self, student: str) -> Sums:
        """What a state may hold of activity, and must hold of the days that anything still looks at."""
        sums: Sums = defaultdict(int)
        for arrived in self.standing(student):
            if arrived.event.qualifying:
                sums[arrived.event.module, arrived.event.source, arrived.day] += arrived.event.weight
        return sums

    def marks(self, student: str) -> Sums:
        """The same of attendance; module, kind of mark, day."""
        sums: Sums = defaultdict(int)
        for arrived in self.standing(student):
            if arrived.event.activity in MARKS:
                sums[arrived.event.module, arrived.event.activity, arrived.day] += 1
        return sums

    def handed(self, student: str) -> dict[tuple[str, str], int]:
        """By module and piece of work, when it was first handed in, in milliseconds."""
        first: dict[tuple[str, str], int] = {}
        for arrived in self.standing(student):
            if arrived.event.assessment:
                of = arrived.event.module, arrived.event.assessment
                first[of] = min(arrived.event.occurred_ms, first.get(of, arrived.event.occurred_ms))
        return first

    def running(self, student: str, purpose: str) -> Iterator[tuple[Enrolment, Day, dict[Day, int]]]:
        """Each module that runs and could be seen, since when, and the sums of its days from permitted sources."""
        from_days = self._from_days(student, purpose)
        if not from_days:
            return
        sums, granted = self.sums(student), min(from_days.values())
        for enrolment in self.students[student].enrolments:
            since = max(day_number(enrolment.start_day), granted)
            if not since <= self.today <= day_number(enrolment.end_day):
                continue
            days: dict[Day, int] = defaultdict(int)
            for (module, source, day), weight in sums.items():
                if module == enrolment.module and day >= from_days.get(source, ENDLESS):
                    days[day] += weight
            yield enrolment, since, days

    def _from_days(self, student: str, purpose: str) -> dict[str, Day]:
        """From which local day on activity counts, by source; where the tutor came later, only from the next day on."""
        ours = self.permitted(student, INDIVIDUAL)
        return {
            source: self._day_of(max(grant.from_ms, ours[source].from_ms)) + (grant.from_ms > ours[source].from_ms)
            for source, grant in self.permitted(student, purpose).items()
        }

    def _judge(self, *, new_day: bool) -> None:
        """Judge everybody where a local day began, else those with an open episode."""
        for student in self.students:
            for enrolment, since, days in self.running(student, TUTOR):
                place = student, enrolment.module
                if new_day or place in self.memory.episodes:
                    self._judge_absence(place, max((since, *days)), new_day=new_day)
                    if place in self.memory.episodes or place in self.memory.ended:
                        self.memory.told[student] = self._told_now(student)

    def _judge_absence(self, place: Place, counted_from: Day, *, new_day: bool) -> None:
        absent = max(0, self.today - counted_from) >= self._absent_days
        if absent and new_day and place not in self.memory.episodes:
            self.memory.episodes[place] = max(counted_from, self.memory.ended.get(place, 0))
            self._say(place, "opened", self.memory.episodes[place])
        elif not absent and place in self.memory.episodes:
            self.memory.ended[place] = self.today
            self._say(place, "recovered", self.memory.episodes.pop(place))

    def _say(self, place: Place, state: str, day: Day) -> None:
        self.said.append((*place, state, day, tuple(sorted(self.permitted(place[0], TUTOR)))))

    def _told_now(self, student: str) -> dict[str, int]:
        return {source: grant.from_ms for source, grant in self.permitted(student, TUTOR).items()}

    def _end_unpermitted(self, student: str) -> None:
        """What rests on a grant that has ended or begun anew goes."""
        now, before = self._told_now(student), self.memory.told.get(student, {})
        lost = {source for source, from_ms in before.items() if now.get(source, ENDLESS) > from_ms}
        if lost or self._all_anew(student):
            self.memory.told.pop(student, None)
            for held in (self.memory.episodes, self.memory.ended):
                for place in [place for place in held if place[0] == student]:
                    del held[place]
        left = now.keys() - lost
        self.said = [said for said in self.said if said[0] != student or (now and left >= set(said[4]))]

    def _all_anew(self, student: str) -> bool:
        known = self.students[student]
        since = [self._unbroken_since(known, source) for source in self.permitted(student, INDIVIDUAL)]
        return all(number == self._number for number in since)

    @staticmethod
    def _unbroken_since(known: Student, source: str) -> int | None:
        """From which record on the present grant of a source has held without a break; None where it does not."""
        since, begun_ms = None, -1
        ends = [told.clock_ms for told in known.told[1:]]
        for told, reigned_until_ms in zip(known.told, [*ends, None], strict=True):
            grant = _grant(told.state, INDIVIDUAL, source)
            if grant is None or told.clock_ms >= grant.until_ms:
                since = None
                continue
            if since is None or grant.from_ms > begun_ms:
                since, begun_ms = told.number, grant.from_ms
            if reigned_until_ms is not None and reigned_until_ms >= grant.until_ms:
                since = None
        return since


def _grant(state: ConsentStateChanged | None, purpose: str, source: str) -> Grant | None:
    grants = state.grants if state else ()
    return next((g for g in grants if g.purpose == purpose and g.source == source), None)


def _week(day: Day) -> int:
    return (day + 3) // 7  # 1970-01-01 was a Thursday
