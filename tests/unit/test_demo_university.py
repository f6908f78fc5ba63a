"""The demo university: repeatable, plausible, and of nobody real."""

from __future__ import annotations

import datetime as dt
import hashlib
from collections import Counter
from zoneinfo import ZoneInfo

import pytest

from deploy.demo.bodies import Asked, directory_bodies, registration_bodies
from deploy.demo.commands import sign_in_people
from deploy.demo.events import Span
from deploy.demo.university import Demo, University, demo_university, officers, people
from services.kernel.register import load_register

FIRST_PEOPLE = "3bc06131847f0c7c"  # of the default university: whoever was in a demonstration once stays
LONDON = ZoneInfo("Europe/London")
SPAN = Span(dt.date(2026, 9, 28), 70, LONDON)
CELLS = [("individual-indicators", "vle"), ("tutor-notify", "vle"), ("tutor-notify", "library")]
ASKED = Asked(CELLS, "2026-2")


@pytest.fixture(scope="module")
def university() -> University:
    return demo_university(Demo(), SPAN)


def test_the_same_values_give_the_same_university(university: University) -> None:
    """Whoever runs the demo again meets the same people."""
    assert demo_university(Demo(), SPAN) == university
    assert demo_university(Demo(seed=2), SPAN) != university


def test_people_do_not_depend_on_the_term(university: University) -> None:
    """The list to sign in from is known before the term's start is."""
    assert people(Demo()) == university.people


def test_people_are_distinct_and_their_addresses_nobodys(university: University) -> None:
    """Ids and addresses are unique; every address is of a domain reserved for examples."""
    assert len({person.id for person in university.people}) == 208
    assert len({person.email for person in university.people}) == 208
    assert all(person.email.endswith(".example.org") and person.email.isascii() for person in university.people)


def test_whoever_looks_after_the_whole_can_be_chosen_too_and_changes_nobody_else(university: University) -> None:
    """All roles of the register occur; whoever has none of a student's or tutor's is in no directory."""
    chosen = sign_in_people(Demo())
    assert {role for somebody in chosen for role in somebody["roles"]} == {role.name for role in load_register().roles}
    assert [each["id"] for each in chosen[: len(university.people)]] == [person.id for person in university.people]
    assert officers(Demo()) == officers(Demo(students=50, tutors=2))
    assert officers(Demo()) != officers(Demo(seed=2))
    assert not {officer.id for officer in officers(Demo())} & {person.id for person in university.people}
    digest = hashlib.sha256(repr([(p.id, p.name) for p in university.people]).encode()).hexdigest()
    assert digest.startswith(FIRST_PEOPLE)


def test_every_student_has_one_tutor_in_a_group_of_equal_size(university: University) -> None:
    """200 students and 8 tutors make groups of 25."""
    assert Counter(tutor for tutor, _ in university.tutoring).most_common() == [
        (tutor, 25) for tutor, _ in Counter(t for t, _ in university.tutoring).most_common()
    ]
    assert {student for _, student in university.tutoring} == {student.id for student in university.students}


def test_choices_come_in_their_shares(university: University) -> None:
    """70 % give, 12 % refuse, 12 % say nothing, the rest give in part."""
    choices = Counter(consent.choice for consent in university.consents)
    assert choices == {"given": 140, "refused": 24, "undecided": 24, "partial": 12}
    assert {consent.language for consent in university.consents} == {"en", "cy"}


def test_everybody_is_on_a_module_some_on_two_some_part_time(university: University) -> None:
    """All kinds of enrolment occur; whoever leaves does so within the term."""
    modules = Counter(place.person for place in university.enrolments)
    assert set(modules) == {student.id for student in university.students}
    assert set(modules.values()) == {1, 2}
    assert any(place.part_time for place in university.enrolments)
    left = [place.left_day for place in university.enrolments if place.left_day]
    assert left
    assert all(SPAN.first_day < day < SPAN.date(70) for day in left)


def test_some_are_on_leave_some_need_not_come_and_some_may_hand_in_later(university: University) -> None:
    """Each where it shows: a leave within the term, an extension past it where work fell due meanwhile."""
    away = [place for place in university.enrolments if place.leave]
    assert away
    assert all(SPAN.first_day < leave.first_day < leave.last_day < SPAN.date(70) for p in away for leave in p.leave)
    afar = {place.exempt for place in university.enrolments}
    assert afar == {(), ("low-attendance",)}
    due = [(place, piece) for place in university.enrolments for piece in place.due]
    assert {len(place.due) for place in university.enrolments if not place.left_day} == {3}
    assert all(place.left_day is None or piece.due.date() < place.left_day for place, piece in due)
    extended = [(place, piece) for place, piece in due if piece.extended]
    assert 0.01 < len(extended) / len(due) < 0.1
    for place, piece in due:
        if place.is_away(piece.due.date()):
            assert piece.extended
            assert not place.is_away(piece.extended.date())


def test_directory_tells_of_everybody_once_and_of_tutors_first(university: University) -> None:
    """Each body stands by itself once those before it are known."""
    first, *rest = directory_bodies(university, size=75)
    assert [person["role"] for person in first["people"]] == ["tutor"] * 8
    assert len(first["modules"]) == 4
    assert [len(body["people"]) for body in rest] == [75, 75, 50]
    assert sum(len(body["enrolments"]) for body in rest) == len(university.enrolments)
    for body in rest:
        ids = {person["id"] for person in body["people"]}
        assert {place["person"] for place in body["enrolments"]} == ids
        assert {pair["student"] for pair in body["tutoring"]} == ids


def test_registration_says_what_each_student_said(university: University) -> None:
    """Undecided is no record at all; in part means all but telling the tutor; it begins before the term."""
    decisions = [d for body in registration_bodies(university, ASKED, size=100) for d in body["decisions"]]
    assert {decision["notice"] for decision in decisions} == {"2026-2"}
    choice = {consent.person: consent.choice for consent in university.consents}
    assert len(decisions) == (200 - 24) * len(CELLS)
    for decision in decisions:
        expected = {"given": "given", "refused": "refused", "partial": "refused"}[choice[decision["person"]]]
        if choice[decision["person"]] == "partial" and decision["purpose"] == "individual-indicators":
            expected = "given"
        assert decision["state"] == expected
        assert decision["from"] == "2026-09-14T00:00:00+01:00"


def test_registration_keeps_a_students_decisions_together(university: University) -> None:
    """So no service ever knows half of what a student said."""
    bodies = [{d["person"] for d in body["decisions"]} for body in registration_bodies(university, ASKED, size=100)]
    assert len(bodies) > 3
    assert sum(map(len, bodies)) == len(set().union(*bodies))
