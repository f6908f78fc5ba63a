"""A student's rolling state: what a shard remembers, and how one event changes it.

A day is a number, local days since 1970-01-01. Per module and source there is a small map from day to the sum of
weights: sparse, since most students are active on few days. Only counting an event forgets old days, and only by the
clock at that event, so the state depends on the order of the log and on nothing else, such as when it was flushed.
"""

from __future__ import annotations

import msgspec
from msgspec import Struct, field

from services.kernel.errors import InvalidMessage
from services.kernel.events import ActivityRecorded

HISTORY_DAYS = 56  # eight weeks, the longest look back that anything shows


class SourceWindow(Struct, array_like=True):
    """One source's part in a module: the last active day (kept for good), and recent days' sums of weights."""

    last_day: int
    days: dict[int, int] = field(default_factory=dict)


class Episode(Struct, array_like=True):
    """A span in which a rule holds, named by the day that it counts from."""

    id: str
    episode_day: int


class ModuleWindows(Struct, array_like=True):
    """A student's activity on one module by source, and the open episodes by rule."""

    sources: dict[str, SourceWindow] = field(default_factory=dict)
    episodes: dict[str, Episode] = field(default_factory=dict)


class StudentState(Struct, array_like=True):
    """All that a shard keeps about a student.

    Attributes:
        granted: from when on each source's grant runs, in milliseconds; a later start means a new grant.
        seen: halves of the ids of events, with their days, while those are open to late events.
        open_day: the first day that was open when an event was last counted.
        published: whether the indicators topic has a record of the student.
    """

    granted: dict[str, int] = field(default_factory=dict)
    modules: dict[str, ModuleWindows] = field(default_factory=dict)
    seen: dict[int, int] = field(default_factory=dict)
    open_day: int = 0
    published: bool = False


encode_state = msgspec.msgpack.Encoder().encode  # dictionaries keep the order of the log
decode_state = msgspec.msgpack.Decoder(StudentState).decode


def count(state: StudentState, event: ActivityRecorded, day: int, first_open_day: int) -> str:
    """Count one permitted event that is not too late; gives the outcome: counted, duplicate or not-qualifying.

    Args:
        state: changed in place.
        event: what happened.
        day: the event's local day.
        first_open_day: days before it take no more events.

    Raises:
        InvalidMessage: the event's id is not hexadecimal.
    """
    if _seen_before(state, event.id, day, first_open_day):
        return "duplicate"
    if not event.qualifying:
        return "not-qualifying"
    module = state.modules.get(event.module)
    if module is None:
        module = state.modules[event.module] = ModuleWindows()
    window = module.sources.get(event.source)
    if window is None:
        window = module.sources[event.source] = SourceWindow(day)
    window.last_day = max(window.last_day, day)
    window.days[day] = window.days.get(day, 0) + event.weight
    if len(window.days) > HISTORY_DAYS:
        for old in [d for d in window.days if d <= window.last_day - HISTORY_DAYS]:
            del window.days[old]
    return "counted"


def drop_source(state: StudentState, source: str) -> None:
    """Forget everything that came from a source: its grant ended or began anew."""
    state.granted.pop(source, None)
    for module in state.modules.values():
        module.sources.pop(source, None)


def _seen_before(state: StudentState, event_id: str, day: int, first_open_day: int) -> bool:
    if first_open_day > state.open_day:
        state.open_day = first_open_day
        state.seen = {half: seen_day for half, seen_day in state.seen.items() if seen_day >= first_open_day}
    try:
        half = int(event_id[:16], 16)
    except ValueError as error:
        raise InvalidMessage("not-the-contract", "an event's id must be hexadecimal") from error
    if half in state.seen:
        return True
    state.seen[half] = day
    return False
