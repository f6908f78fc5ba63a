"""From the tables of a partition to `Places`: what the formulas read of some places, in one of the two views."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import chain
from typing import Any

import numpy as np

from services.indicators.domain.activity.moments import WORK_DAYS, Moment
from services.indicators.domain.activity.roster import TUTOR, Roster
from services.indicators.domain.activity.sessions import begun_since, merged
from services.indicators.domain.activity.table import Column
from services.indicators.domain.activity.windows import ENDLESS, Ring, Windows
from services.indicators.domain.activity.work import Asked, Work
from services.indicators.domain.calendar import LEAVE, VACATION, Feeds
from services.indicators.domain.places import HISTORY_DAYS, NEVER, Bools, Ints, Places

ASSESSMENT = "assessment"  # the source that tells of hand-ins
_RUNNING = (0, VACATION, LEAVE)  # among the reasons to hold a place


class Store:
    """The tables of a partition.

    Attributes:
        sources: of the register, in its order.
        feeds: what is known of their systems.
    """

    def __init__(self, roster: Roster, sources: Sequence[str], feeds: Feeds) -> None:
        self.roster, self.sources, self.feeds = roster, tuple(sources), feeds
        self.windows, self.work = Windows(), Work()
        self.marks = Ring({"source": Column(np.int64)})

    def gather(self, places: Ints, view: str, moment: Moment, as_of_ms: Ints, *, context: bool = True) -> Places:
        """The places as of the moment, by the sources that the view permits.

        Args:
            places: n rows of the roster.
            view: `FIGURES` or `TUTOR`.
            moment: the local day.
            as_of_ms: [n]; work that is due later on that day has not fallen due.
            context: whether types of activity and sessions are wanted too; they take as long as all else.
        """
        granted, spans = self.roster.granted_days(view, places), self.roster.spans(places)
        permitted = granted != NEVER
        granted_day = np.where(permitted, granted, ENDLESS).min(axis=1, initial=ENDLESS)
        back_day = self.feeds.back_day(self.sources, permitted)
        start_day, since_day = spans.since_day(moment.today, granted_day, back_day)
        attended, absent = self._marks(places, granted, view, moment)
        first_day = _first_work_day(self._granted_work(granted), spans.start_day)
        asked = Asked(as_of_ms, first_day, moment.window_day)
        due, late, missing, arrears = self.work.told(*_rows(self.roster.work_rows, places), asked, len(places))
        return Places(
            today=moment.today,
            counting=moment.counting,
            start_day=start_day,
            since_day=since_day,
            part_time=self.roster["part_time"][places],
            attended=attended,
            absent=absent,
            due=due,
            late=late,
            missing=missing,
            arrears=arrears,
            **self._activity(places, granted, view, moment, context=context),
        )

    def running(self, places: Ints, view: str, moment: Moment) -> Ints:
        """Those of the places that run today, on leave or not, and of which the view permits anything already."""
        held = self.roster.spans(places).held(moment.today, vacation=moment.vacation)
        granted = self.roster[view][places]
        permitted = ((granted != NEVER) & (granted <= moment.today)).any(axis=1)
        running: Ints = places[np.isin(held, _RUNNING) & permitted]
        return running

    def _granted_work(self, granted: Ints) -> Ints:
        if ASSESSMENT not in self.sources:
            return np.full(len(granted), NEVER, np.int64)
        return granted[:, self.sources.index(ASSESSMENT)]

    def _activity(self, places: Ints, granted: Ints, view: str, moment: Moment, *, context: bool) -> dict[str, Any]:
        n, windows = len(places), self.windows
        rows, place = self._readable(windows, self.roster.window_rows, places, granted != NEVER)
        weights = np.zeros((n, HISTORY_DAYS), np.int64)
        kinds = np.zeros_like(weights) if context else _nothing(n)
        first_day, last_day = np.full(n, ENDLESS, np.int64), np.full(n, NEVER, np.int64)
        for at, of in _apart(rows, place):
            told = windows.told(at, moment.today, kinds=context)
            if view == TUTOR:
                told = told.since(granted[of, windows["source"][at]], moment.today)
            weights[of] += told.sums
            if context:
                kinds[of] |= told.kinds
            first_day[of] = np.minimum(first_day[of], told.first_day)
            last_day[of] = np.maximum(last_day[of], told.last_day)
        first_day[first_day == ENDLESS] = NEVER
        spans = [windows.sessions[row] for row in rows.tolist()] if context else []
        if spans and view == TUTOR:
            from_ms = moment.began_ms(granted[place, windows["source"][rows]]).tolist()
            spans = [begun_since(row, at_ms) for row, at_ms in zip(spans, from_ms, strict=True)]
        number, minutes = merged(spans, place[: len(spans)], moment.lasting, n)
        return {
            "weights": weights, "kinds": kinds, "first_day": first_day, "last_day": last_day,
            "sessions": number, "session_minutes": minutes,
        }  # fmt: skip

    def _marks(self, places: Ints, granted: Ints, view: str, moment: Moment) -> tuple[Ints, Ints]:
        rows, place = self._readable(self.marks, self.roster.mark_rows, places, granted != NEVER)
        if not len(rows):
            return _nothing(len(places)), _nothing(len(places))
        attended, absent = (np.zeros((len(places), HISTORY_DAYS), np.int64) for _ in range(2))
        attended[place] = self.marks.days("first", rows, moment.today)  # one for each: only one source has marks
        absent[place] = self.marks.days("second", rows, moment.today)
        if view == TUTOR:
            from_day = granted[place, self.marks["source"][rows]]
            covered = moment.today - np.arange(HISTORY_DAYS) >= from_day[:, None]
            attended[place], absent[place] = attended[place] * covered, absent[place] * covered
        return attended, absent

    def _readable(self, table: Ring, of: list[list[int]], places: Ints, permitted: Bools) -> tuple[Ints, Ints]:
        rows, place = _rows(of, places)
        source = table["source"][rows]  # negative where the register does not name it any more
        readable = (source >= 0) & permitted[place, source]
        return rows[readable], place[readable]


def _nothing(places: int) -> Ints:
    """[places, HISTORY_DAYS]; zeros that take no memory."""
    return np.broadcast_to(np.int64(0), (places, HISTORY_DAYS))


def _rows(of: list[list[int]], places: Ints) -> tuple[Ints, Ints]:
    """Rows of another table that belong to these places, and the position of the place of each, ascending."""
    if not any(of):
        return np.empty(0, np.int64), np.empty(0, np.int64)
    found = [of[place] for place in places.tolist()]
    rows = np.fromiter(chain.from_iterable(found), np.int64)
    return rows, np.repeat(np.arange(len(found)), np.fromiter(map(len, found), np.int64, len(found)))


def _apart(rows: Ints, place: Ints) -> Iterator[tuple[Ints, Ints]]:
    """The first row of each place, then the second ones, and so on: in each part no place comes twice."""
    nth = np.arange(len(place)) - np.searchsorted(place, place)
    for number in range(nth.max(initial=-1) + 1):
        yield rows[nth == number], place[nth == number]


def _first_work_day(granted: Ints, start_day: Ints) -> Ints:
    """[n]; from when on work that falls due can be judged.

    Whoever let hand-ins be seen only when the module ran already may have handed in before that what falls due soon
    after; so as much time must pass as work is looked back for.
    """
    later = np.where(granted > start_day, granted + WORK_DAYS, start_day)
    return np.where(granted == NEVER, ENDLESS, later)
