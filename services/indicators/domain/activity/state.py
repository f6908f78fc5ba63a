"""The persisted form of what a shard remembers of a student, and the form of the release before, which is still read.

MessagePack arrays, deterministic to the byte: rows in the order of their names, ids in ascending order, and of the days
just those that anything may look back at from the student's last change on. Columns of numbers are little-endian bytes.
"""

from __future__ import annotations

from array import array
from bisect import bisect_left
from collections.abc import Mapping, Sequence
from itertools import pairwise

import msgspec
import numpy as np
from msgspec import Struct, field

from services.indicators.domain.places import NEVER, Ints
from services.indicators.domain.rules import Memory

FORM = 2  # the first element; that of the form before is no number
_DAYS, _SUMS, _MOMENTS = "<u2", "<u4", "<i8"
_ID_BYTES = 8  # half of an id


class DayRows(Struct, array_like=True):
    """Two numbers for each day on which any of them is not 0, ascending."""

    days: bytes = b""
    first: bytes = b""
    second: bytes = b""

    @classmethod
    def of(cls, days: Ints, first: Ints, second: Ints) -> DayRows:
        """The packed form of three columns."""
        return cls.cut(days, first, second, [0, len(days)])[0]

    @classmethod
    def cut(cls, days: Ints, first: Ints, second: Ints, borders: Sequence[int]) -> list[DayRows]:
        """The packed forms of three columns that are many rows' end to end, cut at these borders."""
        numbers = days.astype(_DAYS).tobytes()
        firsts, seconds = first.astype(_SUMS).tobytes(), second.astype(_SUMS).tobytes()
        return [
            cls(numbers[2 * begin : 2 * end], firsts[4 * begin : 4 * end], seconds[4 * begin : 4 * end])
            for begin, end in pairwise(borders)
        ]

    @property
    def number(self) -> int:
        """How many days."""
        return len(self.days) // 2

    def columns(self) -> tuple[Ints, Ints, Ints]:
        """The three columns."""
        packed = ((self.days, _DAYS), (self.first, _SUMS), (self.second, _SUMS))
        days, first, second = (np.frombuffer(raw, kind).astype(np.int64) for raw, kind in packed)
        return days, first, second


class WindowRow(Struct, array_like=True):
    """One source's part in a module; `spans` are its recent sessions."""

    module: str
    source: str
    first_day: int
    last_day: int
    days: DayRows
    spans: bytes = b""


class MarkRow(Struct, array_like=True):
    """Marks of a source that marks attendance: attended and absent by day."""

    module: str
    source: str
    days: DayRows


class PlaceRow(Struct, array_like=True):
    """What is remembered of a place: how its rules and levels stand, and its comparison with the module."""

    module: str
    memory: Memory
    stands: list[float | None] = field(default_factory=list)


class StudentState(Struct, array_like=True):
    """All that a shard keeps about a student.

    Attributes:
        form: says that this is the form.
        changed_ms: the clock at the last change; the figures are as of then, or of the last tick that was for all.
        granted: from when on each source's grant runs, in milliseconds; a later start means a new grant.
        windows, marks, places: by module and source.
        handed: by module, when each piece of work was first handed in.
        seen: halves of the ids of events of days that are open to late ones, and those days.
        told: as `granted`, of the tutor's grants that what rules remember rests on.
        version: of the consent.
    """

    form: int = FORM
    changed_ms: int = 0
    granted: dict[str, int] = field(default_factory=dict)
    windows: list[WindowRow] = field(default_factory=list)
    marks: list[MarkRow] = field(default_factory=list)
    places: list[PlaceRow] = field(default_factory=list)
    handed: dict[str, dict[str, int]] = field(default_factory=dict)
    seen: tuple[bytes, bytes] = (b"", b"")
    told: dict[str, int] = field(default_factory=dict)
    version: int = 0


class _Window1(Struct, array_like=True):
    last_day: int
    days: dict[int, int] = field(default_factory=dict)


class _Module1(Struct, array_like=True):
    sources: dict[str, _Window1] = field(default_factory=dict)
    episodes: dict[str, tuple[str, int]] = field(default_factory=dict)


class _State1(Struct, array_like=True):
    granted: dict[str, int] = field(default_factory=dict)
    modules: dict[str, _Module1] = field(default_factory=dict)
    seen: dict[int, int] = field(default_factory=dict)
    open_day: int = 0
    published: bool = False


_encode = msgspec.msgpack.Encoder(order="deterministic").encode
_decode = msgspec.msgpack.Decoder(StudentState).decode
_decode_1 = msgspec.msgpack.Decoder(_State1).decode


def encode_state(state: StudentState) -> bytes:
    """The bytes to keep."""
    return _encode(state)


def decode_state(raw: bytes) -> StudentState:
    """What the bytes hold, whichever release wrote them.

    Raises:
        msgspec.MsgspecError: they are of neither form.
    """
    return _decode(raw) if raw[1:2] == bytes([FORM]) else _from_1(_decode_1(raw))


def packed_ids(seen: Mapping[bytes, int], open_day: int) -> tuple[bytes, bytes]:
    """The ids' halves in ascending order, and their days; those of days before `open_day` are left out."""
    ids = sorted([half for half, day in seen.items() if day >= open_day])
    return b"".join(ids), np.array([seen[half] for half in ids], _DAYS).tobytes()


def unpacked_ids(raw: bytes, days: bytes) -> dict[bytes, int]:
    """The days by the ids' halves."""
    ids = (raw[at : at + _ID_BYTES] for at in range(0, len(raw), _ID_BYTES))
    return dict(zip(ids, np.frombuffer(days, _DAYS).tolist(), strict=True))


def packed_spans(spans: array[int], from_ms: int) -> bytes:
    """The sessions that had not ended by a moment."""
    if len(spans) > 1 and spans[1] >= from_ms:
        return spans.tobytes()
    return spans[2 * bisect_left(spans[1::2], from_ms) :].tobytes()


def unpacked_spans(raw: bytes) -> array[int]:
    """The sessions."""
    return array("q", np.frombuffer(raw, _MOMENTS).tolist())


def _from_1(old: _State1) -> StudentState:
    """The form of the release before knew neither types of activity nor sessions; both begin with the next events.

    Its first day of activity is taken for the first that it remembers. Under which of the tutor's grants its episodes
    began it does not say: no older ones than those for computing, so what the tutor was told of later begins again.
    """
    state = StudentState(granted=old.granted)
    for module, known in sorted(old.modules.items()):
        state.windows += [_window_from_1(module, source, window) for source, window in sorted(known.sources.items())]
        if known.episodes:
            memory = Memory({rule: (day, NEVER, 0) for rule, (_, day) in known.episodes.items()})
            state.places.append(PlaceRow(module, memory))
    if state.places:
        state.told = old.granted
    state.seen = packed_ids({half.to_bytes(_ID_BYTES): day for half, day in old.seen.items()}, 0)
    return state


def _window_from_1(module: str, source: str, window: _Window1) -> WindowRow:
    days, sums = np.array(sorted(window.days.items()), np.int64).reshape(-1, 2).T
    rows = DayRows.of(days, np.minimum(sums, (1 << 32) - 1), np.zeros_like(days))
    return WindowRow(module, source, min(window.days, default=window.last_day), window.last_day, rows)
