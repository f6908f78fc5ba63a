"""Histories of the slow reference as the columns that formulas read."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence

import numpy as np

from services.indicators.domain.places import CALENDAR_DAYS, HISTORY_DAYS, NEVER, Ints, Places
from tests.support import reference
from tests.support.reference import History

_EPOCH = dt.date(1970, 1, 1)


def number(day: dt.date) -> int:
    """The number of a local day."""
    return (day - _EPOCH).days


def places_of(histories: Sequence[History], now: dt.datetime) -> Places:
    """All that is known of the histories at a moment; they must agree on vacations.

    What is due, late or missing, and what the sessions were, is taken from the reference: other tests compare how the
    store comes to it.
    """
    today = histories[0].day(now)
    kinds = sorted({h.kind for history in histories for h in history.happened})
    shape = len(histories), HISTORY_DAYS
    weights, bits, attended, absent = (np.zeros(shape, np.int64) for _ in range(4))
    for row, history in enumerate(histories):
        for happened in history.happened:
            if 0 <= (back := (today - history.day(happened.at)).days) < HISTORY_DAYS:
                weights[row, back] += happened.weight
                bits[row, back] |= 1 << kinds.index(happened.kind)
        for mark in history.marks:
            if 0 <= (back := (today - mark.day).days) < HISTORY_DAYS:
                (attended if mark.attended else absent)[row, back] += 1
    days = [[number(history.day(h.at)) for h in history.happened] for history in histories]
    return Places(
        today=number(today),
        counting=_counting(histories[0].vacations, today),
        weights=weights,
        kinds=bits,
        start_day=np.array([number(history.start) for history in histories]),
        since_day=np.array([number(history.since) for history in histories]),
        first_day=np.array([min(d, default=NEVER) for d in days]),
        last_day=np.array([max(d, default=NEVER) for d in days]),
        part_time=np.zeros(len(histories), np.bool_),
        attended=attended,
        absent=absent,
        arrears=np.array([reference.arrears(history, now) for history in histories]),
        **_work_and_sessions([reference.figures(history, now) for history in histories]),
    )


def _counting(vacations: Sequence[tuple[dt.date, dt.date]], today: dt.date) -> Ints:
    off = {number(today) - day for first, last in vacations for day in range(number(first), number(last) + 1)}
    return np.array([back for back in range(CALENDAR_DAYS) if back not in off], np.int64)


def _work_and_sessions(told: Sequence[dict[str, float | str]]) -> dict[str, np.ndarray]:
    def column(name: str, unsaid: float = 0) -> list[float]:
        return [unsaid if isinstance(value := figures[name], str) else value for figures in told]

    return {
        "due": np.array([int(not isinstance(figures["missing-work"], str)) for figures in told]),
        "late": np.array(column("late-work"), np.int64),
        "missing": np.array(column("missing-work"), np.int64),
        "sessions": np.array(column("sessions-7"), np.int64),
        "session_minutes": np.array(column("session-minutes-7"), np.float64),
    }
