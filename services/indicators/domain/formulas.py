"""The indicators' formulas: from the columns of many places to one figure each.

The register says the same in words; a formula that it does not declare is not used, and one that it declares without
being here stops the start. Figures that compare with the module's other students are in `cohort`.

A window is so many *counting* days with today: local days outside vacations. Whoever was seen for less than the window
has a smaller figure, not a wrong one; where it would be wrong, it is left unsaid.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

import numpy as np

from services.indicators.domain.places import HISTORY_DAYS, NEVER, Bools, Figure, Floats, Ints, Places
from services.kernel.errors import ConfigurationError
from services.kernel.register import Register

Formula = Callable[[Places], Figure]

WEEKS_SHOWN = 8
ENOUGH_ACTIVE_DAYS = 5  # below, days of the week say nothing
_THURSDAY = 3  # 1970-01-01


def counted_from(places: Places) -> Ints:
    """[n]; the day that absence counts from: the last active one, or `since_day` where that is later."""
    return np.maximum(places.last_day, places.since_day)


def days_since_last_activity(places: Places) -> Figure:
    """Counting days after the last active one, up to today; after `since_day` where there was none since.

    Unit: days; 0 where an event is ahead of the clock. Recency is the oldest of activity measures: the R of the
    recency, frequency, monetary value of direct marketing.
    """
    days = places.elapsed(counted_from(places)).astype(float)
    return Figure(days, _all(places), began=counted_from(places))


def active_days(window: int) -> Formula:
    """Local days with any activity, in the window; unit: days."""
    return lambda places: _always(_active(places, window).sum(axis=1))


def volume(window: int) -> Formula:
    """Sum of the weights of events, in the window; unit: actions."""
    return lambda places: _always(_volume(places, window))


def own_trend(places: Places) -> Figure:
    """ln((e7 + 1) / (m + 1)): the last week against the student's own three weeks before.

    e7 is the volume of the last 7 counting days, m a third of that of the 21 before them; the 1 keeps silence finite.
    Unit: none; 0 is as before, ln 2 = 0.69 twice as much, -0.69 half. A log ratio, so that halving weighs as much as
    doubling. Unsaid until all 28 days could be seen: days that could not would look like days of silence.
    """
    recent, usual = _volume(places, 7), _volume(places, 21, skipped=7) / 3
    return Figure(
        np.log((recent + 1) / (usual + 1)),
        places.seen(28),
        "window-not-full",
        inputs={"last-week": recent, "weeks-before": usual},
    )


def sessions(places: Places) -> Figure:
    """Sessions that began in the last 7 counting days; a pause of more than 30 minutes ends one. Unit: sessions.

    The half hour is the convention of web analytics, derived by Catledge and Pitkow (1995), Characterizing browsing
    strategies in the World-Wide Web: 25.5 minutes.
    """
    return _always(places.sessions)


def session_minutes(places: Places) -> Figure:
    """Median length of those sessions, from first to last event. Unit: minutes; one event alone has 0."""
    return Figure(
        places.session_minutes.astype(float), places.sessions > 0, "no-sessions", inputs={"sessions": places.sessions}
    )


def regularity(places: Places) -> Figure:
    """1 - H / ln 7, with H the Shannon entropy of active days over the days of the week; the last 28 counting days.

    Unit: none; 0 where all seven are alike, 1 where all activity falls on one. H = -Σ p ln p, with p a weekday's share
    of the active days: Shannon (1948), A mathematical theory of communication. Weekly regularity by entropy follows
    the idea, not the exact measures, of Boroujeni et al. (2016), How to quantify student's regularity? Unsaid with
    fewer than 5 active days.
    """
    columns = places.window(28)
    weekdays = (places.today - columns + _THURSDAY) % 7
    on_weekday = _active(places, 28).astype(np.int64) @ np.eye(7, dtype=np.int64)[weekdays]
    days = on_weekday.sum(axis=1)
    share = on_weekday / np.maximum(days, 1)[:, None]
    entropy = -(share * np.log(np.where(share > 0, share, 1))).sum(axis=1)
    value = np.clip(1 - entropy / np.log(7), 0, 1)
    return Figure(value, days >= ENOUGH_ACTIVE_DAYS, "too-few-active-days", inputs={"active-days": days})


def longest_gap(places: Places) -> Figure:
    """The longest run of counting days without activity, in the last 28; unit: days.

    Unsaid until all of them could be seen.
    """
    longest = run = np.zeros(len(places), np.int64)
    for active in _active(places, 28).T:
        run = np.where(active, 0, run + 1)
        longest = np.maximum(longest, run)
    return Figure(longest.astype(float), places.seen(28), "window-not-full")


def breadth(places: Places) -> Figure:
    """Distinct types of activity, in the last 14 counting days; unit: types."""
    kinds = np.bitwise_or.reduce(places.kinds[:, places.window(14)], axis=1)
    return _always(np.bitwise_count(kinds))


def time_to_first_activity(places: Places) -> Figure:
    """Counting days from the first day that could be seen to the first activity; until then, to today. Unit: days.

    It is judged until there is any activity. Where a leave or a broken feed came before the first, it counts from
    the end of that.
    """
    began = places.first_day != NEVER
    broken = ~began | (places.first_day >= places.since_day)
    start = places.elapsed(np.where(broken, places.since_day, places.start_day))
    first = np.where(began, places.elapsed(places.first_day), 0)
    value = np.maximum(start - first, 0).astype(float)
    return Figure(value, _all(places), judged=~began, began=places.since_day)


def late_work(places: Places) -> Figure:
    """Pieces of work handed in after they were due, of those due in the last 28 counting days; unit: pieces."""
    return _of_due(places, places.late)


def missing_work(places: Places) -> Figure:
    """Pieces of work past due and not handed in, of those due in the last 28 counting days; unit: pieces."""
    return _of_due(places, places.missing)


def attendance(places: Places) -> Figure:
    """Marks of presence out of all marks, in the last 14 counting days; unit: percent. Unsaid without marks."""
    columns = places.window(14)
    attended = places.attended[:, columns].sum(axis=1)
    expected = attended + places.absent[:, columns].sum(axis=1)
    inputs = {"attended": attended, "expected": expected}
    return Figure(100 * attended / np.maximum(expected, 1), expected > 0, "no-marks", inputs=inputs)


def weekly_active_days(places: Places) -> Ints:
    """[n, 8]; active days of the last eight seven-day windows, oldest first, today's last; vacations too."""
    weeks = (places.weights > 0).reshape(len(places), WEEKS_SHOWN, HISTORY_DAYS // WEEKS_SHOWN)
    oldest_first: Ints = weeks.sum(axis=2)[:, ::-1]
    return oldest_first


FORMULAS: dict[str, Formula] = {
    "days-since-last-activity": days_since_last_activity,
    "active-days-7": active_days(7),
    "active-days-14": active_days(14),
    "active-days-28": active_days(28),
    "volume-7": volume(7),
    "volume-28": volume(28),
    "own-trend": own_trend,
    "sessions-7": sessions,
    "session-minutes-7": session_minutes,
    "regularity": regularity,
    "longest-gap": longest_gap,
    "breadth": breadth,
    "time-to-first-activity": time_to_first_activity,
    "late-work": late_work,
    "missing-work": missing_work,
    "attendance": attendance,
}
COMPARED = ("volume-28-centile", "volume-28-robust-z", "engagement-index")  # with the cohort: `cohort.comparison`


def check_declared(register: Register) -> None:
    """Compare the formulas with the register.

    Raises:
        ConfigurationError: one has what the other lacks.
    """
    declared, known = set(register.indicator), {*FORMULAS, *COMPARED}
    if declared != known:
        raise ConfigurationError(
            "The policy register and the formulas must name the same indicators. "
            f"Declared without a formula: {_names(declared - known)}; undeclared: {_names(known - declared)}."
        )


def _names(names: Iterable[str]) -> str:
    return ", ".join(sorted(names)) or "none"


def _all(places: Places) -> Bools:
    return np.ones(len(places), np.bool_)


def _always(values: Ints | Floats) -> Figure:
    return Figure(values.astype(float), np.ones(len(values), np.bool_))


def _active(places: Places, window: int) -> Bools:
    return places.weights[:, places.window(window)] > 0


def _volume(places: Places, window: int, skipped: int = 0) -> Floats:
    total: Ints = places.weights[:, places.window(window, skipped)].sum(axis=1)
    return total.astype(float)


def _of_due(places: Places, pieces: Ints) -> Figure:
    seen = places.seen(28) | (places.since_day == places.start_day)  # nothing is due before the start
    return Figure(pieces.astype(float), places.due > 0, "no-due-work", seen=seen, inputs={"due": places.due})
