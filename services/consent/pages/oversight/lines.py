"""The table of coverage as lines for people: a module with one presentation is one line, not two that say the same."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import groupby
from typing import Literal

from markupsafe import Markup

from services.consent.domain.coverage import Coverage, Row, Share

_WIDTH, _HEIGHT = 56, 8


@dataclass(frozen=True, slots=True)
class Line:
    """A line of the table; `depth` is 0 for everybody and modules, more for what is part of a line above."""

    kind: Literal["everybody", "module", "presentation", "mode"]
    depth: int
    row: Row


def lines(table: Coverage) -> list[Line]:
    """All lines, in the table's order."""
    found = [Line("everybody", 0, table.everybody)]
    for _, rows in groupby(table.rows[1:], key=lambda row: row.module):
        found += _of_module(list(rows))
    return found


def bar(share: Share) -> Markup:
    """A share as a bar on a scale from nothing to all; the words stand beside it."""
    return Markup(
        '<svg class="share-bar" viewBox="0 0 {0} {1}" width="{0}" height="{1}" aria-hidden="true" focusable="false">'
        '<rect class="track" width="{0}" height="{1}" rx="2"/><rect class="bar" width="{2}" height="{1}" rx="2"/></svg>'
    ).format(_WIDTH, _HEIGHT, round(_WIDTH * share.percent / 100, 1))


def _of_module(rows: list[Row]) -> Iterator[Line]:
    alone = sum(row.start_day is not None and row.mode is None for row in rows) == 1
    for row in rows:
        if row.mode:
            yield Line("mode", 1 if alone else 2, row)
        elif row.start_day is None:
            yield Line("module", 0, row)
        elif not alone:
            yield Line("presentation", 1, row)
