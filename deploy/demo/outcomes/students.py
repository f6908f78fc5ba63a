"""Students on presentations, what became of them, and what they did on each day: the whole of OULAD as columns.

A place is one student on one presentation. Days are offsets from the presentation's start, as in the dataset.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from deploy.demo.outcomes.tables import CODES, Columns, Wanted, whole
from services.indicators.domain.places import Bools, Floats, Ints
from services.indicators.evaluation.fairness import NOT_KNOWN, Labels
from services.kernel.errors import ConfigurationError

NOT_PASSING = ("Fail", "Withdrawn")
_RESULTS = ("Pass", "Distinction", *NOT_PASSING)
GROUPS = {"disability": "disability", "deprivation": "imd_band", "age": "age_band", "gender": "gender"}
STAYED = 1 << 30  # the day of leaving of those who did not leave
_IDS = 1 << 40  # more than any id of a student

COURSES = Wanted("courses", CODES, ("module_presentation_length",))
INFO = Wanted("studentInfo", (*CODES, *GROUPS.values(), "final_result"), ("id_student",))
REGISTRATION = Wanted("studentRegistration", CODES, ("id_student", "date_registration", "date_unregistration"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Students:
    """n places on p presentations, in order of presentation and id.

    Attributes:
        presentations: their names, such as "BBB/2013J".
        length: [p]; days of each.
        presentation: [n]; which of them each place is on.
        keys: [n]; ascending; presentation and id together, to find a place by.
        registered: [n]; the day of registration; 0 where the dataset has none.
        left: [n]; the day of unregistration; `STAYED` where there is none.
        fails: [n]; whether the result is Fail or Withdrawn.
        withdrawn: [n]; whether it is Withdrawn.
        groups: by attribute, [n] the group of each student; never read by any formula or rule.
        notes: what was left out, in words.
    """

    presentations: Sequence[str]
    length: Ints
    presentation: Ints
    keys: Ints
    registered: Ints
    left: Ints
    fails: Bools
    withdrawn: Bools
    groups: dict[str, Labels]
    notes: list[str] = field(default_factory=list)

    def __len__(self) -> int:
        """How many places."""
        return len(self.keys)

    def find(self, presentation: Ints, student: Floats) -> tuple[Ints, Bools]:
        """[rows] each; the place of each row, and whether there is one; without meaning where there is none."""
        keys = key(presentation, student)
        place = np.minimum(np.searchsorted(self.keys, keys), max(len(self) - 1, 0))
        found: Bools = (self.keys[place] == keys) if len(self) else np.zeros(len(keys), np.bool_)
        return place, found


def key(presentation: Ints, student: Floats) -> Ints:
    """[rows]; one number of both; below 0 where a row is on none of the presentations or has no id."""
    known = (presentation >= 0) & ~np.isnan(student)
    return np.where(known, presentation * _IDS + np.nan_to_num(student).astype(np.int64), -1)


def numbers_of(columns: Columns, names: Sequence[str]) -> Ints:
    """[rows]; the number among `names` of each row's presentation; -1 where it is none of them."""
    modules, codes = columns["code_module"], columns["code_presentation"]
    if len(modules) == 0:
        return np.zeros(0, np.int64)
    changes = np.flatnonzero((modules[1:] != modules[:-1]) | (codes[1:] != codes[:-1])) + 1
    starts = np.concatenate([[0], changes])  # files are sorted: few changes, so few names are put together
    known = {name: number for number, name in enumerate(names)}
    numbers = [known.get(f"{modules[start]}/{codes[start]}", -1) for start in starts]
    return np.repeat(np.array(numbers, np.int64), np.diff(np.concatenate([starts, [len(modules)]])))


def read_students(folder: Path, names: Sequence[str] = ()) -> Students:
    """Everybody with a result, on the presentations with these names, such as "BBB/2013J", or on all.

    Raises:
        ConfigurationError: a file, a column or a presentation is missing, or nobody is on one.
    """
    courses = _courses(folder, names)
    info = whole(folder, INFO)
    on, ids = numbers_of(info, list(courses)), info["id_student"]
    results, notes = info["final_result"], []
    good = (key(on, ids) >= 0) & np.isin(results, _RESULTS)
    if without := int(((on >= 0) & ~good).sum()):
        notes.append(f"{without} rows of studentInfo have no id or no known final_result and were left out.")
    if not good.any():
        raise ConfigurationError(
            f"{folder}: studentInfo has no student with a result on {', '.join(courses)}. "
            "final_result must be one of Pass, Distinction, Fail, Withdrawn"
        )
    keys, first = np.unique(key(on, ids)[good], return_index=True)
    row = np.flatnonzero(good)[first]
    registered, left = _spans(folder, list(courses), keys)
    return Students(
        presentations=list(courses),
        length=np.array(list(courses.values()), np.int64),
        presentation=on[row],
        keys=keys,
        registered=registered,
        left=left,
        fails=np.isin(results[row], NOT_PASSING),
        withdrawn=results[row] == "Withdrawn",
        groups={name: _labels(info[column][row]) for name, column in GROUPS.items()},
        notes=notes,
    )


def _courses(folder: Path, names: Sequence[str]) -> dict[str, int]:
    """The wanted presentations with their lengths, sorted by name."""
    columns = whole(folder, COURSES)
    rows = zip(columns["code_module"], columns["code_presentation"], columns[COURSES.numbers[0]], strict=True)
    known = {f"{module}/{code}": length for module, code, length in rows}
    if unknown := [name for name in names if name not in known]:
        raise ConfigurationError(f"No presentation {', '.join(unknown)}; there are {', '.join(sorted(known))}")
    chosen = {name: known[name] for name in sorted(names or known)}
    if not chosen:
        raise ConfigurationError(f"{folder}: the table courses is empty, so there is nothing to evaluate")
    if endless := [name for name, length in chosen.items() if np.isnan(length)]:
        raise ConfigurationError(f"{folder}: courses has no module_presentation_length of {', '.join(endless)}")
    return {name: int(length) for name, length in chosen.items()}


def _spans(folder: Path, names: Sequence[str], keys: Ints) -> tuple[Ints, Ints]:
    """[n] each; the days of registration and of leaving of the places with these keys."""
    table = whole(folder, REGISTRATION)
    given = key(numbers_of(table, names), table["id_student"])
    place = np.minimum(np.searchsorted(keys, given), len(keys) - 1)
    found = keys[place] == given
    registered, left = np.zeros(len(keys), np.int64), np.full(len(keys), STAYED, np.int64)
    registered[place[found]] = np.nan_to_num(table["date_registration"][found]).astype(np.int64)
    left[place[found]] = np.nan_to_num(table["date_unregistration"][found], nan=STAYED).astype(np.int64)
    return registered, left


def _labels(column: Labels) -> Labels:
    """The groups as the dataset names them; one band comes without its percent sign."""
    return np.array([_LABELS.get(label, label) for label in column], object)


_LABELS = {"": NOT_KNOWN, "?": NOT_KNOWN, "10-20": "10-20%"}
