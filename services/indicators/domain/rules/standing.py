"""What rules and levels remember of a place from one tick to the next, and its form for the shard's state."""

from __future__ import annotations

from dataclasses import dataclass

from msgspec import Struct, field

from services.indicators.domain.places import NEVER, Ints
from services.kernel.ids import deterministic_id

FRESH = (NEVER, NEVER, 0)


class Memory(Struct, array_like=True):
    """What is kept of one place, by the names of rules and indicators, so that it outlives a change of the register.

    Attributes:
        rules: by rule where there is anything: the open episode's day, the day of the last end, ticks in a row.
        levels: by indicator where it is not "none": the index in `LEVELS`.
    """

    rules: dict[str, tuple[int, int, int]] = field(default_factory=dict)
    levels: dict[str, int] = field(default_factory=dict)

    def __bool__(self) -> bool:
        """Whether there is anything to keep."""
        return bool(self.rules or self.levels)


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """How n places stand with r rules and i indicators, in the register's order.

    The arrays of one are never changed; each tick makes new ones.

    Attributes:
        episode_day: [n, r]; the day that the open episode counts from; NEVER where none is open.
        ended_day: [n, r]; on which the last one ended; NEVER where none did.
        in_a_row: [n, r]; weekly ticks for which the level has held, at most as many as the rule asks for.
        level: [n, i]; of the published figures, as an index of `LEVELS`.
    """

    episode_day: Ints
    ended_day: Ints
    in_a_row: Ints
    level: Ints


def episode_id(student: str, module: str, rule: str, episode_day: int) -> str:
    """The same for an episode's start and end, and in every replay."""
    return deterministic_id(student, module, rule, episode_day)
