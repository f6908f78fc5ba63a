"""Sessions: activity without a pause of more than thirty minutes, exact whatever order the events come in.

A row's sessions are disjoint spans in ascending order, flat: begin, end, begin, end, in milliseconds. An event
lengthens a span, begins one, or joins two; the spans are those that the sorted events would give. A session across
several systems is made when it is read, by joining the spans of their rows in the same way.
"""

from __future__ import annotations

from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Sequence

import numpy as np

from services.indicators.domain.places import Floats, Ints
from services.kernel.clock import MINUTE_MS

PAUSE_MS = 30 * MINUTE_MS
MANY = 128  # numbers in a row's spans; beyond it the old ones are taken out
_APART = 1 << 43  # milliseconds, until 2248: so that places do not touch; room for a million of them


def add(spans: array[int], at_ms: int) -> None:
    """Take in an event at any place."""
    if not spans or at_ms > spans[-1] + PAUSE_MS:
        spans.append(at_ms)
        spans.append(at_ms)
        return
    if spans[-2] - PAUSE_MS <= at_ms and (not spans[:-2] or at_ms > spans[-3] + PAUSE_MS):
        # It belongs to the newest session alone, as most events do.
        spans[-2], spans[-1] = min(at_ms, spans[-2]), max(at_ms, spans[-1])
        return
    begins, ends = spans[::2], spans[1::2]
    first = bisect_left(ends, at_ms - PAUSE_MS)  # the spans that it touches are first ≤ n < last
    last = bisect_right(begins, at_ms + PAUSE_MS)
    begin, end = at_ms, at_ms
    if first < last:
        begin, end = min(at_ms, begins[first]), max(at_ms, ends[last - 1])
    spans[2 * first : 2 * last] = array("q", (begin, end))


def forget(spans: array[int], before_ms: int) -> None:
    """Take out the spans that ended before a moment."""
    del spans[: 2 * bisect_left(spans[1::2], before_ms)]


def begun_since(spans: array[int], from_ms: int) -> array[int]:
    """The spans that did not begin before a moment."""
    return spans[2 * bisect_left(spans[::2], from_ms) :]


def merged(spans: Sequence[array[int]], place: Ints, lasting: tuple[Ints, Ints], places: int) -> tuple[Ints, Floats]:
    """[places] each; how many sessions began within the spans of counting time, and their median length in minutes.

    Args:
        spans: of m rows.
        place: [m]; whose each row is.
        lasting: [d] each; begin and end of the days that count, ascending.
        places: how many there are.
    """
    flat = np.frombuffer(b"".join(spans), np.int64)
    of = np.repeat(place, [len(row) // 2 for row in spans])
    begin, end = flat[::2] + of * _APART, flat[1::2] + of * _APART
    order = np.argsort(begin, kind="stable")
    begin, end, of = begin[order], np.maximum.accumulate(end[order]), of[order]
    first = np.flatnonzero(np.append(True, begin[1:] > end[:-1] + PAUSE_MS)) if len(begin) else np.empty(0, np.int64)
    last = np.append(first[1:], len(begin))[: len(first)] - 1
    at = begin[first] - of[first] * _APART
    day = np.searchsorted(lasting[0], at, "right") - 1
    counted = (day >= 0) & (at < np.append(lasting[1], 0)[day])
    return _numbers(of[first][counted], (end[last] - begin[first])[counted], places)


def _numbers(place: Ints, lengths: Ints, places: int) -> tuple[Ints, Floats]:
    number = np.bincount(place, minlength=places)
    order = np.lexsort((lengths, place))
    ordered, some = lengths[order], number > 0
    before = (np.cumsum(number) - number)[some]
    median = np.zeros(places)
    median[some] = (ordered[before + (number[some] - 1) // 2] + ordered[before + number[some] // 2]) / 2
    return number, median / MINUTE_MS
