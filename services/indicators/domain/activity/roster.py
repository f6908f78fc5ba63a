"""Every place of a partition as a row: when it runs, who may know what of it, how it stands with rules and levels."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from functools import lru_cache

import numpy as np

from services.indicators.domain.activity.table import Column, Table
from services.indicators.domain.activity.windows import ENDLESS
from services.indicators.domain.calendar import Spans
from services.indicators.domain.cohort import COLUMNS
from services.indicators.domain.places import NEVER, Bools, Ints
from services.indicators.domain.rules import Rules, Standing
from services.kernel.clock import day_number
from services.kernel.events import Enrolment

FIGURES, TUTOR = "figures", "tutor"  # what may be computed at all, and what of it the tutor may be told
_number = lru_cache(maxsize=1 << 12)(day_number)  # most places of a term begin and end on the same few days


class Roster(Table):
    """The places, by row.

    The columns `figures` and `tutor` hold, for each source in the register's order, the local day of the grant that
    permits it in that view; NEVER where none does.

    Attributes:
        module_names: by the number that stands in the column `module`.
        window_rows, mark_rows, work_rows: by place; its rows in the other tables.
        leave: spans of leave by place, where there are any.
    """

    def __init__(self, rules: Rules) -> None:
        days = Column(np.int32, fill=NEVER)
        rules_wide, sources_wide = len(rules.names), len(rules.sources)
        of_rule = Column(np.int32, rules_wide, NEVER)
        of_source = Column(np.int32, sources_wide, NEVER)
        super().__init__(
            {
                "student": Column(np.int64, fill=NEVER),
                "module": Column(np.int32),
                "start_day": days, "end_day": days, "left_day": days,
                "part_time": Column(np.bool_),
                "exempt": Column(np.bool_, rules_wide),
                FIGURES: of_source, TUTOR: of_source,
                "episode_day": of_rule, "ended_day": of_rule,
                "in_a_row": Column(np.int16, rules_wide),
                "level": Column(np.int8, len(rules.indicators)),
                "stands": Column(np.float64, len(COLUMNS), np.nan),
            }
        )  # fmt: skip
        self._rules = rules
        self.module_names: list[str] = []
        self._module_numbers: dict[str, int] = {}
        self.window_rows: list[list[int]] = []
        self.mark_rows: list[list[int]] = []
        self.work_rows: list[list[int]] = []
        self.leave: dict[int, tuple[tuple[int, int], ...]] = {}

    def begin(self, student: int, module: str) -> int:
        """A place of the student of that number, of whose enrolment nothing is known."""
        place = self.new()
        for rows in (self.window_rows, self.mark_rows, self.work_rows):
            rows += [[] for _ in range(place + 1 - len(rows))]
        self["student"][place] = student
        number = self._module_numbers.setdefault(module, len(self.module_names))
        if number == len(self.module_names):
            self.module_names.append(module)
        self["module"][place] = number
        return place

    def enrol(self, place: int, enrolment: Enrolment | None) -> None:
        """Take over when the place runs; None where the enrolment is there no longer."""
        start, end, left = _days(enrolment)
        self["start_day"][place], self["end_day"][place], self["left_day"][place] = start, end, left
        self["part_time"][place] = enrolment is not None and enrolment.part_time
        exempt = enrolment.exempt if enrolment else ()
        self["exempt"][place] = [rule in exempt for rule in self._rules.names]
        self.leave.pop(place, None)
        if enrolment and enrolment.leave:
            self.leave[place] = tuple((_number(one.first_day), _number(one.last_day)) for one in enrolment.leave)

    def permit(self, place: int, view: str, granted_days: Mapping[str, int]) -> None:
        """Take over which sources are permitted in a view, with the days of their grants."""
        self[view][place] = [granted_days.get(source, NEVER) for source in self._rules.sources]

    def free(self, row: int) -> None:
        """Forget a place; its rows in other tables are the caller's to free."""
        super().free(row)
        for rows in (self.window_rows, self.mark_rows, self.work_rows):
            rows[row].clear()
        self.leave.pop(row, None)

    def module(self, place: int) -> str:
        """The name of a place's module."""
        return self.module_names[int(self["module"][place])]

    def spans(self, places: Ints) -> Spans:
        """When these places run."""
        rows = np.flatnonzero(np.isin(places, list(self.leave))).tolist() if self.leave else []
        leave = [self.leave[int(places[row])] for row in rows]  # few have any
        width = max(map(len, leave), default=0)
        filled = np.full((len(places), width, 2), NEVER, np.int64)
        for row, found in zip(rows, leave, strict=True):
            filled[row, : len(found)] = np.reshape(found, (-1, 2))
        days = {name: self[name][places].astype(np.int64) for name in ("start_day", "end_day", "left_day")}
        return Spans(**days, leave_first=filled[:, :, 0], leave_last=filled[:, :, 1])

    def granted_days(self, view: str, places: Ints) -> Ints:
        """[n, s]; the days of the grants in a view."""
        days: Ints = self[view][places].astype(np.int64)
        return days

    def standing(self, places: Ints) -> Standing:
        """How these places stand."""
        columns = ("episode_day", "ended_day", "in_a_row", "level")
        return Standing(**{name: self[name][places].astype(np.int64) for name in columns})

    def stand(self, places: Ints, standing: Standing) -> Ints:
        """Take over how these places stand now; gives those of them that stand otherwise than before."""
        changed: Bools = np.zeros(len(places), np.bool_)
        for name in ("episode_day", "ended_day", "in_a_row", "level"):
            now = getattr(standing, name)
            changed |= (self[name][places] != now).any(axis=1)
            self[name][places] = now
        return places[changed]

    def forget_rules(self, places: Sequence[int], sources: Collection[str]) -> None:
        """Forget how the rules stand at these places that read any of the sources."""
        at = np.ix_(places, self._rules.reading(sources))
        self["episode_day"][at] = self["ended_day"][at] = NEVER
        self["in_a_row"][at] = 0

    def remembering(self, places: Ints) -> Ints:
        """Those of the places of which any rule remembers something."""
        days = ((self[name][places] != NEVER).any(axis=1) for name in ("episode_day", "ended_day"))
        some: Ints = places[np.logical_or.reduce([*days, self["in_a_row"][places].any(axis=1)])]
        return some

    def with_episodes(self) -> Ints:
        """The places with an open episode."""
        return np.flatnonzero((self["episode_day"][: self.size] != NEVER).any(axis=1))

    def permitted(self, view: str) -> Bools:
        """[size]; whether anything is permitted in the view."""
        some: Bools = (self[view][: self.size] != NEVER).any(axis=1)
        return some


def names_of(sources: Sequence[str], permitted: Bools) -> tuple[str, ...]:
    """The names of the permitted ones."""
    return tuple(name for name, yes in zip(sources, permitted.tolist(), strict=True) if yes)


def _days(enrolment: Enrolment | None) -> tuple[int, int, int]:
    """First, last and left day; a place that there is no longer was left before all time."""
    if enrolment is None:
        return 0, ENDLESS, 0
    left = NEVER if enrolment.left_day is None else _number(enrolment.left_day)
    return _number(enrolment.start_day), min(_number(enrolment.end_day), ENDLESS), left
