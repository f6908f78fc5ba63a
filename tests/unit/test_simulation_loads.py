"""Alerts per tutor and week of two runs, against a slow count; and what a person and a program are shown of it."""

from __future__ import annotations

import datetime as dt
import io
import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from services.cli import main
from services.indicators.domain.cohort import monday
from services.indicators.evaluation.pictures import save
from services.indicators.simulation.loads import NO_TUTOR, Alert, Loads, Pair, compare
from services.indicators.simulation.plot import draw
from services.indicators.simulation.report import as_json, as_tables
from services.kernel.clock import day_number
from tests.support.oulad_files import tables, write

MONDAY = day_number("2026-01-12")
TUTORS = {"s1": ["t1"], "s2": ["t1", "t2"], "s3": ["t2"]}
DAYS = range(MONDAY + 2, MONDAY + 30)
alerts = st.lists(
    st.builds(
        Alert, st.sampled_from(["s1", "s2", "s3", "s4"]), st.sampled_from(["a", "b"]), st.integers(DAYS[0], DAYS[-1])
    ),
    max_size=20,
)


@given(st.integers(0, 40_000))
def test_weeks_begin_on_mondays(day: int) -> None:
    date = dt.date(1970, 1, 1) + dt.timedelta(days=day)
    assert monday(day) == day - date.weekday()


@given(alerts, alerts)
def test_every_alert_is_a_load_of_each_of_the_students_tutors(present: list[Alert], proposed: list[Alert]) -> None:
    loads = compare(present, proposed, TUTORS, DAYS)
    assert list(loads.weeks) == [MONDAY + 7 * n for n in range(5)]
    for tutor in ("t1", "t2", NO_TUTOR):
        counted = [
            sum(monday(a.day) == week and tutor in TUTORS.get(a.student, [NO_TUTOR]) for a in run)
            for week in loads.weeks
            for run in (present, proposed)
        ]
        shown = loads.tutors.get(tutor, [Pair(0, 0)] * 5)
        assert [n for pair in shown for n in (pair.present, pair.proposed)] == counted
    assert sum(pair.present for pair in loads.total) == len(present)
    assert sum(pair.proposed for pair in loads.rules.values()) == len(proposed)
    before, after = {a.student for a in present}, {a.student for a in proposed}
    assert (loads.newly, loads.no_longer) == (len(after - before), len(before - after))
    assert loads.students == Pair(len(before), len(after))
    of_tutors = [pair for pairs in loads.tutors.values() for pair in pairs]
    assert loads.largest.present == max(pair.present for pair in of_tutors)


def printed(loads: Loads) -> str:
    console = Console(width=120, file=io.StringIO(), record=True)
    console.print(*as_tables(loads), sep="\n")
    return console.export_text()


def test_a_person_sees_both_numbers_by_week_and_tutor() -> None:
    loads = compare([Alert("s1", "a", DAYS[0])], [Alert("s2", "a", DAYS[0]), Alert("s9", "b", DAYS[9])], TUTORS, DAYS)
    shown = [" ".join(line.split()) for line in printed(loads).splitlines()]
    assert "Week of All (no tutor) t1 t2" in shown
    assert "2026-01-12 1 → 1 · 1 → 1 0 → 1" in shown
    assert "Students newly flagged 2" in shown
    assert "Students no longer flagged 1" in shown
    assert as_json(loads)["tutors"][NO_TUTOR][1] == {"week": "2026-01-19", "present": 0, "proposed": 1}


def test_no_name_is_taken_for_a_style() -> None:
    loads = compare([Alert("s1", "a", DAYS[0])], [], {"s1": ["[red]t1"]}, DAYS)
    assert "[red]t1" in printed(loads)


def test_of_many_tutors_those_are_shown_whose_loads_change_most() -> None:
    tutors = {f"s{n}": [f"t{n:02}"] for n in range(30)}
    loads = compare([], [Alert("s29", "a", DAYS[0])], tutors, DAYS)
    shown = printed(loads)
    assert "t29" in shown
    assert "6 more tutors, whose loads change less, are in --json." in shown
    assert len(as_json(loads)["tutors"]) == 30


def test_loads_are_drawn(tmp_path: Path) -> None:
    """The same loads give the same file; nothing at all can be drawn too."""
    loads = compare([Alert("s1", "a", DAYS[0])], [], TUTORS, DAYS)
    one, other = tmp_path / "one.svg", tmp_path / "other.svg"
    save(draw(loads), one)
    save(draw(loads), other)
    assert one.read_bytes() == other.read_bytes()
    save(draw(compare([], [], {}, DAYS)), one)


def simulate(folder: Path, changes: str, *arguments: str) -> Result:
    file = folder / "changes.toml"
    file.write_text(changes)
    chosen = ("--oulad", str(folder), "--presentation", "XYZ/2013J")
    return CliRunner().invoke(main, ["simulate", "--thresholds", str(file), *chosen, *arguments])


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = {
        name: (columns, [[{"2099J": "2013J"}.get(value, value) for value in row] for row in rows])
        for name, (columns, rows) in tables().items()
    }
    return write(tmp_path, made)


def test_earlier_alerts_are_seen_a_week_before(folder: Path) -> None:
    """Fourteen silent students: alerts in the third week of October; with eight days' patience in the second."""
    done = simulate(folder, '[[indicators]]\nname = "days-since-last-activity"\nalert = 8', "--json")
    assert done.exit_code == 0, done.output
    found = json.loads(done.stdout)
    weeks = {week["week"]: (week["present"], week["proposed"]) for week in found["weeks"]}
    assert found["rules"]["days-since-last-activity"]["present"] == 14
    assert weeks["2013-10-07"][1] - weeks["2013-10-07"][0] >= 14
    assert list(found["tutors"]) == ["xyz-2013j-01"]
    assert found["newly_flagged"] == found["no_longer_flagged"] == 0


def test_what_is_not_understood_is_said(folder: Path) -> None:
    done = simulate(folder, "[[indicators]]\nname = 'days-since-last-activity'\nalert = 'soon'")
    assert done.exit_code == 1
    assert "changes.toml" in done.output
    assert simulate(folder, "[[purposes]]\nname = 'x'").exit_code == 1
