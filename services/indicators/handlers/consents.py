"""Consents and enrolments as they come: what they take away goes at once, also from what is still to be flushed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from collections.abc import Set as AbstractSet

import numpy as np

from services.indicators.domain.activity.roster import FIGURES
from services.indicators.domain.permission import NOTHING, Spans, permission
from services.indicators.domain.places import NEVER
from services.indicators.handlers.students import Student, Students, by_name
from services.kernel.codec import decoder
from services.kernel.dead_letters import RawRecord
from services.kernel.errors import InvalidMessage
from services.kernel.events import ConsentStateChanged, EnrolmentsChanged, SupportTriggered
from services.kernel.topics import CONSENT_STATE, ENROLMENTS

_decode_consent, _decode_enrolments = map(decoder, (CONSENT_STATE, ENROLMENTS))


class Consents:
    """Who permits what, and who is on which module, in one partition."""

    def __init__(self, students: Students, outcomes: Counter[str]) -> None:
        self._students, self._outcomes = students, outcomes
        self._time, self._pending, self._roster = students.time, students.pending, students.store.roster
        self._next_expiry_ms: int | None = None
        self._reconciled = False

    def consent(self, record: RawRecord) -> Student:
        """Apply a consent state; gives the student, whose version is then the one that is obeyed, 0 for none.

        Raises:
            InvalidMessage: it cannot be read.
        """
        student = self._students.of(record.key or b"")
        if record.value is None:
            student.permit(NOTHING)
        else:
            consent: ConsentStateChanged = _decode_consent(record.value)
            if consent.student != student.name:
                raise InvalidMessage("wrong-key", "a consent record's key is not its student")
            if consent.version <= student.version:
                return student
            student.permit(permission(consent, self._time.at_ms))
        self._permitted(student)
        if self._reconciled:
            self._enforce(student)
            self._refigure(student)
        return student

    def enrolments(self, record: RawRecord) -> None:
        """Apply a student's enrolments; an unreadable record is passed over here and set aside by the agent."""
        student = self._students.of(record.key or b"")
        if record.value is None:
            student.enrolled, student.enrolments = 0, {}
        else:
            try:
                changed: EnrolmentsChanged = _decode_enrolments(record.value)
            except InvalidMessage:
                return
            if changed.version <= student.enrolled:
                return
            student.enrolled = changed.version
            student.enrolments = {enrolment.module: enrolment for enrolment in changed.enrolments}
        self._enrolled(student)
        if self._reconciled:
            self._refigure(student)

    def reconcile(self) -> None:
        """Drop what lost its consent while nobody was looking; from now on changes take effect at once."""
        for student in by_name(self._students.by_key):
            self._enforce(student)
            if not student.kept or student.kept_version != student.version:
                self._refigure(student)
        self._reconciled = True

    def expire(self) -> None:
        """Obey the ends of grants that the clock has come to."""
        if self._next_expiry_ms is None or self._time.at_ms < self._next_expiry_ms:
            return
        self._next_expiry_ms = None
        for student in by_name(self._students.by_key):
            before, left = student.permitted, student.permitted.at(self._time.at_ms)
            if left != before:
                student.permit(left)
                self._permitted(student)
                self._enforce(student)
            else:
                self._expect(student)

    def _permitted(self, student: Student) -> None:
        for place in student.places.values():
            self._students.permit_place(student, place)
        self._expect(student)

    def _expect(self, student: Student) -> None:
        ends_ms = student.permitted.expires_ms
        if ends_ms is not None:
            self._next_expiry_ms = min(self._next_expiry_ms or ends_ms, ends_ms)

    def _enrolled(self, student: Student) -> None:
        """Begin the places of new modules; of others only those stay whose open episodes are still to be ended."""
        for module in student.enrolments:
            if module in student.places:
                self._students.enrol_place(student, module)
            else:
                self._students.place(student, module)
        for module in student.places.keys() - student.enrolments.keys():
            if (self._roster["episode_day"][student.places[module]] != NEVER).any():
                self._students.enrol_place(student, module)
            else:
                self._students.leave_place(student, module)

    def _enforce(self, student: Student) -> None:
        """Drop what is no longer permitted, also from what is still to be flushed."""
        tutor = student.permitted.tutor
        triggers = self._pending.triggers
        unsaid = set(_lost(student.told, tutor))
        triggers[:] = [t for t in triggers if t.student != student.name or _may_tell(t, tutor, unsaid)]
        if not student.kept:
            return
        if not student.grants:
            self._purge(student)
            return
        lost = _lost(student.granted, student.grants)
        for source in lost:
            self._students.drop_source(student, source)
        if lost and len(lost) == len(student.granted):
            self._students.begin_anew(student)
        elif untold := _lost(student.told, tutor):
            self._roster.forget_rules(list(student.places.values()), untold)
            student.told = {source: from_ms for source, from_ms in student.told.items() if source not in untold}
            lost += untold
        if student.granted != {source: span.from_ms for source, span in student.grants.items()}:
            self._students.keep(student)
            lost.append("")
        if lost:
            self._students.mark(student)

    def _purge(self, student: Student) -> None:
        self._outcomes["purged"] += 1
        self._students.purge(student)
        pending = self._pending
        for part in (pending.changed, pending.figures):
            part.pop(student, None)
        pending.sealed.pop(student.name, None)
        pending.purged[student.name] = None

    def _refigure(self, student: Student) -> None:
        """Publish the student's figures anew, as of now; before the first tick there is no now."""
        if not self._time.at_ms or not student.grants:
            return
        if student.kept or self._runs(student):
            self._students.mark(student)

    def _runs(self, student: Student) -> bool:
        places = np.array(list(student.places.values()), np.int64)
        return bool(len(self._students.store.running(places, FIGURES, self._time.moment)))


def _may_tell(trigger: SupportTriggered, tutor: Spans, lost: AbstractSet[str]) -> bool:
    """Whether all that a trigger rests on may be told still, by the grants that it was raised under."""
    return bool(tutor) and tutor.keys() >= set(trigger.sources) and lost.isdisjoint(trigger.sources)


def _lost(rests_on: Mapping[str, int], grants: Spans) -> list[str]:
    """The sources whose grant has ended, or begun anew."""
    return [source for source, from_ms in rests_on.items() if source not in grants or grants[source].from_ms > from_ms]
