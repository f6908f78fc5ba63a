"""How many students permit what, told so that nobody can be singled out (R11, R13). Pure.

Four rules, each checked by a property test:

1. A group of fewer than ten students is hidden.
2. What is left of a group when its shown parts are taken away is nobody, or ten students at least; else the smallest
   shown part is hidden too. So no total gives away a hidden group.
3. Of two groups one of which holds the other and one to nine students more, the smaller is hidden: students on several
   modules make such pairs, and the difference would be a small group.
4. A share is rounded so coarsely that at least two different counts lie behind it: it never says that everybody, or
   nobody, in a group permits something. Somebody who is undecided counts like somebody who said no; the two are not
   told apart.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from typing import Literal

from msgspec import Struct

SMALLEST = 10  # a group that is shown has as many students
_STEPS = ((50, 5), (25, 10), (SMALLEST, 25))  # from so many students on, a share is rounded to a multiple of so much
_WHOLE = 100

Key = tuple[str, ...]  # (): everybody; (module,); (module, start day); (module, start day, mode)
Groups = Mapping[Key, frozenset[str]]


@dataclass(frozen=True, slots=True)
class Place:
    """A student's place on a presentation of a module."""

    student: str
    module: str
    start_day: str
    part_time: bool


class Share(Struct, frozen=True, kw_only=True):
    """A rounded share: about, under or over so many per cent."""

    percent: int
    reads: Literal["about", "under", "over"]


class Row(Struct, frozen=True, kw_only=True):
    """One group; `students` None: hidden, and so are its shares.

    Attributes:
        module, start_day, mode: what the group is; None: whatever they are.
        shares: of its students, who permit the purpose for at least one source now, by purpose.
    """

    module: str | None = None
    start_day: str | None = None
    mode: str | None = None
    students: int | None = None
    shares: dict[str, Share] = {}


class Coverage(Struct, frozen=True, kw_only=True):
    """A whole table: everybody first, then each module with its presentations below it, in their order.

    Below a presentation stand its full-time and its part-time students, where both may be shown.
    """

    purposes: tuple[str, ...]
    rows: tuple[Row, ...]

    @property
    def everybody(self) -> Row:
        """All students who are enrolled."""
        return self.rows[0]


def tabulate(places: Iterable[Place], permitting: Mapping[str, AbstractSet[str]], purposes: Sequence[str]) -> Coverage:
    """The table of these places; `permitting` holds, by purpose, the students who permit it for a source now."""
    groups = _groups(places)
    shown = shown_groups(groups)
    rows = [
        _row(key, groups[key], permitting, purposes) if key in shown else _named(key)
        for key in sorted(groups)
        if not _is_mode(key) or (key in shown and len(groups[key]) < len(groups[key[:-1]]))
    ]
    return Coverage(purposes=tuple(purposes), rows=tuple(rows))


def shown_groups(groups: Groups) -> set[Key]:
    """The groups that may be shown; a group whose parent is hidden is hidden with it."""
    children = _children(groups)
    shown = {key for key, students in groups.items() if len(students) >= SMALLEST}
    for key in _nearly_the_same(groups, shown):
        shown.discard(key)
    for key in sorted(groups, key=len):
        if key not in shown:
            shown.difference_update(children[key])
            continue
        parts = sorted(children[key] & shown, key=lambda part: (len(groups[part]), part), reverse=True)
        while parts and 0 < len(groups[key].difference(*(groups[part] for part in parts))) < SMALLEST:
            shown.discard(parts.pop())
    return shown


def share(permitting: int, students: int) -> Share:
    """The rounded share of a group of at least ten."""
    step = next(step for least, step in _STEPS if students >= least)
    percent = step * ((2 * _WHOLE * permitting + step * students) // (2 * step * students))  # halves go up
    if percent == 0:
        return Share(percent=step, reads="under")
    if percent == _WHOLE:
        return Share(percent=_WHOLE - step, reads="over")
    return Share(percent=percent, reads="about")


def _groups(places: Iterable[Place]) -> dict[Key, frozenset[str]]:
    groups: dict[Key, set[str]] = defaultdict(set)
    groups[()] = set()
    for place in places:
        mode = "part-time" if place.part_time else "full-time"
        key = (place.module, place.start_day, mode)
        for level in range(len(key) + 1):
            groups[key[:level]].add(place.student)
    return {key: frozenset(students) for key, students in groups.items()}


def _children(groups: Groups) -> dict[Key, set[Key]]:
    children: dict[Key, set[Key]] = defaultdict(set)
    for key in groups:
        if key:
            children[key[:-1]].add(key)
    return children


def _nearly_the_same(groups: Groups, shown: AbstractSet[Key]) -> set[Key]:
    """Groups that another shown group holds, together with one to nine students more."""
    by_size = sorted(shown, key=lambda key: len(groups[key]))
    sizes = [len(groups[key]) for key in by_size]
    near = ((place, bisect_left(sizes, sizes[place] + SMALLEST)) for place in range(len(by_size)))
    return {
        by_size[place]
        for place, end in near
        if any(groups[by_size[place]] < groups[other] for other in by_size[place + 1 : end])
    }


def _row(
    key: Key, students: AbstractSet[str], permitting: Mapping[str, AbstractSet[str]], purposes: Sequence[str]
) -> Row:
    none: frozenset[str] = frozenset()
    shares = {purpose: share(len(students & permitting.get(purpose, none)), len(students)) for purpose in purposes}
    module, start_day, mode = (*key, None, None, None)[:3]
    return Row(module=module, start_day=start_day, mode=mode, students=len(students), shares=shares)


def _named(key: Key) -> Row:
    module, start_day, mode = (*key, None, None, None)[:3]
    return Row(module=module, start_day=start_day, mode=mode)


def _is_mode(key: Key) -> bool:
    return len(key) == len(("module", "start day", "mode"))
