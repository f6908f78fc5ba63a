"""What the formulas and the rules read: many places at once, as columns.

A place is one student on one module. All formulas are written for whole columns, so that a sweep over a hundred
thousand students costs little more than one over ten, and the same lines serve the stream, a simulation of other
thresholds and the evaluation against outcomes.

A day is a number, local days since 1970-01-01.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]

HISTORY_DAYS = 56  # eight weeks, the longest look back that anything takes
NEVER = -1  # of a day that there is not


@dataclass(frozen=True, slots=True, kw_only=True)
class Places:
    """n places as of one local day, as far as permitted sources tell.

    Attributes:
        today: the local day.
        counting: which days back count, ascending and beginning with 0 unless today is a vacation: all of
            0…HISTORY_DAYS-1 but those in vacations.
        weights: [n, HISTORY_DAYS]; sums of the weights of qualifying events, column j for the day today - j.
        kinds: [n, HISTORY_DAYS]; a bit for each type of qualifying activity seen on that day.
        start_day: [n]; the module's first day for the student.
        since_day: [n]; the first day that could have counted: start, grant, return from leave or of a feed.
        first_day, last_day: [n]; of qualifying activity; NEVER where there is none.
        part_time: [n].
        attended, absent: [n, HISTORY_DAYS]; marks of timetabled events on that day.
        due, late, missing: [n]; pieces of work that fell due in 28 days, of them handed in late, and not at all.
        arrears: [n]; of all work that has fallen due on the module: two for each piece not handed in, one for each
            that was handed in late. For the engagement index: what is still owed does not lapse after 28 days.
        sessions, session_minutes: [n]; number and median length of the last 7 days' sessions.
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


@dataclass(frozen=True, slots=True)
class Figure:
    """One indicator of n places.

    Attributes:
        values: [n]; without meaning where not `said`.
        said: [n]; whether the figure can be said.
        why: the reason where it cannot, such as "too-few-active-days".
        judged: [n]; where said, whether its levels apply; such as of the time to first activity, only until then.
        inputs: [n] each; what the value was made from, by the names that the register's words use.
    """

    values: Floats
    said: Bools
    why: str = ""
    judged: Bools | None = None
    inputs: dict[str, NDArray[np.float64] | Ints] = field(default_factory=dict)
