"""The officer's pages as figures and words, without a database."""

from __future__ import annotations

from services.consent.domain.coverage import Coverage, Row, Share
from services.consent.pages.oversight.lines import Line, bar, lines

DAY, LATER = "2026-09-28", "2026-11-02"


def test_a_module_with_one_presentation_is_one_line() -> None:
    everybody, module = Row(students=90), Row(module="A", students=40)
    full, part = (Row(module="A", start_day=DAY, mode=mode, students=20) for mode in ("full-time", "part-time"))
    table = Coverage(purposes=(), rows=(everybody, module, Row(module="A", start_day=DAY, students=40), full, part))
    assert lines(table) == [
        Line("everybody", 0, everybody),
        Line("module", 0, module),
        Line("mode", 1, full),
        Line("mode", 1, part),
    ]


def test_each_of_several_presentations_has_a_line_below_its_module() -> None:
    rows = (
        Row(students=90),
        Row(module="A", students=40),
        Row(module="A", start_day=DAY, students=20),
        Row(module="A", start_day=DAY, mode="full-time", students=10),
        Row(module="A", start_day=LATER),
        Row(module="B"),
        Row(module="B", start_day=DAY),
    )
    kinds = [(line.kind, line.depth) for line in lines(Coverage(purposes=(), rows=rows))]
    assert kinds == [
        ("everybody", 0),
        ("module", 0),
        ("presentation", 1),
        ("mode", 2),
        ("presentation", 1),
        ("module", 0),
    ]


def test_a_bar_is_as_long_as_its_share() -> None:
    assert 'class="bar" width="14.0"' in bar(Share(percent=25, reads="about"))
