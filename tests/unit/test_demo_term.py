"""The simulated term: repeatable to the byte, and each habit shows as it should."""

from __future__ import annotations

import datetime as dt
from collections import Counter, defaultdict
from collections.abc import Sequence
from itertools import pairwise
from statistics import mean
from zoneinfo import ZoneInfo

import msgspec
import pytest

from deploy.demo.compare import figures, simulated
from deploy.demo.coursework import hand_ins, marks
from deploy.demo.events import ATTENDANCE, SOURCES, VLE, Event, Span, Term
from deploy.demo.habits import HABITS, Habit, students_of
from deploy.demo.term import simulate
from deploy.demo.timetable import deadlines, outage, timetabled, vacation
from deploy.demo.university import Demo, University, demo_university
from services.kernel.register import load_register

LONDON = ZoneInfo("Europe/London")
DEMO = Demo(students=300)
SPAN = Span(dt.date(2026, 9, 28), DEMO.days, LONDON)  # a Monday; the clocks change within


@pytest.fixture(scope="module")
def university() -> University:
    return demo_university(DEMO, SPAN)


@pytest.fixture(scope="module")
def term(university: University) -> Term:
    return simulate(university, DEMO, SPAN)


def _bytes(term: Term) -> bytes:
    return b"".join(msgspec.json.encode(event) for day in term.days for event in day.events)


def _events(term: Term) -> list[Event]:
    return [event for day in term.days for event in day.events]


def _active_days(university: University, term: Term, habit: Habit) -> list[list[int]]:
    """The active days of each student with the habit who never left, studying full-time."""
    students = students_of([person.id for person in university.students], DEMO.seed, SPAN.days)
    plain = {p.person for p in university.enrolments if not p.left_day and not p.part_time}
    active: dict[str, set[int]] = defaultdict(set)
    for event in _events(term):
        if event.activity not in ("login", "absent"):
            active[event.student].add((dt.date.fromisoformat(event.at[:10]) - SPAN.first_day).days)
    return [sorted(active[s]) for s, ways in students.items() if ways.habit == habit and s in plain]


def _gaps(days: Sequence[int]) -> list[int]:
    return [later - earlier for earlier, later in pairwise(days)]


def test_the_same_seed_gives_the_same_bytes(university: University, term: Term) -> None:
    """A term can be made again anywhere, event for event."""
    assert _bytes(simulate(university, DEMO, SPAN)) == _bytes(term)


def test_another_seed_or_start_gives_other_ids(term: Term) -> None:
    """So a term at other dates is not mistaken for a repetition."""
    ids = {event.id for event in _events(term)}
    later = Span(dt.date(2026, 12, 14), DEMO.days, LONDON)
    other = Demo(seed=2, students=300)
    assert not ids & {e.id for e in _events(simulate(demo_university(DEMO, later), DEMO, later))}
    assert not ids & {e.id for e in _events(simulate(demo_university(other, SPAN), other, SPAN))}


def test_each_event_has_its_own_id(term: Term) -> None:
    """No two events are taken for one."""
    ids = [event.id for event in _events(term)]
    assert len(set(ids)) == len(ids)


def test_every_day_is_there_and_holds_its_events_in_order(term: Term) -> None:
    """Each event lies within its local day, with the offset of that day; an outage's come on the day after it."""
    days = list(term.days)
    assert [day.date for day in days] == [SPAN.date(number) for number in range(70)]
    for day in days:
        for source, events in day.by_source.items():
            assert [event.at for event in events] == sorted(event.at for event in events)
            late = outage(SPAN) if source == VLE and day.date == SPAN.date(outage(SPAN).stop) else ()
            dates = {day.date, *map(SPAN.date, late)}
            assert {event.at[:10] for event in events} <= {date.isoformat() for date in dates}
    assert {event.at[-6:] for event in _events(term)} == {"+01:00", "+00:00"}


def test_activities_are_those_of_the_register(term: Term) -> None:
    """All are declared; some logins, which do not qualify, are among them."""
    seen = Counter(event.activity for event in _events(term))
    assert set(seen) <= set(load_register().activity)
    assert 0.02 < seen["login"] / seen.total() < 0.3


def test_the_learning_environment_is_silent_for_two_days_and_then_tells_all(term: Term) -> None:
    """The others are not."""
    days = list(term.days)
    assert [SPAN.date(day).strftime("%a") for day in outage(SPAN)] == ["Tue", "Wed"]
    for day in outage(SPAN):
        assert VLE not in days[day].heard_ms
        assert days[day].events
    told = {event.at[:10] for event in days[outage(SPAN).stop].by_source[VLE]}
    assert len(told) == 3
    assert set(days[outage(SPAN).stop].heard_ms) >= {VLE}
    assert {source for day in days for source in day.by_source} == set(SOURCES)


def test_work_comes_in_time_late_and_not_at_all(university: University, term: Term) -> None:
    """Most in time, by an own deadline where there is one; under the names that the directory has."""
    at = {(e.student, e.assessment): dt.datetime.fromisoformat(e.at) for e in _events(term) if e.assessment}
    assert {event.activity for event in _events(term) if event.assessment} == {"assignment"}
    deadlines_ = {(p.person, due.assessment): due.extended or due.due for p in university.enrolments for due in p.due}
    assert at.keys() <= deadlines_.keys()
    fates = Counter(
        "missing" if key not in at else "late" if at[key] > deadline else "in time"
        for key, deadline in deadlines_.items()
    )
    assert fates["in time"] > 0.6 * fates.total()
    assert min(fates["late"], fates["missing"]) > 0.01 * fates.total()


def test_whoever_is_expected_comes_or_is_marked_absent(university: University, term: Term) -> None:
    """Nobody on leave, in the vacation or after leaving; who need not come seldom does."""
    marked = [event for day in term.days for event in day.by_source.get(ATTENDANCE, ())]
    assert {event.activity for event in marked} == {"attended", "absent"}
    assert not {event.at[:10] for event in marked} & {SPAN.date(day).isoformat() for day in vacation(SPAN)}
    plain = next(p for p in university.enrolments if not (p.leave or p.exempt or p.left_day))
    number = [module.code for module in university.modules].index(plain.module)
    of_one = [e for e in marked if (e.student, e.module) == (plain.person, plain.module)]
    assert len(of_one) == len(timetabled(SPAN, number)) == 18
    for place in (p for p in university.enrolments if p.leave):
        dates = {dt.date.fromisoformat(e.at[:10]) for e in _events(term) if e.student == place.person}
        assert not any(place.is_away(date) for date in dates)
    came = Counter((e.student, e.activity) for e in marked)
    for place in (p for p in university.enrolments if p.exempt):
        assert came[place.person, "attended"] <= came[place.person, "absent"]


def test_silent_students_hand_nothing_in_and_come_to_nothing(university: University) -> None:
    """Whoever only logs in does nothing else either."""
    students = students_of([person.id for person in university.students], DEMO.seed, SPAN.days)
    silent = [place for place in university.enrolments if students[place.person].habit == "silent"]
    assert silent
    for place in silent:
        assert not list(hand_ins(place, students[place.person], DEMO.seed, SPAN))
        assert not any(came for *_, came in marks(place, students[place.person], DEMO.seed, SPAN, timetabled(SPAN, 0)))


def test_nobody_is_active_after_leaving(university: University, term: Term) -> None:
    """Who has left the module does nothing on it."""
    left = {(p.person, p.module): p.left_day.isoformat() for p in university.enrolments if p.left_day}
    assert left
    assert not [e for e in _events(term) if e.at[:10] >= left.get((e.student, e.module), "9999")]


def test_the_number_of_events_suits_a_demo() -> None:
    """A term of 200 students is some ten thousands of events."""
    demo = Demo()
    assert 30_000 < len(_events(simulate(demo_university(demo, SPAN), demo, SPAN))) < 80_000


def test_every_habit_occurs(university: University) -> None:
    """There is somebody of each kind to look at."""
    students = students_of([person.id for person in university.students], DEMO.seed, SPAN.days)
    assert Counter(ways.habit for ways in students.values()).keys() == set(HABITS)


def test_silent_students_do_nothing_that_qualifies(university: University, term: Term) -> None:
    """They log in at most."""
    assert not any(_active_days(university, term, "silent"))


def test_steady_students_come_until_the_end(university: University, term: Term) -> None:
    """About as often in the last third as in the first."""
    days = _active_days(university, term, "steady")
    first, last = (sum(day in part for d in days for day in d) for part in (range(23), range(47, 70)))
    assert 0.55 < last / first < 1.2


def test_fading_students_come_ever_less(university: University, term: Term) -> None:
    """Hardly at all in the last third."""
    days = _active_days(university, term, "fading")
    first, last = (sum(day in part for d in days for day in d) for part in (range(23), range(47, 70)))
    assert last / first < 0.2


def test_bursty_students_come_in_bursts(university: University, term: Term) -> None:
    """Far more often than steady ones are they away for four days after being active on two in a row."""

    def bursts(habit: Habit) -> float:
        shares = []
        for days in _active_days(university, term, habit):
            gaps = _gaps(days)
            after_two = [later for gap, later in pairwise(gaps) if gap == 1]
            shares += [later > 4 for later in after_two]
        return mean(shares)

    assert bursts("bursty") > 2 * bursts("steady")


def test_returning_students_come_back_after_two_weeks_and_more(university: University, term: Term) -> None:
    """Long enough for a case to open, and then they are active again."""
    breaks = [
        gap for days in _active_days(university, term, "returning") if len(days) > 10 for gap in [max(_gaps(days))]
    ]
    assert breaks
    assert all(gap > 16 for gap in breaks)


def test_the_vacation_is_quiet_and_deadlines_are_busy() -> None:
    """Seen against the same weekday of other weeks."""
    span, demo = Span(SPAN.first_day, 70, LONDON), Demo(seed=3, students=600)
    term = simulate(demo_university(demo, span), demo, span)
    counts = [Counter(event.module for event in day.by_source.get(VLE, ())) for day in term.days]
    off = sum(counts[day].total() for day in vacation(span))
    week_before = sum(counts[day - 7].total() for day in vacation(span))
    assert off < 0.5 * week_before
    modules = demo_university(demo, span).modules
    due = [(module.code, day) for n, module in enumerate(modules) for day in deadlines(span, n)]
    assert len(due) >= 8
    ordinary = [(code, day + 7) for code, day in due if day + 7 < 70 and day + 7 not in vacation(span)]
    assert mean(counts[day][code] for code, day in due) > 1.25 * mean(counts[day][code] for code, day in ordinary)


def test_a_short_term_has_no_vacation() -> None:
    """A demo of two weeks is all term, and nothing breaks in it."""
    short = Span(SPAN.first_day, 14, LONDON)
    assert not vacation(short)
    assert not outage(short)


def test_shapes_stay_where_real_terms_lie() -> None:
    """Figures of nine real presentations' first ten weeks (docs/measured.md) bound ours, chance aside."""
    ours = figures(simulated(Demo(students=400), LONDON))
    bounds = {
        "rows a place": (29, 240),
        "clicks an active day, 50 %": (6, 20),
        "clicks an active day, mean": (10.5, 32.2),
        "rows an active day, 50 %": (3, 6),
        "clicks a row, 99 %": (15, 38),
        "share of active days, 50 %": (0.1, 0.457),
        "longest gap, days, 50 %": (9, 22),
        "active the day after an active day": (0.263, 0.663),
        "never active": (0, 0.084),
        "faded by the last third": (0.2, 0.389),
        "Saturday": (0.65, 0.822),
        "Tuesday": (1.1, 1.31),
    }
    assert not {name: ours[name] for name, (least, most) in bounds.items() if not least <= ours[name] <= most}
