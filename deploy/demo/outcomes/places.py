"""OULAD's places as of any day, in the columns that Signpost's own formulas and rules read."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from deploy.demo.outcomes.activity import Activity, Work
from deploy.demo.outcomes.students import Students
from services.indicators.domain.places import CALENDAR_DAYS, HISTORY_DAYS, NEVER, Bools, Ints, Places

# The dataset hides its dates: its days count from a nominal day, a Monday, and no vacations are known.
DAY_ZERO = 7 * 2_296 + 4


@dataclass(slots=True)
class PlacesByDay:
    """Turns n places' whole histories into their columns as of one day after the other, never going back."""

    students: Students
    activity: Activity
    work: Work
    _first: Ints = field(init=False)
    _last: Ints = field(init=False)
    _next: int = field(init=False)

    def __post_init__(self) -> None:
        """Begin before the first day."""
        self._first = np.full(len(self.students), NEVER, np.int64)
        self._last = self._first.copy()
        self._next = self.activity.first_day

    def present(self, day: int) -> Bools:
        """[n]; who is on the presentation at the end of the day: registered by then, not left by then, not over."""
        students = self.students
        running = students.length[students.presentation] >= day
        present: Bools = (students.registered <= day) & (students.left > day) & running
        return present

    def at(self, day: int) -> Places:
        """The columns of all n places at the end of the day, whether they are present or not."""
        self._go_to(day)
        n, none = len(self.students), np.zeros(len(self.students), np.int64)
        column = day - self.activity.first_day
        back = slice(column + 1 - HISTORY_DAYS, column + 1)
        start = DAY_ZERO + np.maximum(self.students.registered, 0)
        due, late, missing, arrears = self._due(day)
        no_marks = np.broadcast_to(np.int64(0), (n, HISTORY_DAYS))
        return Places(
            today=DAY_ZERO + day,
            counting=np.arange(CALENDAR_DAYS),
            weights=self.activity.weights[:, back][:, ::-1].astype(np.int64),
            kinds=self.activity.kinds[:, back][:, ::-1].astype(np.int64),
            start_day=start,
            since_day=start,
            first_day=self._first,
            last_day=self._last,
            part_time=none.astype(np.bool_),
            attended=no_marks,
            absent=no_marks,
            due=due,
            late=late,
            missing=missing,
            arrears=arrears,
            sessions=none,
            session_minutes=none.astype(np.float64),
        )

    def _go_to(self, day: int) -> None:
        for passed in range(self._next, day + 1):
            active = self.activity.weights[:, passed - self.activity.first_day] > 0
            self._last = np.where(active, DAY_ZERO + passed, self._last)
            self._first = np.where(active & (self._first == NEVER), DAY_ZERO + passed, self._first)
        self._next = max(self._next, day + 1)

    def _due(self, day: int) -> tuple[Ints, Ints, Ints, Ints]:
        """[n] each; due, late and missing in 28 days, and arrears."""
        work, n = self.work, len(self.students)
        fallen = work.due <= day
        recent = fallen & (work.due > day - 28)
        missing = work.handed_in > day
        late = ~missing & (work.handed_in > work.due)

        def count(which: Bools) -> Ints:
            return np.bincount(work.place[which], minlength=n)

        arrears = 2 * count(fallen & missing) + count(fallen & late)
        return count(recent), count(recent & late), count(recent & missing), arrears
