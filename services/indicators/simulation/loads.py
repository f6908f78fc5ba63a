"""Alerts per tutor per week, as they are now and as they would be; numbers only, nobody by name or pseudonym."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from services.indicators.domain.cohort import monday

NO_TUTOR = "(no tutor)"


@dataclass(frozen=True, slots=True)
class Alert:
    """A rule that began to hold for a student, on a local day counted from 1970-01-01."""

    student: str
    rule: str
    day: int


@dataclass(frozen=True, slots=True)
class Pair:
    """A number as it is with the present thresholds, and as it would be with those proposed."""

    present: int
    proposed: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Loads:
    """The tutors' loads.

    Attributes:
        weeks: the Mondays, as day numbers, without a gap.
        total: by week, all alerts.
        tutors: by tutor, their alerts by week; one of a student with two tutors is a load of both.
        rules: by rule, all alerts.
        largest: the most alerts of any tutor in any week.
        students: who were alerted about at all.
        newly, no_longer: how many of them only with the proposed thresholds, and only with the present ones.
    """

    weeks: Sequence[int]
    total: Sequence[Pair]
    tutors: Mapping[str, Sequence[Pair]]
    rules: Mapping[str, Pair]
    largest: Pair
    students: Pair
    newly: int
    no_longer: int


def compare(
    present: Sequence[Alert], proposed: Sequence[Alert], tutors_of: Mapping[str, Sequence[str]], days: range
) -> Loads:
    """The loads of both runs.

    Args:
        present: alerts with the present thresholds.
        proposed: those with the others.
        tutors_of: by student; who has none counts for `NO_TUTOR`.
        days: the local days that were judged.
    """
    weeks = range(monday(days.start), days.stop, 7)
    runs = [present, proposed]
    by_tutor = [_by_tutor(alerts, tutors_of) for alerts in runs]
    tutors = sorted({tutor for students in tutors_of.values() for tutor in students} | {*by_tutor[0], *by_tutor[1]})
    students = [{alert.student for alert in alerts} for alerts in runs]
    return Loads(
        weeks=weeks,
        total=_weekly(*(Counter(monday(alert.day) for alert in alerts) for alerts in runs), weeks=weeks),
        tutors={tutor: _weekly(*(loads[tutor] for loads in by_tutor), weeks=weeks) for tutor in tutors},
        rules=_by_rule(*runs),
        largest=Pair(*(max((n for load in loads.values() for n in load.values()), default=0) for loads in by_tutor)),
        students=Pair(*map(len, students)),
        newly=len(students[1] - students[0]),
        no_longer=len(students[0] - students[1]),
    )


def _by_tutor(alerts: Iterable[Alert], tutors_of: Mapping[str, Sequence[str]]) -> defaultdict[str, Counter[int]]:
    loads: defaultdict[str, Counter[int]] = defaultdict(Counter)
    for alert in alerts:
        for tutor in tutors_of.get(alert.student) or (NO_TUTOR,):
            loads[tutor][monday(alert.day)] += 1
    return loads


def _by_rule(present: Iterable[Alert], proposed: Iterable[Alert]) -> dict[str, Pair]:
    before, after = (Counter(alert.rule for alert in alerts) for alerts in (present, proposed))
    return {rule: Pair(before[rule], after[rule]) for rule in sorted({*before, *after})}


def _weekly(present: Counter[int], proposed: Counter[int], *, weeks: Iterable[int]) -> tuple[Pair, ...]:
    return tuple(Pair(present[week], proposed[week]) for week in weeks)
