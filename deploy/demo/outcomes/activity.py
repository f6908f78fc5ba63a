"""What the students did: weights and types of activity by place and day, and the work that was due."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from deploy.demo.oulad import ACTIVITIES
from deploy.demo.outcomes.students import Students, key, numbers_of
from deploy.demo.outcomes.tables import CODES, Columns, Told, Wanted, pieces, whole
from services.indicators.domain.places import HISTORY_DAYS, Floats, Ints
from services.kernel.register import Register

SITES = Wanted("vle", (*CODES, "activity_type"), ("id_site",))
CLICKS = Wanted("studentVle", CODES, ("id_student", "id_site", "date", "sum_click"))
ASSESSMENTS = Wanted("assessments", (*CODES, "assessment_type"), ("id_assessment", "date"))
HANDED_IN = Wanted("studentAssessment", (), ("id_assessment", "id_student", "date_submitted", "is_banked"))
NEVER_HANDED_IN = 1 << 30
_KINDS = 32  # types of activity that there is a bit for


@dataclass(frozen=True, slots=True)
class Activity:
    """n places' days; column j is the day `first_day` + j.

    Attributes:
        weights: [n, days]; clicks.
        kinds: [n, days]; a bit for each type of activity.
    """

    first_day: int
    weights: NDArray[np.int32]
    kinds: NDArray[np.uint32]


@dataclass(frozen=True, slots=True)
class Work:
    """k pieces of work: one row for each place and assessment that the student must hand in.

    Attributes:
        place: [k].
        due: [k]; the day.
        handed_in: [k]; the day; `NEVER_HANDED_IN` where it never was.
    """

    place: Ints
    due: Ints
    handed_in: Ints


def read_activity(folder: Path, students: Students, register: Register, told: Told) -> Activity:
    """All clicks of the students on sites whose type the register counts as activity."""
    first_day, days = -HISTORY_DAYS, int(students.length.max()) + 1 + HISTORY_DAYS
    weights = np.zeros((len(students), days), np.int32)
    kinds = np.zeros((len(students), days), np.uint32)
    sites = _Sites(whole(folder, SITES), students.presentations, register)
    left_out = 0
    for piece in pieces(folder, CLICKS, told, students.presentations):
        on = numbers_of(piece, students.presentations)
        place, good = students.find(on, piece["id_student"])
        kind = sites.kinds(on, piece["id_site"])
        complete = ~(np.isnan(piece["date"]) | np.isnan(piece["sum_click"]))
        left_out += int((good & ~(complete & (kind >= 0))).sum())
        day = np.nan_to_num(piece["date"]).astype(np.int64) - first_day
        good &= complete & (kind >= 0) & (day >= 0) & (day < days)
        at = (place[good], day[good])
        np.add.at(weights, at, piece["sum_click"][good].astype(np.int32))
        np.bitwise_or.at(kinds, at, np.left_shift(np.uint32(1), kind[good].astype(np.uint32)))
    if left_out:
        students.notes.append(f"{left_out} rows of studentVle lack a day, clicks or a known site and were left out.")
    return Activity(first_day, weights, kinds)


def read_work(folder: Path, students: Students) -> Work:
    """The work that was due: no exams, none from before the student registered, none carried over from another year."""
    ids, on, due = _assessments(whole(folder, ASSESSMENTS), students.presentations)
    borders = np.searchsorted(students.presentation, np.arange(len(students.presentations) + 1))
    sizes = np.diff(borders)[on]
    number = np.repeat(np.arange(len(ids)), sizes)
    place = np.arange(sizes.sum()) - np.repeat(np.cumsum(sizes) - sizes, sizes) + np.repeat(borders[on], sizes)
    handed_in, banked = np.full(len(place), NEVER_HANDED_IN, np.int64), np.zeros(len(place), np.bool_)
    row, columns = _found(students, ids, on, number * len(students) + place, whole(folder, HANDED_IN))
    handed_in[row] = np.nan_to_num(columns["date_submitted"], nan=NEVER_HANDED_IN).astype(np.int64)
    banked[row] = columns["is_banked"] == 1
    asked = ~banked & (due[number] >= students.registered[place])
    return Work(place[asked], due[number][asked], handed_in[asked])


def _assessments(table: Columns, presentations: Sequence[str]) -> tuple[Ints, Ints, Ints]:
    """The ids of those with a day to hand in by, ascending, with their presentations and days."""
    on, id_, day = numbers_of(table, presentations), table["id_assessment"], table["date"]
    wanted = (on >= 0) & (table["assessment_type"] != "Exam") & ~np.isnan(day) & ~np.isnan(id_)
    ids, first = np.unique(id_[wanted].astype(np.int64), return_index=True)
    return ids, on[wanted][first], day[wanted][first].astype(np.int64)


def _found(students: Students, ids: Ints, on: Ints, pairs: Ints, table: Columns) -> tuple[Ints, Columns]:
    """Which of the pairs (ascending) of assessment and place each row is about; rows about none are left out."""
    complete = ~(np.isnan(table["id_assessment"]) | np.isnan(table["id_student"]))
    table = {name: column[complete] for name, column in table.items()}
    wanted = table["id_assessment"].astype(np.int64)
    if not len(ids):
        return np.zeros(0, np.int64), {name: column[:0] for name, column in table.items()}
    number = np.minimum(np.searchsorted(ids, wanted), len(ids) - 1)
    place, known = students.find(on[number], table["id_student"])
    good = known & (ids[number] == wanted)
    row: Ints = np.searchsorted(pairs, number[good] * len(students) + place[good])
    return row, {name: column[good] for name, column in table.items()}


class _Sites:
    """Of which type each site is."""

    def __init__(self, table: Columns, presentations: Sequence[str], register: Register) -> None:
        names = [ACTIVITIES.get(kind, kind) for kind in table["activity_type"]]
        counted = [entry.name for entry in register.activities if entry.qualifying][:_KINDS]
        known = {name: number for number, name in enumerate(counted)}
        keys = key(numbers_of(table, presentations), table["id_site"])
        self._keys, first = np.unique(keys, return_index=True)
        self._kinds = np.array([known.get(name, -1) for name in names], np.int64)[first]

    def kinds(self, on: Ints, site: Floats) -> Ints:
        """[rows]; the number of the type of activity; -1 of a site that is not known or does not count."""
        keys = key(on, site)
        place = np.minimum(np.searchsorted(self._keys, keys), len(self._keys) - 1)
        return np.where((keys >= 0) & (self._keys[place] == keys), self._kinds[place], -1)
