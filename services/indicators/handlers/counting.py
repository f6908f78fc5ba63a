"""Counting events: the path that every event goes, so it is written for speed.

One look-up finds all that is needed of a student; what counts is a few writes into flat memory. Nothing here makes a
metric, a task or a write to the store for one event.
"""

from __future__ import annotations

from array import array
from binascii import unhexlify
from collections import Counter
from collections.abc import Sequence

import msgspec

from services.indicators.domain.activity.gathering import ASSESSMENT
from services.indicators.domain.activity.sessions import MANY, PAUSE_MS, add, forget
from services.indicators.domain.activity.windows import AHEAD_DAYS, MASK, MOST, OTHER_KIND, RING_DAYS
from services.indicators.handlers.students import Student, Students
from services.kernel.dead_letters import RawRecord
from services.kernel.events import ActivityRecorded

_ATTENDED, _ABSENT, _ATTENDANCE = "attended", "absent", "attendance"  # marks of timetabled events, and their source
_LONG_AGO_MS = -(1 << 60)
_IDS = 64  # after so many more of one student, those of closed days are taken out
_UNREADABLE = (msgspec.MsgspecError, ValueError, TypeError)
_decode = msgspec.json.Decoder(ActivityRecorded).decode


class Counting:
    """Counts the events of one partition.

    Attributes:
        outcomes: records by what became of them, until the caller clears it, for metrics.
    """

    def __init__(self, students: Students) -> None:
        self.outcomes: Counter[str] = Counter()
        self._students, self._pending, self._time = students, students.pending, students.time
        self._windows, self._marks = students.store.windows, students.store.marks
        self._kinds = students.kinds

    def run(  # noqa: C901, PLR0912 - each question once, without a call for each
        self, records: Sequence[RawRecord], begin: int, *, consent_is_complete: bool
    ) -> int:
        """Count events from a record on; gives the number of the first that is none, or not to be judged now.

        That is a tick, what cannot be read, or an event whose door saw a newer consent than is known here, unless the
        consents are complete.
        """
        by_key, time, outcomes, changed = self._students.by_key, self._time, self.outcomes, self._pending.changed
        now_ms, horizon_ms, day_of, open_day = time.at_ms, time.horizon_ms, time.day_of, time.open_day
        today, (today_ms, tomorrow_ms), counted = time.today, time.today_ms, 0
        newest = today + AHEAD_DAYS if now_ms else self._windows.newest
        for index in range(begin, len(records)):
            record = records[index]
            try:
                event = _decode(record.value)  # type: ignore[arg-type]  # None is caught
                half = unhexlify(event.id)[:8]
            except _UNREADABLE:
                break
            student = by_key.get(record.key)  # type: ignore[arg-type]  # None is nobody's
            if student is None or student.name != event.student:
                if not consent_is_complete or record.key != event.student.encode():
                    break
                outcomes["no-grant"] += 1
                continue
            if event.consent_version > student.version and not consent_is_complete:
                break
            at_ms, grant = event.occurred_ms, student.grants.get(event.source)
            if grant is None or not grant[0] <= at_ms < grant[1] or now_ms >= grant[1]:
                outcomes["no-grant"] += 1
            elif at_ms < horizon_ms:
                outcomes["late"] += 1
            elif (day := today if today_ms <= at_ms < tomorrow_ms else day_of(at_ms)) > newest and self._is_ahead(day):
                outcomes["ahead"] += 1
            elif student.seen.get(half, -1) >= open_day:
                outcomes["duplicate"] += 1
            else:
                student.seen[half] = day
                student.changed_ms = now_ms
                changed[student] = None
                if event.qualifying:
                    counted += 1
                    self._count(student, event, at_ms, day)
                else:
                    outcomes["not-qualifying"] += 1
                    self._pass(student, event, day)
        else:
            index = len(records)
        outcomes.update({"counted": counted} if counted else {})
        return index

    def _count(self, student: Student, event: ActivityRecorded, at_ms: int, day: int) -> None:
        windows = self._windows
        row, spans = student.windows.get((event.source, event.module)) or self._begin(student, event, day)
        last_day = windows.last_day
        if day != last_day[row]:
            if day > last_day[row]:
                last_day[row] = day
            elif day < windows.first_day[row]:
                windows.first_day[row] = day
        if day >= windows.oldest:
            cell = row * RING_DAYS + (day & MASK)
            try:
                windows.first[cell] += event.weight
            except ValueError:
                windows.first[cell] = MOST
            windows.second[cell] |= self._kinds.get(event.activity, OTHER_KIND)
        end_ms = spans[-1] if spans else _LONG_AGO_MS  # old sessions are not kept
        if at_ms > end_ms and at_ms - end_ms <= PAUSE_MS:
            spans[-1] = at_ms
        elif at_ms > end_ms or at_ms < spans[-2]:
            self._session(spans, at_ms)
        if event.assessment is not None or event.source == _ATTENDANCE:
            self._mark(student, event, day)
        if not len(student.seen) % _IDS:
            self._forget_ids(student)

    def _begin(self, student: Student, event: ActivityRecorded, day: int) -> tuple[int, array[int]]:
        if not student.kept:
            self._students.keep(student)
        spans = array("q", (event.occurred_ms, event.occurred_ms))
        return self._students.begin_window(student, event.source, event.module, day, spans), spans

    def _session(self, spans: array[int], at_ms: int) -> None:
        """Take in an event that does not just lengthen the newest session."""
        if len(spans) >= MANY:
            forget(spans, self._time.sessions_from_ms(self._time.at_ms))
        add(spans, at_ms)

    def _forget_ids(self, student: Student) -> None:
        open_day = self._time.open_day
        student.seen = {half: day for half, day in student.seen.items() if day >= open_day}

    def _pass(self, student: Student, event: ActivityRecorded, day: int) -> None:
        """Take in an event that is no activity: it may be a mark of absence, or a hand-in."""
        if not student.kept:
            self._students.keep(student)
        if not len(student.seen) % _IDS:
            self._forget_ids(student)
        if event.assessment is not None or event.source == _ATTENDANCE:
            self._mark(student, event, day)

    def _mark(self, student: Student, event: ActivityRecorded, day: int) -> None:
        """Take in a hand-in, or a mark of attendance."""
        if event.assessment is not None and event.source == ASSESSMENT:
            self._students.hand_in(student, event.module, event.assessment, event.occurred_ms)
        if event.source == _ATTENDANCE and event.activity in {_ATTENDED, _ABSENT}:
            row = student.marks.get((event.source, event.module))
            if row is None:
                row = self._students.begin_marks(student, event.source, event.module)
            if self._marks.oldest <= day:
                plane = self._marks.first if event.activity == _ATTENDED else self._marks.second
                plane[row * RING_DAYS + (day & MASK)] += 1

    def _is_ahead(self, day: int) -> bool:
        """Whether a day lies too far ahead; before the first tick none does, and the rings go with the newest."""
        if self._time.at_ms:
            return True
        self._windows.advance(day)
        self._marks.advance(day)
        return False
