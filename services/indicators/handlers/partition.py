"""What a shard does with each record of its partition, in memory; `adapters/shard.py` makes it durable.

The same input in the same order gives the same state, triggers and published indicators, however it was cut into
batches and transactions: figures are computed as of the clock at a student's last change, not as of the flush.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence

from services.indicators.domain.formulas import check_declared
from services.indicators.domain.permission import Permission, enforce, permission
from services.indicators.domain.publication import Publisher, Subject
from services.indicators.domain.window import StudentState, count, decode_state, encode_state
from services.indicators.ports import Changes, Pending
from services.kernel.clock import HOUR_MS, local_days
from services.kernel.codec import decoder, encode
from services.kernel.consents import covers
from services.kernel.dead_letters import RawRecord, refuse_flood
from services.kernel.errors import InvalidMessage
from services.kernel.events import (
    ActivityRecorded,
    ClockTicked,
    ConsentStateChanged,
    EnrolmentsChanged,
)
from services.kernel.register import Register
from services.kernel.settings import Settings
from services.kernel.topics import ACTIVITY_EVENTS, CONSENT_STATE, ENROLMENTS

_decode_event, _decode_consent, _decode_enrolments = map(decoder, (ACTIVITY_EVENTS, CONSENT_STATE, ENROLMENTS))


class Partition:
    """The students of one partition: their consents, enrolments and rolling states, and the stream's clock.

    Call `restore`, then `consent` and `enrolments` for what the topics hold, then `reconcile`; then go on with
    `consent`, `enrolments` and `apply` as records come.

    Attributes:
        clock_ms: the last tick.
        outcomes: records by what became of them, until the caller clears it, for metrics.
        students: how many have published indicators.
    """

    def __init__(self, register: Register, settings: Settings, clock_ms: int = 0) -> None:
        check_declared(register)
        self.outcomes: Counter[str] = Counter()
        self.students = 0
        self._day_of = local_days(settings.institution.zone)
        self._publisher = Publisher(register, self._day_of)
        self._lateness_ms = settings.indicators.lateness_hours * HOUR_MS
        self._set_clock(clock_ms)
        self._consents: dict[str, ConsentStateChanged] = {}
        self._permissions: dict[str, Permission] = {}
        self._enrolments: dict[str, EnrolmentsChanged] = {}
        self._states: dict[str, StudentState] = {}
        self._with_episodes: set[str] = set()
        self._next_expiry_ms: int | None = None
        self._reconciled = False
        self._unreadable_in_a_row = 0
        self._pending = Pending()

    @property
    def changed(self) -> bool:
        """Whether there is anything to flush."""
        return bool(self._pending)

    def restore(self, states: dict[bytes, bytes]) -> None:
        """Take over the states of the last flush."""
        self._states = {key.decode(): decode_state(value) for key, value in states.items()}
        self.students = sum(state.published for state in self._states.values())
        for student in self._states:
            self._note_episodes(student)

    def reconcile(self) -> None:
        """Drop what lost its consent while nobody was looking."""
        for student in list(self._states):
            self._enforce(student)
        self._reconciled = True

    def consent(self, record: RawRecord) -> ConsentStateChanged | None:
        """Apply a consent state at once; gives the student's state as it stands then, None of one that was deleted.

        Raises:
            InvalidMessage: it cannot be read. It must not be skipped: it could be a withdrawal.
        """
        student = (record.key or b"").decode("ascii", "replace")
        if record.value is None:
            self._consents.pop(student, None)
            self._permissions.pop(student, None)
        else:
            consent: ConsentStateChanged = _decode_consent(record.value)
            if consent.student != student:
                raise InvalidMessage("wrong-key", "a consent record's key is not its student")
            known = self._consents.get(student)
            if known is not None and consent.version <= known.version:
                return known
            self._consents[student] = consent
            self._permit(student, consent)
        if self._reconciled:
            self._enforce(student)
            self._refigure(student)
        return self._consents.get(student)

    def enrolments(self, record: RawRecord) -> None:
        """Apply a student's enrolments; an unreadable record is passed over here and set aside by the agent."""
        student = (record.key or b"").decode("ascii", "replace")
        if record.value is None:
            self._enrolments.pop(student, None)
        else:
            try:
                changed: EnrolmentsChanged = _decode_enrolments(record.value)
            except InvalidMessage:
                return
            known = self._enrolments.get(student)
            if known is not None and changed.version <= known.version:
                return
            self._enrolments[student] = changed
        if self._reconciled:
            self._refigure(student)

    def apply(self, records: Sequence[RawRecord], *, consent_is_complete: bool = False) -> int:
        """Apply events and ticks in order; gives how many were.

        It stops before an event whose door saw a newer consent than this partition has, unless the caller has read
        the consents to an end that was taken after these records were read.

        Raises:
            Flood: too many in a row cannot be read.
        """
        for index, record in enumerate(records):
            try:
                event: ActivityRecorded | ClockTicked = _decode_event(record.value or b"")
                if isinstance(event, ClockTicked):
                    self._tick(event.at_ms)
                elif not consent_is_complete and self._is_behind(event):
                    return index
                else:
                    self.outcomes[self._count(record, event)] += 1
            except InvalidMessage as error:
                self._set_aside(record, error)
            else:
                self._unreadable_in_a_row = 0
        return len(records)

    def _set_aside(self, record: RawRecord, error: InvalidMessage) -> None:
        self._unreadable_in_a_row += 1
        refuse_flood(self._unreadable_in_a_row, ACTIVITY_EVENTS, error)
        self.outcomes["unreadable"] += 1
        self._pending.unreadable.append((record, error))

    def changes(self) -> Changes:
        """What has changed since the last `flushed`."""
        pending = self._pending
        indicators = dict(self._published(pending))
        written = pending.states | pending.purged | indicators.keys()
        states = {s: encode_state(self._states[s]) if s in self._states else None for s in written}
        return Changes(states, indicators, pending.triggers, pending.unreadable)

    def flushed(self) -> None:
        """The changes are durable."""
        self._pending = Pending()

    def _count(self, record: RawRecord, event: ActivityRecorded) -> str:
        if record.key != event.student.encode():
            raise InvalidMessage("wrong-key", "the record's key is not the event's student")
        permitted = self._permissions.get(event.student)
        grant = permitted.indicators.get(event.source) if permitted else None
        if grant is None or not covers(grant, at_ms=event.occurred_ms, now_ms=self.clock_ms):
            return "no-grant"
        if event.occurred_ms < self._horizon_ms:
            return "late"
        state = self._state(event.student)
        state.granted[event.source] = grant.from_ms
        outcome = count(state, event, self._day_of(event.occurred_ms), self._first_open_day)
        if outcome != "duplicate":
            self._pending.states.add(event.student)
        if outcome == "counted":
            self._refigure(event.student)
        return outcome

    def _is_behind(self, event: ActivityRecorded) -> bool:
        known = self._permissions.get(event.student)
        return known is None or known.version < event.consent_version

    def _state(self, student: str) -> StudentState:
        state = self._states.get(student)
        if state is None:
            state = self._states[student] = StudentState()
        return state

    def _set_clock(self, at_ms: int) -> None:
        self.clock_ms = at_ms
        self._horizon_ms = max(at_ms - self._lateness_ms, 0)
        self._first_open_day = self._day_of(self._horizon_ms)

    def _tick(self, at_ms: int) -> None:
        if at_ms <= self.clock_ms:
            self.outcomes["tick-repeated"] += 1
            return
        self.outcomes["tick"] += 1
        new_day = self._day_of(at_ms) != self._day_of(self.clock_ms)
        self._set_clock(at_ms)
        if self._next_expiry_ms is not None and at_ms >= self._next_expiry_ms:
            self._expire()
        if new_day:
            for student, permitted in self._permissions.items():
                if permitted.indicators:
                    self._judge(student)
                    self._refigure(student)
        else:
            for student in sorted(self._with_episodes):
                self._judge(student)

    def _expire(self) -> None:
        self._next_expiry_ms = None
        for student, consent in self._consents.items():
            before = self._permissions[student]
            self._permit(student, consent)
            if before != self._permissions[student]:
                self._enforce(student)

    def _permit(self, student: str, consent: ConsentStateChanged) -> None:
        permitted = self._permissions[student] = permission(consent, self.clock_ms)
        if permitted.expires_ms is not None:
            self._next_expiry_ms = min(self._next_expiry_ms or permitted.expires_ms, permitted.expires_ms)

    def _enforce(self, student: str) -> None:
        """Drop what is no longer permitted, also from what is still to be flushed."""
        state, permitted = self._states.get(student), self._permissions.get(student)
        if state is None:
            return
        if permitted is None or not permitted.indicators:
            self._purge(student, state)
        elif enforce(state, permitted):
            self._pending.states.add(student)
            self._refigure(student)
            self._note_episodes(student)
        if permitted is None or not permitted.tutor:
            self._pending.triggers = [t for t in self._pending.triggers if t.student != student]

    def _purge(self, student: str, state: StudentState) -> None:
        del self._states[student]
        self.students -= state.published
        self.outcomes["purged"] += 1
        self._pending.purged.add(student)
        self._pending.figures[student] = self.clock_ms
        self._with_episodes.discard(student)

    def _refigure(self, student: str) -> None:
        """Publish the student's figures at the next flush, as of now; before the first tick there is no now."""
        permitted = self._permissions.get(student)
        if self.clock_ms and permitted is not None and permitted.indicators:
            self._pending.figures[student] = self.clock_ms

    def _judge(self, student: str) -> None:
        subject = self._subject(student)
        if subject and (triggers := self._publisher.judge(subject, self.clock_ms)):
            self._hold(subject)
            self._pending.states.add(student)
            self._pending.triggers += triggers
            self._note_episodes(student)

    def _note_episodes(self, student: str) -> None:
        if any(module.episodes for module in self._states[student].modules.values()):
            self._with_episodes.add(student)
        else:
            self._with_episodes.discard(student)

    def _subject(self, student: str) -> Subject | None:
        permitted, enrolled = self._permissions.get(student), self._enrolments.get(student)
        if permitted is None or enrolled is None:
            return None
        return Subject(student, permitted, enrolled.enrolments, self._states.get(student) or StudentState())

    def _hold(self, subject: Subject) -> None:
        """Keep the subject's state, under the grants that it rests on."""
        subject.state.granted |= {source: grant.from_ms for source, grant in subject.permitted.indicators.items()}
        self._states[subject.student] = subject.state

    def _published(self, pending: Pending) -> Iterator[tuple[str, bytes | None]]:
        """The indicator records that are due; a tombstone where there was one and nothing may stand there now."""
        for student, as_of_ms in pending.figures.items():
            subject = self._subject(student)
            computed = self._publisher.indicators(subject, as_of_ms) if subject else None
            if subject and computed:
                self.students += not subject.state.published
                subject.state.published = True
                self._hold(subject)
                yield student, encode(computed)
            elif student in pending.purged:
                yield student, None
            elif (state := self._states.get(student)) and state.published:
                self.students -= 1
                state.published = False
                yield student, None
