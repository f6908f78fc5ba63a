"""Rolling windows as columns: for each student, module and source a ring of local days.

The ring's calendar is the partition's clock. A day's column begins anew, for all rows at once, when the clock comes
near it; so counting an event is a few writes into flat memory, and a sweep reads all rows together. A ring holds the
history that anything looks back over, a few days ahead of the clock, and a few days of slack behind: a student's state
is written before the clock is further than the slack from its last change, so that what is written does not depend on
when a flush came.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from services.indicators.domain.activity.table import Column, Table
from services.indicators.domain.places import HISTORY_DAYS, NEVER, Ints

RING_DAYS = 64
AHEAD_DAYS = 3  # an event further ahead of the clock than this is not counted; the door lets none in
SLACK_DAYS = RING_DAYS - HISTORY_DAYS - AHEAD_DAYS
MASK = RING_DAYS - 1  # a day's column is `day & MASK`
OTHER_KIND = 1 << 31  # the bit of a type of activity that the register does not name
ENDLESS = np.iinfo(np.int32).max  # of a first day that there is not
MOST = (1 << 32) - 1  # of a day's sum of weights; more is not told apart


class Ring(Table):
    """Two numbers for each row and day; what they are is the owner's.

    Attributes:
        today: the local day of the clock.
        oldest, newest: the first and the last day that are held.
        first, second: flat views of the two planes, for single writes: the day's place is `row * RING_DAYS + (day &
            MASK)`. They are other objects after `new`.
    """

    def __init__(self, columns: dict[str, Column] | None = None) -> None:
        self._stand(NEVER)
        planes = dict.fromkeys(("first", "second"), Column(np.uint32, RING_DAYS))
        super().__init__(planes | (columns or {}))

    def advance(self, today: int) -> None:
        """The clock has come to a day; an earlier one changes nothing."""
        if today <= self.today:
            return
        begun = np.arange(max(self.newest, today + AHEAD_DAYS - RING_DAYS) + 1, today + AHEAD_DAYS + 1)
        for plane in ("first", "second"):
            self[plane][: self.size, begun & MASK] = 0
        self._stand(today)

    def _stand(self, today: int) -> None:
        self.today, self.newest = today, today + AHEAD_DAYS
        self.oldest = self.newest - RING_DAYS + 1

    def days(self, plane: str, rows: Ints, today: int) -> Ints:
        """[n, HISTORY_DAYS]; a plane of these rows, column j for the day today - j."""
        held, column = self[plane][rows], today & MASK
        back = np.concatenate((held[:, column::-1], held[:, :column:-1]), axis=1)
        days: Ints = back[:, :HISTORY_DAYS].astype(np.int64)
        return days

    def as_of(self, plane: str, rows: Ints, today: Ints) -> Ints:
        """[n, RING_DAYS]; a plane of these rows, column j for the day `first_day_as_of(today) + j`, each row's own.

        What had begun to be forgotten by then is 0; a row must not have changed after its `today`.
        """
        columns = (first_day_as_of(today)[:, None] + np.arange(RING_DAYS)) & MASK
        days: Ints = self[plane][rows[:, None], columns].astype(np.int64)
        days[:, :SLACK_DAYS] = 0
        return days

    def put(self, rows: Ints, days: Ints, first: Ints, second: Ints) -> None:
        """[n] each; write days of rows as states have them; those that are not held are passed over."""
        held = (days >= self.oldest) & (days <= self.newest)
        self["first"][rows[held], days[held] & MASK] = first[held]
        self["second"][rows[held], days[held] & MASK] = second[held]

    def _resize(self, capacity: int) -> None:
        super()._resize(capacity)
        self.first, self.second = (self[plane].data.cast("B").cast("I") for plane in ("first", "second"))


@dataclass(frozen=True, slots=True)
class Told:
    """Activity of n rows: days as of `Ring.days`, and the first and the last day; ENDLESS and NEVER where none is."""

    sums: Ints
    kinds: Ints
    first_day: Ints
    last_day: Ints

    def since(self, days: Ints, today: int) -> Told:
        """What of it is not before each row's day."""
        covered = today - np.arange(HISTORY_DAYS) >= days[:, None]
        sums, kinds = np.where(covered, self.sums, 0), np.where(covered, self.kinds, 0)
        oldest = today - (HISTORY_DAYS - 1 - np.argmax(sums[:, ::-1] > 0, axis=1))
        first_day = np.where(sums.any(axis=1), oldest, np.where(self.last_day > today, self.last_day, ENDLESS))
        return Told(
            sums,
            kinds,
            np.where(self.first_day >= days, self.first_day, first_day),
            np.where(self.last_day >= days, self.last_day, NEVER),
        )


class Windows(Ring):
    """Activity: sums of weights and types of activity by day, first and last day, and the sessions.

    Attributes:
        first_day, last_day: flat views of the columns of these names, which are kept for good.
        sessions: by row; see `sessions`.
    """

    def __init__(self) -> None:
        days = Column(np.int64, fill=NEVER)
        self.sessions: list[array[int]] = []
        super().__init__({"first_day": days, "last_day": days, "source": Column(np.int64)})

    def told(self, rows: Ints, today: int, *, kinds: bool = True) -> Told:
        """All that is held of these rows; without the types of activity where they are not wanted."""
        sums = self.days("first", rows, today)
        types = self.days("second", rows, today) if kinds else np.broadcast_to(np.int64(0), sums.shape)
        return Told(sums, types, self["first_day"][rows], self["last_day"][rows])

    def begin(self, source: int, day: int, spans: array[int]) -> int:
        """A row for the source of that number in the register, whose first activity was on this day."""
        row = self.new()
        self.sessions += [array("q")] * (row + 1 - len(self.sessions))
        self.sessions[row] = spans
        self["source"][row] = source
        self["first_day"][row] = self["last_day"][row] = day
        return row

    def count(self, row: int, day: int, weight: int, kind: int) -> None:
        """Add an event of a row that was begun on the day or another; a day that is not held only moves the first."""
        if day > self.last_day[row]:
            self.last_day[row] = day
        elif day < self.first_day[row]:
            self.first_day[row] = day
        if self.oldest <= day <= self.newest:
            cell = row * RING_DAYS + (day & MASK)
            self.first[cell] = min(self.first[cell] + weight, MOST)
            self.second[cell] |= kind

    def free(self, row: int) -> None:
        """Forget a row."""
        super().free(row)
        self.sessions[row] = array("q")

    def _resize(self, capacity: int) -> None:
        super()._resize(capacity)
        self.first_day, self.last_day = (self[name].data for name in ("first_day", "last_day"))


def first_day_as_of(today: Ints) -> Ints:
    """The first day that a ring holds whose clock stands at `today`."""
    return today + (AHEAD_DAYS + 1 - RING_DAYS)


def kind_bits(qualifying: Iterable[str]) -> dict[str, int]:
    """A bit for each type of qualifying activity, in the register's order; those beyond the last bit share it."""
    return {name: 1 << min(number, OTHER_KIND.bit_length() - 1) for number, name in enumerate(qualifying)}
