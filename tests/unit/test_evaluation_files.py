"""OULAD with its outcomes: all forms give the same scores, its traps are minded, and what is wrong is named."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner, Result
from msgspec import structs

from deploy.demo.outcomes.activity import NEVER_HANDED_IN, read_activity, read_work
from deploy.demo.outcomes.evaluation import RULE, Evaluation
from deploy.demo.outcomes.places import DAY_ZERO, PlacesByDay
from deploy.demo.outcomes.students import STAYED, read_students
from services.cli import main
from services.indicators.domain.formulas import FORMULAS
from services.indicators.domain.places import NEVER
from services.kernel.errors import ConfigurationError
from services.kernel.register import load_register
from tests.support.oulad_files import STUDENTS, Rows, tables, write


def evaluate(folder: Path, *arguments: str) -> Result:
    return CliRunner().invoke(main, ["evaluate", "oulad", str(folder), *arguments])


def scores(folder: Path, *days: int, arguments: Sequence[str] = ()) -> list[dict[str, Any]]:
    chosen = [word for day in days for word in ("--day", str(day))]
    done = evaluate(folder, *chosen, "--json", *arguments)
    assert done.exit_code == 0, done.output
    found: list[dict[str, Any]] = json.loads(done.stdout)
    return found


@pytest.mark.parametrize("form", ["csv", "parquet", "partitioned"])
def test_each_form_gives_the_same_scores(tmp_path: Path, form: str) -> None:
    """The silent third is flagged after two weeks, never passes, and has the lowest index."""
    day, last = scores(write(tmp_path, tables(), form), 56, 28)
    assert (day["day"], last["day"], day["students"]) == (28, 56, STUDENTS)
    assert day["base"] == pytest.approx(14 / 40)
    assert day["rule"]["precision"] == day["rule"]["recall"] == day["index"]["auc"] == 1
    assert day["index"]["precision_at_rule_rate"] == 1
    assert day["rule"]["flagged"] == pytest.approx(14 / 40)
    assert set(day["gaps"]) == {"disability", "deprivation", "age", "gender"}
    assert set(day["gaps"]["deprivation"]["groups"]) == {"10-20%", "not known"}
    assert day["gaps"]["age"]["flag_rate"] is None  # all of one age
    assert set(day["rules"]) == set(load_register().rule)
    assert day["rules"]["days-since-last-activity"]["lead"]["days"] == 60 - 14


@pytest.mark.requirement("R7")
def test_what_group_a_student_is_in_changes_nothing_but_the_gaps(tmp_path: Path) -> None:
    """No formula, rule or index reads it."""
    made, other = tables(), tables()
    for row in other["studentInfo"][1]:
        row[3:7] = ["F", "90-100%", "55<=", "Y"]
    (one,), (same,) = (
        scores(write(make_folder(tmp_path, name), found), 28) for name, found in (("a", made), ("b", other))
    )
    assert one.pop("gaps") != same.pop("gaps")
    assert one == same


def make_folder(parent: Path, name: str) -> Path:
    (parent / name).mkdir()
    return parent / name


def test_a_person_reads_tables_and_what_they_mean(tmp_path: Path) -> None:
    done = evaluate(write(tmp_path, tables()), "--day", "28")
    assert done.exit_code == 0, done.output
    for words in ("XYZ/2099J", "final result", "deprivation"):
        assert words in done.stdout


@pytest.mark.parametrize("form", ["svg", "png"])
def test_a_plot_is_drawn_by_week(tmp_path: Path, form: str) -> None:
    file = tmp_path / f"plot.{form}"
    done = evaluate(
        write(tmp_path, tables()), "--presentation", "XYZ/2099J", "--day", "28", "--json", "--plot", str(file)
    )
    assert done.exit_code == 0, done.output
    assert [day["day"] for day in json.loads(done.stdout)] == [28]
    assert file.read_bytes()[:4] in {b"<?xm", b"\x89PNG"}


def test_a_presentation_where_nobody_is_left_says_nothing(tmp_path: Path) -> None:
    """Its only student left on day 9; what cannot be said is null, never 0."""
    (day,) = scores(write(tmp_path, tables()), 28, arguments=["--presentation", "ABC/2099B"])
    assert day["students"] == 0
    assert day["base"] is day["rule"]["flagged"] is day["index"]["auc"] is None
    assert day["presentations"]["ABC/2099B"]["index"]["precision_at_rule_rate"] is None


def by_day(folder: Path) -> PlacesByDay:
    students = read_students(folder, ["XYZ/2099J"])
    activity = read_activity(folder, students, load_register(), lambda _share: None)
    return PlacesByDay(students, activity, read_work(folder, students))


def test_places_say_what_the_files_say(tmp_path: Path) -> None:
    """Clicks before the start, a student without any, work handed in late, too late, and in time."""
    at = by_day(write(tmp_path, tables()))
    places = at.at(20)
    assert places.last_day[1] == DAY_ZERO + 19
    assert places.first_day[1] == DAY_ZERO - 5
    assert places.last_day[3] == NEVER
    assert FORMULAS["volume-7"](places).values[4] == 5 * sum(d > 13 for d in range(-5, 21, 1))
    assert FORMULAS["active-days-28"](places).values[2] == len([d for d in range(-5, 21, 3) if d > -8])
    # Of 1, 2, 4 and 7: handed in on day 19, 20, 18, 21; due on day 19.
    assert places.missing[[1, 2, 4, 7, 3]].tolist() == [0, 0, 0, 1, 1]
    assert places.late[[1, 2, 4, 7, 3]].tolist() == [0, 1, 0, 0, 0]
    assert places.arrears[[1, 2, 4, 7, 3]].tolist() == [0, 1, 0, 2, 2]
    later = at.at(59)
    assert later.due.tolist() == [0] * STUDENTS
    assert later.arrears[[7, 3]].tolist() == [1, 2]


def test_who_is_present(tmp_path: Path) -> None:
    """From registration until the day before leaving; without a day of registration from the start."""
    made = tables()
    rows = made["studentRegistration"][1]
    rows[2][3], rows[3][3], rows[4][4] = 10.0, "", 5
    at = by_day(write(tmp_path, made))
    assert [at.present(day)[:5].tolist() for day in (0, 4, 5, 10)] == [
        [True, True, False, True, True],
        [True, True, False, True, True],
        [True, True, False, True, False],
        [True, True, True, True, False],
    ]
    assert not at.present(61).any()
    assert at.students.left[4] == 5
    assert at.students.left[5] == STAYED


def test_what_need_not_be_handed_in_is_not_missing(tmp_path: Path) -> None:
    """Exams, work without a day, work carried over from another year, and work from before a student came."""
    made = tables()
    made["studentAssessment"][1].append([900, 3, -1, 1, 80])
    made["studentRegistration"][1][6][3] = 30
    work = read_work(folder := write(tmp_path, made), read_students(folder, ["XYZ/2099J"]))
    assert set(work.due.tolist()) == {19}
    assert {3, 6}.isdisjoint(work.place.tolist())
    assert work.handed_in[work.place == 9].tolist() == [NEVER_HANDED_IN]


def test_rows_that_say_too_little_are_left_out_and_counted(tmp_path: Path) -> None:
    made = tables()
    made["studentVle"][1].extend(
        [
            ["XYZ", "2099J", 1, 70, "?", 5],
            ["XYZ", "2099J", 1, 71, 3, 5],
            ["XYZ", "2099J", 1, 99, 3, 5],
            ["XYZ", "2099J", 999, 70, 3, 5],
            ["XYZ", "2098J", 1, 70, 3, 5],
        ]
    )
    made["studentInfo"][1][7][-1] = ""
    made["studentAssessment"][1].extend([["?", 1, 3, 0, 0], [900, 999, 3, 0, 0], [555, 1, 3, 0, 0]])
    at = by_day(write(tmp_path, made))
    assert len(at.students) == STUDENTS - 1
    assert at.students.notes == [
        "1 rows of studentInfo have no id or no known final_result and were left out.",
        "3 rows of studentVle lack a day, clicks or a known site and were left out.",
    ]


@pytest.mark.parametrize("form", ["csv", "parquet"])
def test_a_presentation_without_clicks_or_work_is_scored_all_the_same(tmp_path: Path, form: str) -> None:
    made = tables()
    for name in ("studentVle", "studentAssessment", "assessments"):
        made[name] = (
            made[name][0],
            [["QQQ", "2099J", *row[2:]] if name != "studentAssessment" else row for row in made[name][1]],
        )
    (day,) = scores(write(tmp_path, made, form), 28)
    assert day["rule"]["flagged"] == 1
    assert day["index"]["auc"] == 0.5


@pytest.mark.parametrize("form", ["csv", "parquet"])
@pytest.mark.parametrize("table", list(tables()))
def test_a_missing_file_or_column_is_named(tmp_path: Path, table: str, form: str) -> None:
    made = tables()
    columns, rows = made[table]
    missing = columns[-1] if table != "studentAssessment" else "is_banked"
    keep = [n for n, column in enumerate(columns) if column != missing]
    made[table] = ([columns[n] for n in keep], [[row[n] for n in keep] for row in rows])
    done = evaluate(write(tmp_path, made, form))
    assert done.exit_code == 1
    assert f"{table}.{form} has no column {missing}" in done.output.replace("\n", " ")
    (tmp_path / f"{table}.{form}").unlink()
    done = evaluate(tmp_path)
    assert done.exit_code == 1
    assert f"holds no {table}.csv" in done.output


@pytest.mark.parametrize(
    ("table", "column", "value"),
    [("studentVle", "sum_click", "many"), ("courses", "module_presentation_length", "long"),
     ("studentInfo", "id_student", "S1")],
)  # fmt: skip
def test_what_is_no_number_is_named(tmp_path: Path, table: str, column: str, value: str) -> None:
    made = tables()
    columns, rows = made[table]
    rows[0][columns.index(column)] = value
    done = evaluate(write(tmp_path, made))
    assert done.exit_code == 1
    assert f"{table}.csv cannot be read" in done.output
    assert value in done.output


@pytest.mark.parametrize(
    ("change", "arguments", "message"),
    [({}, ["--presentation", "XYZ/2014J"], "No presentation XYZ/2014J; there are ABC/2099B, XYZ/2099J"),
     ({}, ["--day", "61"], "No presentation lasts until day 61: the longest has 60 days"),
     ({}, ["--plot", "plot.gif"], "a plot is written as .svg, .png, .pdf"),
     ({}, ["--plot", "nowhere/plot.svg"], "there is no folder nowhere"),
     ({"courses": []}, [], "the table courses is empty"),
     ({"courses": [["XYZ", "2099J", "?"]]}, [], "no module_presentation_length of XYZ/2099J"),
     ({"studentInfo": []}, [], "no student with a result")],
)  # fmt: skip
def test_what_is_wrong_is_said(tmp_path: Path, change: dict[str, Rows], arguments: list[str], message: str) -> None:
    made = tables()
    done = evaluate(write(tmp_path, made | {name: (made[name][0], rows) for name, rows in change.items()}), *arguments)
    assert done.exit_code == 1
    assert message in done.output


def test_a_register_without_the_rule_is_refused(tmp_path: Path) -> None:
    register = load_register()
    bare = structs.replace(register, rules=tuple(rule for rule in register.rules if rule.name != RULE))
    with pytest.raises(ConfigurationError, match=f"no rule {RULE}"):
        Evaluation(tmp_path, (), bare)


def test_what_is_no_parquet_file_is_said(tmp_path: Path) -> None:
    write(tmp_path, tables(), "parquet")
    (tmp_path / "studentVle.parquet").write_text("not found")
    done = evaluate(tmp_path)
    assert done.exit_code == 1
    assert "studentVle.parquet is no Parquet file that can be read" in done.output


def test_numbers_may_come_as_text_in_parquet(tmp_path: Path) -> None:
    """As a file has them that was made from the CSV without types."""
    made = tables()
    columns, rows = made["studentRegistration"]
    made["studentRegistration"] = (columns, [[str(value) for value in row] for row in rows])
    folder = write(tmp_path, made, "parquet")
    assert np.array_equal(read_students(folder, ["XYZ/2099J"]).registered, [0 if n == 1 else -20 for n in range(40)])
