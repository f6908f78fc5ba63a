"""Work that is due, a row for each piece that a student must hand in, and when it came."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np

from services.indicators.domain.activity.table import Column, Table
from services.indicators.domain.places import NEVER, Ints
from services.kernel.events import Due


@dataclass(frozen=True, slots=True)
class Asked:
    """Which work of n places counts.

    Attributes:
        as_of_ms: [n]; what is due later has not fallen due.
        first_day: [n]; what was due before it could not be seen to be handed in.
        window_day: the first of the last 28 counting days.
    """

    as_of_ms: Ints
    first_day: Ints
    window_day: int


class Work(Table):
    """Pieces of due work.

    Columns: when each is due with the student's extension, the local day of that, and when it was first handed in;
    NEVER where it was not.

    Attributes:
        names: of the assessments, by row.
    """

    def __init__(self) -> None:
        moments = Column(np.int64, fill=NEVER)
        self.names: list[str] = []
        super().__init__({"due_ms": moments, "due_day": moments, "handed_ms": moments})

    def set(self, due: Due, due_day: int, handed_ms: int | None) -> int:
        """A row for a piece of work."""
        row = self.new()
        self.names += [""] * (row + 1 - len(self.names))
        self.names[row] = due.assessment
        self["due_ms"][row] = due_by(due)
        self["due_day"][row] = due_day
        self["handed_ms"][row] = NEVER if handed_ms is None else handed_ms
        return row

    def hand_in(self, rows: Iterable[int], handed: Mapping[str, int]) -> None:
        """Take over what was handed in of these rows' place."""
        for row in rows:
            self["handed_ms"][row] = handed.get(self.names[row], NEVER)

    def told(self, rows: Ints, place: Ints, asked: Asked, places: int) -> tuple[Ints, Ints, Ints, Ints]:
        """[places] each; due, late, missing and arrears, as of `Places`.

        Args:
            rows: of m pieces.
            place: [m]; whose each is.
            asked: what counts.
            places: how many there are.
        """
        due_ms, due_day, handed_ms = (self[name][rows] for name in ("due_ms", "due_day", "handed_ms"))
        fell_due = (due_ms <= asked.as_of_ms[place]) & (due_day >= asked.first_day[place])
        recent = fell_due & (due_day >= asked.window_day)
        missing, late = handed_ms == NEVER, handed_ms > due_ms
        return (
            np.bincount(place[recent], minlength=places),
            np.bincount(place[recent & late], minlength=places),
            np.bincount(place[recent & missing], minlength=places),
            np.bincount(place, (2 * missing + late) * fell_due, places).astype(np.int64),
        )


def due_by(due: Due) -> int:
    """The moment by which it must be handed in."""
    return due.due_ms if due.extended_ms is None else max(due.due_ms, due.extended_ms)
