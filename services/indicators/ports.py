"""What goes into a partition and what comes out of it, without a word of Kafka's clients."""

from __future__ import annotations

from dataclasses import dataclass, field

from services.kernel.dead_letters import RawRecord
from services.kernel.errors import InvalidMessage
from services.kernel.events import SupportTriggered


@dataclass(frozen=True, slots=True)
class Changes:
    """What a flush has to write: all of it or nothing. A value of None is a tombstone."""

    states: dict[str, bytes | None]
    indicators: dict[str, bytes | None]
    triggers: list[SupportTriggered]
    unreadable: list[tuple[RawRecord, InvalidMessage]]


@dataclass(slots=True)
class Pending:
    """What has changed since the last flush; `figures` says as of which moment."""

    states: set[str] = field(default_factory=set)
    figures: dict[str, int] = field(default_factory=dict)
    purged: set[str] = field(default_factory=set)
    triggers: list[SupportTriggered] = field(default_factory=list)
    unreadable: list[tuple[RawRecord, InvalidMessage]] = field(default_factory=list)

    def __bool__(self) -> bool:
        return bool(self.states or self.figures or self.purged or self.triggers or self.unreadable)
