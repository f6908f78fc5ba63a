"""What the formulas and the rules read: many places at once, as columns.

A place is one student on one module. All formulas are written for whole columns, so that a sweep over a hundred
thousand students costs little more than one over ten, and the same lines serve the stream, a simulation of other
thresholds and the evaluation against outcomes.

A day is a number, local days since 1970-01-01. A *counting* day is one outside the register's vacations; windows look
back over counting days, today included.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]

HISTORY_DAYS = 56  # eight weeks, the longest look back that anything takes
CALENDAR_DAYS = 366  # so far back vacations are known; before that all days count
NEVER = -1  # of a day that there is not


@dataclass(frozen=True, slots=True, kw_only=True)
class Places:
    """n places as of one local day, as far as permitted sources tell.

    Only qualifying activity is in any of it. What lies ahead of today is in none but `first_day` and `last_day`.

    Attributes:
        today: the local day.
        counting: [at most CALENDAR_DAYS]; which days back count, ascending: all of 0…CALENDAR_DAYS-1 but those in
            vacations; 0 is today.
        weights: [n, HISTORY_DAYS]; sums of the weights of events, column j for the day today - j.
        kinds: [n, HISTORY_DAYS]; a bit for each type of activity seen on that day.
        start_day: [n]; the first day on which the student's activity could be seen at all: the module's first for
            the student, or the first grant's where that is later.
        since_day: [n]; the first day from which on it could be seen without a break: the last of `start_day`, the
            day after a leave, and the day on which a broken feed was back.
        first_day, last_day: [n]; of activity; NEVER where there is none.
        part_time: [n].
        attended, absent: [n, HISTORY_DAYS]; marks of timetabled events on that day.
        due, late, missing: [n]; pieces of work that fell due on the last 28 counting days and are due before the tick,
            of them handed in after it, and not handed in so far; extensions honoured; hand-ins of `assessment` only.
        arrears: [n]; of all work that has fallen due on the module: two for each piece not handed in, one for each
            that was handed in late. For the engagement index: what is still owed does not lapse after 28 days.
        sessions, session_minutes: [n]; number of the sessions that began on the last 7 counting days, and the median
            of their lengths; 0 where there are none. A session is activity on the module in whichever permitted
            systems, without a pause of more than 30 minutes; its length goes from its first event to its last.
    """

    today: int
    counting: Ints
    weights: Ints
    kinds: Ints
    start_day: Ints
    since_day: Ints
    first_day: Ints
    last_day: Ints
    part_time: Bools
    attended: Ints
    absent: Ints
    due: Ints
    late: Ints
    missing: Ints
    arrears: Ints
    sessions: Ints
    session_minutes: Floats

    def __len__(self) -> int:
        """How many places."""
        return len(self.start_day)

    def window(self, days: int, skipped: int = 0) -> Ints:
        """The columns of the last `days` counting days before the last `skipped`; fewer where history ends first."""
        columns = self.counting[skipped : skipped + days]
        return columns[columns < HISTORY_DAYS]

    def elapsed(self, day: Ints) -> Ints:
        """[n]; how many counting days come after each `day`, today included; 0 where it lies ahead."""
        back = np.maximum(self.today - day, 0)
        days: Ints = np.searchsorted(self.counting, back) + np.maximum(back - CALENDAR_DAYS, 0)
        return days

    def seen(self, days: int) -> Bools:
        """[n]; whether all of the last `days` counting days could be seen."""
        seen: Bools = self.elapsed(self.since_day - 1) >= days
        return seen


@dataclass(frozen=True, slots=True)
class Figure:
    """One indicator of n places.

    Attributes:
        values: [n]; without meaning where not `said`.
        said: [n]; whether the figure can be said.
        why: the reason where it cannot, such as "too-few-active-days"; [n] where it differs.
        judged: [n]; where said, whether its levels apply; such as of the time to first activity, only until then.
            None where they always do. Where they do not, an episode that was open ends.
        seen: [n]; whether all that the figure looks back over could be seen: where it could not, no level is reached
            and no episode ends. None where just the register's window has to be.
        began: [n]; the day that an episode counts from; None where it is the day on which it begins to hold.
        inputs: [n] each; what the value was made from, by the names that the register's words use; NaN where there
            is no such input.
    """

    values: Floats
    said: Bools
    why: str | NDArray[np.str_] = ""
    judged: Bools | None = None
    seen: Bools | None = None
    began: Ints | None = None
    inputs: dict[str, Floats | Ints] = field(default_factory=dict)

    def reason(self, place: int) -> str:
        """Why the figure of that place cannot be said."""
        return self.why if isinstance(self.why, str) else str(self.why[place])
