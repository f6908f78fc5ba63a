"""OULAD's files: both forms read alike, its traps are minded, and what is wrong is named."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import msgspec
import pytest

from deploy.demo import oulad
from deploy.demo.events import ASSESSMENT, VLE, Event, Term
from deploy.demo.oulad import Invention, Placed, Presentation, Registration
from deploy.demo.oulad_work import Work, work
from services.kernel.errors import ConfigurationError
from services.kernel.register import load_register
from tests.support.oulad_files import Rows, write_csv, write_parquet

LONDON = ZoneInfo("Europe/London")
BBB = Presentation("BBB", "2013J", 3)

COURSES = [["BBB", "2013J", 3], ["BBB", "2013B", 2]]
SITES: Rows = [
    [700, "BBB", "2013J", "forumng", "?", "?"],
    [701, "BBB", "2013J", "oucontent", 1, 2],
    [702, "BBB", "2013J", "novelty", "?", "?"],
    [700, "BBB", "2013B", "quiz", "?", "?"],
]
REGISTRATION = [
    ["BBB", "2013J", 11391, -159, "?"],
    ["BBB", "2013J", 28400, -53, -12],
    ["BBB", "2013J", 30268, 2, ""],
    ["BBB", "2013J", 31604, "?", 1],
    ["BBB", "2013B", 31604, -20, "?"],
]
CLICKS = [
    ["BBB", "2013J", 11391, 700, -2, 4],
    ["BBB", "2013J", 11391, 701, 0, 1],
    ["BBB", "2013J", 11391, 701, 0, 5],
    ["BBB", "2013J", 11391, 701, 0, 1],
    ["BBB", "2013J", 30268, 702, 3, 2],
    ["BBB", "2013J", 30268, 799, 3, 2],
    ["BBB", "2013B", 31604, 700, 1, 9],
]
ASSESSMENTS = [
    ["BBB", "2013J", 1752, "TMA", 1, 10],
    ["BBB", "2013J", 1753, "CMA", 2, 20],
    ["BBB", "2013J", 1754, "TMA", "?", 20],
    ["BBB", "2013J", 1757, "Exam", 2, 100],
    ["BBB", "2013B", 1760, "TMA", 1, 10],
]
RESULTS: Rows = [
    [1752, 11391, 1, 0, 78],
    [1752, 30268, -1, 1, 66],
    [1753, 11391, 3, 0, ""],
    [1757, 11391, 2, 0, 40],
    [1760, 31604, 1, 0, 55],
]
TABLES: Mapping[str, tuple[Sequence[str], Rows]] = {
    "courses": (["code_module", "code_presentation", "module_presentation_length"], COURSES),
    "vle": (["id_site", "code_module", "code_presentation", "activity_type", "week_from", "week_to"], SITES),
    "studentRegistration": (
        ["code_module", "code_presentation", "id_student", "date_registration", "date_unregistration"],
        REGISTRATION,
    ),
    "assessments": (
        ["code_module", "code_presentation", "id_assessment", "assessment_type", "date", "weight"],
        ASSESSMENTS,
    ),
    "studentAssessment": (["id_assessment", "id_student", "date_submitted", "is_banked", "score"], RESULTS),
    "studentVle": (["code_module", "code_presentation", "id_student", "id_site", "date", "sum_click"], CLICKS),
}


@pytest.fixture
def csv_folder(tmp_path: Path) -> Path:
    for name, (columns, rows) in TABLES.items():
        write_csv(tmp_path, name, columns, rows)
    return tmp_path


@pytest.fixture
def parquet_folder(tmp_path: Path) -> Path:
    for name, (columns, rows) in TABLES.items():
        write_parquet(tmp_path / f"{name}.parquet", columns, rows)
    return tmp_path


@pytest.fixture
def partitioned_folder(parquet_folder: Path) -> Path:
    (parquet_folder / "studentVle.parquet").unlink()
    columns, rows = TABLES["studentVle"]
    for code in ("2013J", "2013B"):
        part = [row[2:] for row in rows if row[1] == code][::-1]  # in another order than the CSV file
        folder = parquet_folder / "studentVle_ds" / "code_module=BBB" / f"code_presentation={code}"
        write_parquet(folder / "part-0.parquet", columns[2:], part)
    return parquet_folder


@pytest.fixture(params=["csv_folder", "parquet_folder", "partitioned_folder"])
def folder(request: pytest.FixtureRequest) -> Path:
    return Path(request.getfixturevalue(request.param))


def term(folder: Path, presentation: Presentation = BBB, start: dt.date | None = None) -> Term:
    placed = Placed(presentation, start or presentation.start, LONDON)
    return oulad.term(placed, oulad.clicks(folder, presentation), work(folder, presentation.key))


def events(folder: Path, presentation: Presentation = BBB) -> list[Event]:
    return [event for day in term(folder, presentation).days for event in day.by_source[VLE]]


def test_presentations_come_in_order_of_their_starts(folder: Path) -> None:
    """All, or those that are named."""
    assert [found.name for found in oulad.presentations(folder)] == ["BBB/2013B", "BBB/2013J"]
    assert oulad.presentations(folder, ["BBB/2013J"]) == [BBB]
    assert [found.start for found in oulad.presentations(folder)] == [dt.date(2013, 2, 1), dt.date(2013, 10, 1)]


def test_registrations_of_one_presentation(folder: Path) -> None:
    """What is missing is None, in whatever form it is missing."""
    assert oulad.registrations(folder, BBB) == [
        Registration(11391, -159, None),
        Registration(28400, -53, -12),
        Registration(30268, 2, None),
        Registration(31604, None, 1),
    ]


def test_every_day_from_the_first_click_to_the_end(folder: Path) -> None:
    """Also those without a click."""
    found = term(folder)
    days = [(day.date.isoformat(), len(day.by_source[VLE])) for day in found.days]
    assert days == [
        ("2013-09-29", 1),
        ("2013-09-30", 0),
        ("2013-10-01", 3),
        ("2013-10-02", 0),
        ("2013-10-03", 0),
        ("2013-10-04", 2),
    ]
    assert (found.span.first_day, found.span.days) == (dt.date(2013, 9, 29), 6)


def test_a_row_becomes_an_event(folder: Path) -> None:
    """Weighted by its clicks, under the institution's names, at some time of its local day."""
    first = events(folder)[0]
    assert (first.student, first.module, first.activity, first.weight) == ("oulad-11391", "BBB-2013J", "forum", 4)
    assert first.at.startswith("2013-09-29T")
    assert first.at.endswith("+01:00")


def test_repeated_rows_are_events_of_their_own(folder: Path) -> None:
    """The same student, site and day three times is seven clicks in three events."""
    repeated = [event for event in events(folder) if event.at.startswith("2013-10-01")]
    assert sorted(event.weight for event in repeated) == [1, 1, 5]
    assert len({event.id for event in repeated}) == 3


def test_unknown_types_and_sites_are_not_guessed(folder: Path) -> None:
    """The door keeps out what the register does not declare."""
    assert {event.activity for event in events(folder) if event.student == "oulad-30268"} == {"novelty", "unknown"}


def test_all_types_of_the_dataset_are_the_registers() -> None:
    """Every type that the translation names leads to a declared activity."""
    assert set(oulad.ACTIVITIES.values()) <= set(load_register().activity)


def test_both_forms_give_the_same_bytes(csv_folder: Path) -> None:
    """In whatever order the rows stand."""
    from_csv = msgspec.json.encode(events(csv_folder))
    for name in TABLES:
        (csv_folder / f"{name}.csv").unlink()
        write_parquet(csv_folder / f"{name}.parquet", TABLES[name][0], TABLES[name][1][::-1])
    assert msgspec.json.encode(events(csv_folder)) == from_csv


def test_a_shifted_presentation_keeps_ids_and_clock_times(csv_folder: Path) -> None:
    """Only the dates move."""

    def of(start: dt.date) -> list[tuple[str, str]]:
        return [(event.id, event.at[10:19]) for day in term(csv_folder, start=start).days for event in day.events]

    assert of(dt.date(2026, 11, 3)) == of(BBB.start)


def test_places_follow_registration(csv_folder: Path) -> None:
    """From the start or the later registration; who left before the start was never there."""
    registered, found = oulad.registrations(csv_folder, BBB), oulad.clicks(csv_folder, BBB)
    university = oulad.university(Placed(BBB, BBB.start, LONDON), registered, found, Work({}), Invention())
    assert [(p.person, p.start_day.day, p.left_day and p.left_day.day) for p in university.enrolments] == [
        ("oulad-11391", 1, None),
        ("oulad-28400", 1, 1),
        ("oulad-30268", 3, None),
        ("oulad-31604", 1, 2),
    ]
    assert {place.end_day for place in university.enrolments} == {
        dt.date(2013, 10, 5)
    }  # the replay's last tick is then
    assert university.consent_from.isoformat() == "2013-09-15T00:00:00+01:00"


def test_work_is_due_and_handed_in_and_what_was_taken_over_is_neither(folder: Path) -> None:
    """Named by kind and id; exams are not handed in; due until the day ends, and late is what comes after."""
    found = work(folder, BBB.key)
    registered = oulad.registrations(folder, BBB)
    placed = Placed(BBB, BBB.start, LONDON)
    university = oulad.university(placed, registered, oulad.clicks(folder, BBB), found, Invention())
    due = {
        place.person: {piece.assessment: piece.due.isoformat() for piece in place.due}
        for place in university.enrolments
    }
    both = {"TMA-1752": "2013-10-02T23:59:59+01:00", "CMA-1753": "2013-10-03T23:59:59+01:00"}
    assert due == {
        "oulad-11391": both,
        "oulad-28400": both,
        "oulad-30268": {"CMA-1753": both["CMA-1753"]},
        "oulad-31604": both,
    }
    handed_in = [event for day in term(folder).days for event in day.by_source[ASSESSMENT]]
    assert [(e.student, e.activity, e.assessment, e.at[:10]) for e in handed_in] == [
        ("oulad-11391", "assignment", "TMA-1752", "2013-10-02"),
        ("oulad-11391", "assignment", "CMA-1753", "2013-10-04"),
    ]


def test_students_have_made_up_tutors_and_choices() -> None:
    """One tutor for fifty; a share consents, and a student says the same in every presentation."""
    registered = [Registration(number, -10, None) for number in range(1000)]
    found = oulad.Clicks({}, {})
    first = oulad.university(Placed(BBB, BBB.start, LONDON), registered, found, Work({}), Invention())
    other = Presentation("CCC", "2013B", 3)
    second = oulad.university(Placed(other, other.start, LONDON), registered, found, Work({}), Invention())
    assert len({tutor for tutor, _ in first.tutoring}) == 20
    choices = [consent.choice for consent in first.consents]
    assert 770 < choices.count("given") < 830
    assert choices.count("refused") > 60 < choices.count("undecided")
    assert first.consents == second.consents
    assert first.students == second.students


def test_an_absent_folder_table_or_presentation_is_named(csv_folder: Path) -> None:
    """With what there is instead."""
    with pytest.raises(ConfigurationError, match="is no folder"):
        oulad.presentations(csv_folder / "absent")
    with pytest.raises(ConfigurationError, match=r"No presentation XXX/2013J; there are BBB/2013B, BBB/2013J"):
        oulad.presentations(csv_folder, ["XXX/2013J"])
    (csv_folder / "studentVle.csv").unlink()
    with pytest.raises(ConfigurationError, match=r"no studentVle\.csv, studentVle\.parquet or studentVle_ds"):
        oulad.clicks(csv_folder, BBB)


def test_a_presentation_without_clicks_is_named(folder: Path) -> None:
    """An empty replay would look like a good one."""
    with pytest.raises(ConfigurationError, match="BBB/2014J"):
        oulad.clicks(folder, Presentation("BBB", "2014J", 3))


def test_a_missing_column_is_named(csv_folder: Path) -> None:
    """With the columns that there are."""
    write_csv(csv_folder, "courses", ["code_module", "length"], [["BBB", 3]])
    with pytest.raises(ConfigurationError, match=r"courses\.csv has no column code_presentation, module_pres"):
        oulad.presentations(csv_folder)


def test_a_missing_column_of_a_parquet_file_is_named(parquet_folder: Path) -> None:
    """The same as of a CSV file."""
    write_parquet(parquet_folder / "courses.parquet", ["code_module", "code_presentation"], [["BBB", "2013J"]])
    with pytest.raises(ConfigurationError, match=r"courses\.parquet has no column module_presentation_length"):
        oulad.presentations(parquet_folder)


@pytest.mark.parametrize(
    ("row", "message"),
    [
        (["BBB", "2013J", 11391, 700, "soon", 4], r"studentVle\.csv line 3: date is 'soon', which is no number"),
        (["BBB", "2013J", 11391], r"studentVle\.csv line 3 has too few columns: 3"),
        (["BBB", "2013J", 11391, 700, "?", 4], "a row of BBB/2013J lacks a value"),
    ],
)
def test_a_broken_row_is_named(csv_folder: Path, row: Sequence[Any], message: str) -> None:
    """By its file and line."""
    columns, rows = TABLES["studentVle"]
    write_csv(csv_folder, "studentVle", columns, [rows[0], row])
    with pytest.raises(ConfigurationError, match=message):
        oulad.clicks(csv_folder, BBB)


def test_a_start_that_nobody_knows_is_named() -> None:
    """Only the two kinds of presentation have a nominal date."""
    with pytest.raises(ConfigurationError, match="2013X"):
        Presentation("BBB", "2013X", 3).start  # noqa: B018 - reading it is what fails
