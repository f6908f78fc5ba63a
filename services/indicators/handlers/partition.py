"""What a shard does with each record of its partition, in memory; `adapters/shard.py` makes it durable.

The same input in the same order gives the same state, triggers and published indicators, however it was cut into
batches and transactions: figures are computed as of the clock at a student's last change, not as of the flush.
"""

from __future__ import annotations

from binascii import unhexlify
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from functools import partial
from itertools import islice
from typing import Any

from services.indicators.domain.activity.gathering import Store
from services.indicators.domain.activity.moments import StreamTime
from services.indicators.domain.activity.roster import Roster
from services.indicators.domain.calendar import Calendar
from services.indicators.domain.cohort import Norms, monday
from services.indicators.domain.formulas import check_declared
from services.indicators.domain.permission import Permission
from services.indicators.domain.publication import Publication
from services.indicators.domain.rules import Change, Rules
from services.indicators.domain.situations import Situations
from services.indicators.handlers import cohorts
from services.indicators.handlers.consents import Consents
from services.indicators.handlers.counting import Counting
from services.indicators.handlers.keeping import Keeping
from services.indicators.handlers.publishing import Publishing
from services.indicators.handlers.students import Student, Students
from services.indicators.handlers.sweep import Sweep
from services.indicators.ports import Changes, Position
from services.kernel.clock import HOUR_MS
from services.kernel.codec import decoder
from services.kernel.dead_letters import RawRecord, refuse_flood
from services.kernel.errors import InvalidMessage
from services.kernel.events import ActivityRecorded, ClockTicked, CohortClosed, CohortCounted
from services.kernel.register import Register
from services.kernel.settings import Settings
from services.kernel.topics import ACTIVITY_EVENTS

MOST_RECORDS = 5_000  # that one flush publishes
WEEK = 7
_decode = decoder(ACTIVITY_EVENTS)


class Partition:
    """The students of one partition: their consents, enrolments and rolling states, and the stream's clock.

    Call `restore`, then `consent` and `enrolments` for what the topics hold, then `reconcile`; then go on with
    `consent`, `enrolments` and `apply` as records come, and with `compare` when the norms that it waits for are there.

    Args:
        register: the policy.
        settings: of the institution and the indicators.
        position: where the last flush left it.
        number: the partition's.

    Attributes:
        outcomes: records by what became of them, until the caller clears it, for metrics.
        held: starts of episodes that were held back, by why, likewise.
        store: the tables.
        timed: measures how long it takes to judge a tick.
    """

    def __init__(
        self, register: Register, settings: Settings, position: Position | None = None, *, number: int = 0
    ) -> None:
        check_declared(register)
        self._register, self._position = register, position or Position()
        rules, calendar = Rules(register), Calendar(register, settings.institution.zone)
        lateness_ms = settings.indicators.lateness_hours * HOUR_MS
        self._time = StreamTime(settings.institution.zone, lateness_ms, calendar, self._position.clock_ms)
        self._calendar = calendar
        self._store = Store(Roster(rules), rules.sources, self._position.feeds)
        self._students = Students(register, self._store, self._time)
        self._cohorts = cohorts.Cohorts(number)
        self._counting = Counting(self._students)
        self._consents = Consents(self._students, self._counting.outcomes)
        self._keeping = Keeping(self._students, rules)
        compared = partial(self._cohorts.figures, self._store)
        self._sweep = Sweep(register, rules, self._students, compared)
        self.outcomes, self.held, self.store = self._counting.outcomes, self._sweep.held, self._store
        self.timed: Callable[[], AbstractContextManager[Any]] = nullcontext
        situations = Situations(self._store, register.indicator, compared)
        publication = Publication(register, self._cohorts.day)
        self._publishing = Publishing(self._students, rules, situations, publication)
        self._publishing.figured_ms = self._position.figured_ms or self._position.clock_ms
        self._owing = self._position.owing
        self._published: list[Student] = []
        self._gone: list[tuple[Student, str, Change]] = []
        self._unreadable_in_a_row = 0

    @property
    def students(self) -> int:
        """How many have published indicators."""
        return self._students.published

    @property
    def clock_ms(self) -> int:
        """The last tick."""
        return self._time.at_ms

    @property
    def waiting(self) -> int | None:
        """The Monday for whose norms it waits, and applies nothing meanwhile; None where it does not wait."""
        return self._cohorts.waiting

    @property
    def next_week(self) -> int:
        """The Monday from which on it will need norms; the one that it waits for, if it waits."""
        waiting = self.waiting
        if waiting is not None:
            return waiting
        return monday(self._time.today) + WEEK if self.clock_ms else 0

    @property
    def changed(self) -> bool:
        """Whether there is anything to flush."""
        return bool(self._students.pending) or bool(self._cohorts.changed)

    @property
    def unwritten(self) -> int:
        """How many students' states have changed since the last flush."""
        return len(self._students.pending.changed)

    @property
    def owes(self) -> bool:
        """Whether there are records to publish."""
        return bool(self.clock_ms) and (self._owing or bool(self._students.pending.figures))

    @property
    def counted(self) -> list[CohortCounted | CohortClosed]:
        """What was counted of the cohorts since the last flush."""
        return self._students.pending.norms

    def position(self, offset: int) -> Position:
        """Where it stands after what was changed is durable."""
        owing = self._owing or len(self._students.pending.figures) > len(self._published)
        return Position(
            offset=offset,
            clock_ms=self.clock_ms,
            figured_ms=self._publishing.figured_ms,
            owing=owing,
            waiting=self.waiting,
            feeds=self._store.feeds,
            register=self._register.version,
        )

    def restore(self, states: Mapping[bytes, bytes]) -> None:
        """Take over the states of the last flush."""
        ours = {key: raw for key, raw in states.items() if key.startswith(cohorts.KEY)}
        self._cohorts.restore(ours, self._position.waiting)
        self._gone = self._keeping.load({key: raw for key, raw in states.items() if key not in ours})

    def consent(self, record: RawRecord) -> Student:
        """Apply a consent state at once; gives the student, whose `version` is then the one that is obeyed, 0 for none.

        Raises:
            InvalidMessage: it cannot be read. It must not be skipped: it could be a withdrawal.
        """
        return self._consents.consent(record)

    def enrolments(self, record: RawRecord) -> None:
        """Apply a student's enrolments; an unreadable record is passed over here and set aside by the agent."""
        self._consents.enrolments(record)

    def reconcile(self) -> None:
        """Drop what lost its consent while nobody was looking."""
        self._consents.reconcile()

    def apply(self, records: Sequence[RawRecord], *, consent_is_complete: bool = False) -> int:
        """Apply events and ticks in order; gives how many were.

        It stops before an event whose door saw a newer consent than this partition has, unless the caller has read
        the consents to an end that was taken after these records were read; and it stops where it must wait for norms.

        Raises:
            Flood: too many in a row cannot be read.
        """
        index = 0
        while index < len(records) and self.waiting is None:
            begin = index
            index = self._counting.run(records, begin, consent_is_complete=consent_is_complete)
            if index > begin:
                self._unreadable_in_a_row = 0
            if index < len(records):
                if not self._take(records[index]):
                    break
                index += 1
        return index

    def compare(self, norms: Norms) -> None:
        """Go on from a wait: say where each student stands, and judge the tick that was waited at."""
        for student in self._students.of_places(self._cohorts.compare(norms, self._store, self._time)):
            self._students.mark(student)
        self._judge(cohort_tick=True)

    def changes(self, *, publish: bool = True) -> Changes:
        """What has changed since the last `flushed`; without the records to publish where these are to wait."""
        pending = self._students.pending
        pending.figures.update(pending.changed)
        indicators: dict[str, bytes | None] = dict.fromkeys(pending.purged)
        if publish and self.clock_ms:
            if self._owing:
                pending.figures.update(dict.fromkeys(self._publishing.everybody()))
                self._owing = False
            self._published = list(islice(pending.figures, MOST_RECORDS))
            indicators |= self._publishing.records(self._published)
        states = dict.fromkeys(pending.purged) | pending.sealed | self._keeping.save(list(pending.changed))
        triggers, unreadable, norms = list(pending.triggers), list(pending.unreadable), list(pending.norms)
        return Changes(states, indicators, triggers, unreadable, norms, dict(self._cohorts.changed))

    def flushed(self) -> None:
        """The changes are durable."""
        for student in self._published:
            self._students.pending.figures.pop(student, None)
        self._published = []
        self._students.pending.flushed()
        self._cohorts.changed = {}

    def _take(self, record: RawRecord) -> bool:
        """Take one record that is no event to count, at least not now; gives whether it was applied."""
        try:
            event: ActivityRecorded | ClockTicked = _decode(record.value or b"")
            if isinstance(event, ActivityRecorded):
                return self._is_sound(event, record)
            self._tick(event)
        except InvalidMessage as error:
            self._unreadable_in_a_row += 1
            refuse_flood(self._unreadable_in_a_row, ACTIVITY_EVENTS, error)
            self.outcomes["unreadable"] += 1
            self._students.pending.unreadable.append((record, error))
        else:
            self._unreadable_in_a_row = 0
        return True

    @staticmethod
    def _is_sound(event: ActivityRecorded, record: RawRecord) -> bool:
        """False: the event is sound and was not counted, so it waits for a consent."""
        if record.key != event.student.encode():
            raise InvalidMessage("wrong-key", "the record's key is not the event's student")
        try:
            unhexlify(event.id)
        except ValueError as error:
            raise InvalidMessage("not-the-contract", "an event's id must be hexadecimal") from error
        return False

    def _tick(self, tick: ClockTicked) -> None:
        store, time = self._store, self._time
        if tick.at_ms <= time.at_ms:
            store.feeds.hear(tick.heard)
            self.outcomes["tick-repeated"] += 1
            return
        self.outcomes["tick"] += 1
        before, today = time.today, time.day_of(tick.at_ms)
        if today != before:
            self._keeping.seal(today)
        time.advance(tick.at_ms)
        store.windows.advance(today)
        store.marks.advance(today)
        feeds_changed = self._hear(tick, today)
        self._consents.expire()
        if monday(today) != monday(before):
            self._students.pending.norms += self._cohorts.count(store, time, self._permitted)
        elif today != before:
            self._judge(cohort_tick=False)
        else:
            self._sweep.hour()
            if feeds_changed:
                self._figure_everybody()

    def _judge(self, *, cohort_tick: bool) -> None:
        gone, self._gone = self._gone, []
        self._sweep.tell_gone(gone)
        with self.timed():
            self._sweep.day(cohort_tick=cohort_tick)
        self._figure_everybody()

    def _figure_everybody(self) -> None:
        self._owing = True
        self._publishing.figured_ms = self.clock_ms

    def _hear(self, tick: ClockTicked, today: int) -> bool:
        """Whether a feed fell silent, or is back."""
        feeds = self._store.feeds
        before = feeds.stale(self._store.sources)
        feeds.tick(tick, today, self._register.source, self._calendar)
        return bool((before != feeds.stale(self._store.sources)).any())

    def _permitted(self, number: int) -> Permission:
        return self._students.numbered(number).permitted
