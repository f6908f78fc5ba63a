"""Coverage singles nobody out: not by a small group, not by a difference, not by a share that says all or none."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from fractions import Fraction
from itertools import chain, combinations, permutations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.consent.domain.coverage import (
    SMALLEST,
    Coverage,
    Key,
    Place,
    Row,
    Share,
    share,
    shown_groups,
    tabulate,
)

DAY = "2026-10-01"
ATOMS = [(module, day, part_time) for module in "AB" for day in ("2026-02-01", DAY) for part_time in (False, True)]
SIZES = st.lists(st.sampled_from([0, 1, 3, 7, 9, 10, 12, 25]), min_size=len(ATOMS), max_size=len(ATOMS))


def places(sizes: Mapping[tuple[str, str, bool], int]) -> list[Place]:
    """So many students on each place, each on one."""
    return [
        Place(f"{module} {day} {part_time} {number}", module, day, part_time)
        for (module, day, part_time), size in sizes.items()
        for number in range(size)
    ]


def on_modules(**students: Sequence[int]) -> list[Place]:
    """Students by number, each on as many modules as name them."""
    return [Place(f"{number}", module, DAY, False) for module, numbers in students.items() for number in numbers]


def row(table: Coverage, module: str | None, start_day: str | None = None, mode: str | None = None) -> Row:
    return next(r for r in table.rows if (r.module, r.start_day, r.mode) == (module, start_day, mode))


def shown_atoms(table: Coverage) -> list[tuple[list[bool], int]]:
    """Each shown row as what it sums: which of the atoms, and the figure."""
    return [
        (
            [
                r.module in {None, module}
                and r.start_day in {None, day}
                and r.mode in {None, "part-time" if part_time else "full-time"}
                for module, day, part_time in ATOMS
            ],
            r.students,
        )
        for r in table.rows
        if r.students is not None
    ]


def reduced(vectors: list[list[Fraction]]) -> list[list[Fraction]]:
    """The rows' reduced echelon form, exactly."""
    rows, done = [list(vector) for vector in vectors], 0
    for column in range(len(ATOMS)):
        pivot = next((r for r in range(done, len(rows)) if rows[r][column]), None)
        if pivot is None:
            continue
        rows[done], rows[pivot] = rows[pivot], rows[done]
        rows[done] = [value / rows[done][column] for value in rows[done]]
        for other in range(len(rows)):
            if other != done and rows[other][column]:
                factor = rows[other][column]
                rows[other] = [a - factor * b for a, b in zip(rows[other], rows[done], strict=True)]
        done += 1
    return rows[:done]


def derivable(table: Coverage) -> Iterator[set[int]]:
    """Every union of atoms whose figure follows from any sums and differences of the figures shown."""
    basis = reduced([[Fraction(within) for within in vector] for vector, _ in shown_atoms(table)])
    everything = range(len(ATOMS))
    for chosen in chain.from_iterable(combinations(everything, size) for size in range(1, len(ATOMS) + 1)):
        rest = [Fraction(atom in chosen) for atom in everything]
        for vector in basis:
            factor = rest[next(i for i, value in enumerate(vector) if value)]
            rest = [a - factor * b for a, b in zip(rest, vector, strict=True)]
        if not any(rest):
            yield set(chosen)


@pytest.mark.requirement("R13")
@given(SIZES)
def test_no_sum_or_difference_of_what_is_shown_gives_a_group_of_fewer_than_ten(sizes: list[int]) -> None:
    """Exactly: every group that follows from the shown figures by linear algebra is empty or has ten students."""
    table = tabulate(places(dict(zip(ATOMS, sizes, strict=True))), {}, ["p"])
    for group in derivable(table):
        students = sum(sizes[atom] for atom in group)
        assert students == 0 or students >= SMALLEST, table


def test_the_attack_would_find_a_table_that_gives_a_small_group_away() -> None:
    """Everybody, and all but a small module: the difference is the small module."""
    rows = (Row(students=33), Row(module="A", students=30))
    groups = list(derivable(Coverage(purposes=(), rows=rows)))
    assert {4, 5, 6, 7} in groups


@pytest.mark.requirement("R13")
@given(st.dictionaries(st.integers(0, 45), st.sets(st.sampled_from("ABCD"), max_size=4)))
def test_students_on_several_modules_make_no_small_difference(modules_of: dict[int, set[str]]) -> None:
    groups: dict[Key, frozenset[str]] = {(): frozenset(map(str, modules_of))}
    for module in "ABCD":
        groups[module,] = frozenset(str(s) for s, modules in modules_of.items() if module in modules)
    shown = shown_groups(groups)

    for one, other in permutations(shown, 2):
        if groups[one] < groups[other]:
            assert len(groups[other] - groups[one]) >= SMALLEST, (one, other)
    if () in shown:
        left = groups[()].difference(*(groups[key] for key in shown if key))
        assert not left or len(left) >= SMALLEST


def test_a_group_of_nine_is_hidden_and_named() -> None:
    table = tabulate(places({("A", DAY, False): 30, ("B", DAY, False): 9, ("C", DAY, False): 30}), {}, ["p"])
    assert row(table, "B") == Row(module="B")
    assert row(table, None).students == 69


def test_a_total_hides_the_smallest_neighbour_too() -> None:
    """69 − 30 − 30 would be the nine; now a difference is 39 at least."""
    table = tabulate(places({("A", DAY, False): 31, ("B", DAY, False): 9, ("C", DAY, False): 30}), {}, ["p"])
    assert row(table, "C").students is None
    assert row(table, "C", DAY).students is None
    assert row(table, "A").students == 31


def test_two_modules_that_differ_by_a_few_students_are_not_both_shown() -> None:
    table = tabulate(on_modules(core=range(40), option=range(37), other=range(50, 90)), {}, ["p"])
    assert [r.students for r in table.rows if r.start_day is None] == [80, 40, None, 40]


def test_modules_with_the_same_students_are_both_shown() -> None:
    table = tabulate(on_modules(core=range(40), twin=range(40)), {}, ["p"])
    assert [r.students for r in table.rows if r.start_day is None] == [40, 40, 40]


def test_nobody_is_shown_where_all_are_fewer_than_ten() -> None:
    table = tabulate(places({("A", DAY, False): 9}), {}, ["p"])
    assert [r.students for r in table.rows] == [None, None, None]


def test_full_and_part_time_stand_below_their_presentation_only_where_both_are_large() -> None:
    large = tabulate(places({("A", DAY, False): 30, ("A", DAY, True): 10}), {}, ["p"])
    small = tabulate(places({("A", DAY, False): 30, ("A", DAY, True): 9}), {}, ["p"])
    assert [(r.mode, r.students) for r in large.rows if r.mode] == [("full-time", 30), ("part-time", 10)]
    assert [r for r in small.rows if r.mode] == []
    assert row(small, "A", DAY).students == 39


@pytest.mark.requirement("R13")
def test_every_share_stands_for_several_counts_and_never_for_all_or_none() -> None:
    for students in range(SMALLEST, 260):
        behind = Counter(_key(share(permitting, students)) for permitting in range(students + 1))
        assert min(behind.values()) > 1, students


def test_a_share_is_true() -> None:
    for students in range(SMALLEST, 260):
        for permitting in range(students + 1):
            shown, percent = share(permitting, students), 100 * permitting / students
            assert shown.percent % 5 == 0
            if shown.reads == "about":
                assert abs(percent - shown.percent) <= 12.5
            else:
                assert percent < shown.percent if shown.reads == "under" else percent > shown.percent


@pytest.mark.parametrize(
    ("permitting", "students", "expected"),
    [
        (150, 300, Share(percent=50, reads="about")),
        (158, 300, Share(percent=55, reads="about")),
        (300, 300, Share(percent=95, reads="over")),
        (0, 300, Share(percent=5, reads="under")),
        (12, 30, Share(percent=40, reads="about")),
        (6, 10, Share(percent=50, reads="about")),
        (10, 10, Share(percent=75, reads="over")),
    ],
)
def test_a_share_is_rounded_the_coarser_the_smaller_the_group(permitting: int, students: int, expected: Share) -> None:
    assert share(permitting, students) == expected


def test_shares_are_of_the_purpose_and_of_the_row() -> None:
    table = tabulate(on_modules(A=range(100), B=range(100, 140)), {"p": {str(n) for n in range(50)}}, ["p", "q"])
    assert row(table, "A").shares == {"p": Share(percent=50, reads="about"), "q": Share(percent=5, reads="under")}
    assert row(table, "B").shares["p"] == Share(percent=10, reads="under")
    assert table.everybody.shares["p"] == Share(percent=35, reads="about")


def _key(shown: Share) -> tuple[str, int]:
    return shown.reads, shown.percent
