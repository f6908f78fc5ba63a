"""What goes into a partition and what comes out of it, without a word of Kafka's clients."""

from __future__ import annotations

from dataclasses import dataclass, field

import msgspec

from services.indicators.domain.calendar import Feeds
from services.kernel.dead_letters import RawRecord
from services.kernel.errors import InvalidMessage
from services.kernel.events import CohortClosed, CohortCounted, SupportTriggered


class Position(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Where a partition stands in its log, and what of it belongs to no single student.

    Attributes:
        offset: the next to read.
        clock_ms: the last tick.
        figured_ms: the last tick at which everybody's figures were made anew.
        owing: whether not all records are published that should be.
        waiting: the Monday of the week for whose norms it waits; None where it does not wait.
        feeds: what was heard of the sources.
        register: the version by which it judged.
    """

    offset: int = 0
    clock_ms: int = 0
    figured_ms: int = 0
    owing: bool = False
    waiting: int | None = None
    feeds: Feeds = msgspec.field(default_factory=Feeds)
    register: str = ""

    @property
    def unfinished(self) -> bool:
        """Whether anything is still to be said of what was read: a week to judge, or records to publish."""
        return self.offset > 0 and (self.owing or self.waiting is not None)


@dataclass(frozen=True, slots=True)
class Changes:
    """What a flush has to write: all of it or nothing. A value of None is a tombstone.

    Attributes:
        states: by pseudonym.
        indicators: by pseudonym.
        norms: what was counted of the cohorts.
        cohorts: what is remembered of the cohorts, by the state topic's keys.
    """

    states: dict[str, bytes | None]
    indicators: dict[str, bytes | None]
    triggers: list[SupportTriggered]
    unreadable: list[tuple[RawRecord, InvalidMessage]]
    norms: list[CohortCounted | CohortClosed] = field(default_factory=list)
    cohorts: dict[bytes, bytes | None] = field(default_factory=dict)
