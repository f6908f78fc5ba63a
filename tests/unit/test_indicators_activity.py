"""The columns of a partition: rings of days, sessions, due work, the persisted form and the one before it."""

from __future__ import annotations

from array import array
from collections import defaultdict

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.indicators.domain.activity.sessions import PAUSE_MS, add, forget, merged
from services.indicators.domain.activity.state import (
    DayRows,
    StudentState,
    WindowRow,
    decode_state,
    encode_state,
    packed_ids,
    packed_spans,
    unpacked_ids,
    unpacked_spans,
)
from services.indicators.domain.activity.windows import (
    AHEAD_DAYS,
    MOST,
    OTHER_KIND,
    RING_DAYS,
    SLACK_DAYS,
    Windows,
    first_day_as_of,
    kind_bits,
)
from services.indicators.domain.formulas import FORMULAS, check_declared
from services.indicators.domain.places import HISTORY_DAYS
from services.kernel.errors import ConfigurationError
from services.kernel.register import Register, load_register

REGISTER = load_register()
TODAY = 20_000
DAY_MS, MINUTE_MS = 86_400_000, 60_000


def window(windows: Windows, day: int = TODAY) -> int:
    """A row that was begun on the day."""
    return windows.begin(0, day, array("q", (0, 0)))


@given(st.lists(st.tuples(st.integers(0, 80), st.integers(-10, AHEAD_DAYS), st.integers(1, 50)), max_size=80))
def test_a_ring_tells_what_a_dictionary_tells(events: list[tuple[int, int, int]]) -> None:
    """While days pass, events of a few days back and ahead are held as long as anything looks back at them."""
    windows = Windows()
    truth: dict[int, int] = defaultdict(int)
    windows.advance(TODAY)
    row = window(windows)
    today = TODAY
    for later, offset, weight in sorted(events):
        today = TODAY + later
        windows.advance(today)
        windows.count(row, today + offset, weight, 1)
        truth[today + offset] += weight
    back = windows.days("first", np.array([row]), today)[0].tolist()
    assert back == [truth[today - day] for day in range(HISTORY_DAYS)]


def test_a_ring_grows_and_gives_rows_again() -> None:
    """Rows keep what they hold while the table grows; a row that was freed comes back empty."""
    windows = Windows()
    windows.advance(TODAY)
    rows = [window(windows) for _ in range(1000)]
    for row in rows:
        windows.count(row, TODAY, row + 1, 2)
    windows.free(rows[7])
    again = window(windows)
    assert again == rows[7]
    days = windows.days("first", np.array(rows), TODAY)[:, 0]
    assert days.tolist() == [0 if row == again else row + 1 for row in rows]
    assert windows.size == 1000


def test_days_far_outside_move_the_first_and_last_day_only() -> None:
    windows = Windows()
    windows.advance(TODAY)
    row = window(windows)
    windows.count(row, TODAY - 200, 1, 1)
    assert (windows.first_day[row], windows.last_day[row]) == (TODAY - 200, TODAY)
    assert not windows["first"][row].any()


def test_a_days_sum_of_weights_has_a_most() -> None:
    windows = Windows()
    windows.advance(TODAY)
    row = window(windows)
    windows.count(row, TODAY, MOST, 1)
    windows.count(row, TODAY, 100_000, 1)
    assert windows.days("first", np.array([row]), TODAY)[0, 0] == MOST


@pytest.mark.parametrize("passed", range(SLACK_DAYS + 1))
def test_what_is_written_does_not_depend_on_when(passed: int) -> None:
    """As of the day of the last change a row is the same however many days, up to the slack, have passed since."""
    windows = Windows()
    windows.advance(TODAY)
    row = window(windows)
    for day in range(TODAY - HISTORY_DAYS + 1, TODAY + AHEAD_DAYS + 1):
        windows.count(row, day, day - TODAY + 100, 1)
    windows.advance(TODAY + passed)
    days = windows.as_of("first", np.array([row]), np.array([TODAY]))[0]
    first = int(first_day_as_of(np.array([TODAY]))[0])
    held = {first + n: value for n, value in enumerate(days.tolist()) if value}
    assert held == {day: day - TODAY + 100 for day in range(TODAY - HISTORY_DAYS + 1, TODAY + AHEAD_DAYS + 1)}
    assert len(days) == RING_DAYS


def test_each_type_of_activity_has_its_bit() -> None:
    bits = kind_bits(f"kind-{n}" for n in range(40))
    assert len({bits[f"kind-{n}"] for n in range(31)}) == 31
    assert bits["kind-39"] == OTHER_KIND


moments = st.lists(st.integers(0, 48 * 60).map(lambda minute: minute * MINUTE_MS), min_size=1, max_size=40)


def clusters(at_ms: list[int]) -> list[tuple[int, int]]:
    """The sessions of events, the slow way."""
    found: list[tuple[int, int]] = []
    for moment in sorted(at_ms):
        if found and moment - found[-1][1] <= PAUSE_MS:
            found[-1] = found[-1][0], moment
        else:
            found.append((moment, moment))
    return found


def spans_of(at_ms: list[int]) -> array[int]:
    """The sessions of events that come one by one, in this order."""
    spans = array("q")
    for moment in at_ms:
        add(spans, moment)
    return spans


@given(moments)
def test_any_order_gives_the_sessions_of_the_sorted_events(at_ms: list[int]) -> None:
    spans = spans_of(at_ms)
    assert list(zip(spans[::2], spans[1::2], strict=True)) == clusters(at_ms)


@given(moments, moments, moments)
def test_sessions_of_several_systems_are_those_of_all_events(one: list[int], two: list[int], other: list[int]) -> None:
    """Two rows of one place are read as one, and a row of another place is not mixed in."""
    day = np.array([0]), np.array([10 * DAY_MS])
    rows = [spans_of(one), spans_of(two), spans_of(other)]
    number, minutes = merged(rows, np.array([0, 0, 1]), day, 3)
    for place, at_ms in enumerate((one + two, other)):
        lengths = [end - begin for begin, end in clusters(at_ms)]
        assert number[place] == len(lengths)
        assert minutes[place] == pytest.approx(float(np.median(lengths)) / MINUTE_MS)
    assert (number[2], minutes[2]) == (0, 0)


def test_only_sessions_that_began_on_counting_days_are_told() -> None:
    """A session belongs to the day on which it began; days that do not count may lie between."""
    spans = spans_of([at * DAY_MS for at in range(6)])
    days = np.array([1, 3, 4]) * DAY_MS, np.array([2, 4, 5]) * DAY_MS
    assert merged([spans], np.array([0]), days, 1)[0].tolist() == [3]


def test_no_rows_have_no_sessions() -> None:
    number, minutes = merged([], np.empty(0, np.int64), (np.array([0]), np.array([1])), 2)
    assert number.tolist() == minutes.tolist() == [0, 0]


@given(moments, st.integers(0, 48 * 60))
def test_old_sessions_are_forgotten_whole(at_ms: list[int], minute: int) -> None:
    """In memory and in what is written alike: those that ended before the moment."""
    spans, before_ms = spans_of(at_ms), minute * MINUTE_MS
    kept = [number for begin, end in clusters(at_ms) if end >= before_ms for number in (begin, end)]
    assert unpacked_spans(packed_spans(spans, before_ms)).tolist() == kept
    forget(spans, before_ms)
    assert spans.tolist() == kept


@given(st.dictionaries(st.binary(min_size=8, max_size=8), st.integers(TODAY - 3, TODAY)))
def test_ids_survive_their_packing_while_their_days_are_open(seen: dict[bytes, int]) -> None:
    unpacked = unpacked_ids(*packed_ids(seen, TODAY - 1))
    assert unpacked == {half: day for half, day in seen.items() if day >= TODAY - 1}
    assert list(unpacked) == sorted(unpacked)


def half(number: int) -> bytes:
    """Half of an id."""
    return number.to_bytes(8)


def test_a_state_survives_its_encoding() -> None:
    """What a shard writes is what the next one reads, byte for byte."""
    days = DayRows.of(np.array([TODAY, TODAY + 1]), np.array([1, MOST]), np.array([OTHER_KIND, 3]))
    state = StudentState(
        changed_ms=1, granted={"vle": 2}, windows=[WindowRow("M", "vle", TODAY, TODAY + 1, days, b"")],
        seen=packed_ids({b"12345678": TODAY}, TODAY),
    )  # fmt: skip
    encoded = encode_state(state)
    assert decode_state(encoded) == state
    assert encode_state(decode_state(encoded)) == encoded
    assert [column.tolist() for column in days.columns()] == [[TODAY, TODAY + 1], [1, MOST], [OTHER_KIND, 3]]


def test_the_form_of_the_release_before_is_read() -> None:
    """Its days, last day, episodes, grants and ids are taken over; it is told apart by its first element."""
    modules = {
        "M": ({"vle": (TODAY, {TODAY: 3, TODAY - 9: 2}), "library": (TODAY - 90, {})}, {"silent": ("id", TODAY)})
    }
    old = msgspec.msgpack.encode(({"vle": 7}, modules, {11: TODAY, 12: TODAY - 1, 13: TODAY}, TODAY - 2, True))
    state = decode_state(old)
    assert state.granted == state.told == {"vle": 7}
    library, vle = state.windows
    assert (library.first_day, library.last_day, library.days.columns()[0].tolist()) == (TODAY - 90, TODAY - 90, [])
    assert (vle.source, vle.first_day, vle.last_day) == ("vle", TODAY - 9, TODAY)
    assert [column.tolist() for column in vle.days.columns()] == [[TODAY - 9, TODAY], [2, 3], [0, 0]]
    assert state.places[0].memory.rules == {"silent": (TODAY, -1, 0)}
    assert unpacked_ids(*state.seen) == {half(11): TODAY, half(12): TODAY - 1, half(13): TODAY}
    assert decode_state(encode_state(state)) == state


def test_bytes_of_neither_form_are_an_error() -> None:
    with pytest.raises(msgspec.MsgspecError):
        decode_state(b"\x93\x01\x02\x03")


@pytest.mark.requirement("R8")
def test_undeclared_formula_stops_the_start() -> None:
    """The register and the formulas must name the same indicators."""
    missing = Register(
        **{name: getattr(REGISTER, name) for name in Register.__struct_fields__ if name != "indicators"},
        indicators=REGISTER.indicators[1:],
    )
    with pytest.raises(ConfigurationError, match="undeclared: days-since-last-activity"):
        check_declared(missing)
    assert set(FORMULAS) <= set(REGISTER.indicator)
