"""What goes into a partition and what comes out of it, without a word of Kafka's clients."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Protocol

from services.kernel.errors import InvalidMessage
from services.kernel.events import SupportTriggered


class Record(Protocol):
    """What is read of a Kafka record."""

    @property
    def offset(self) -> int: ...  # noqa: D102 - Kafka's own term
    @property
    def key(self) -> bytes | None: ...  # noqa: D102 - Kafka's own term
    @property
    def value(self) -> bytes | None: ...  # noqa: D102 - Kafka's own term


@dataclass(frozen=True, slots=True)
class Changes:
    """What a flush has to write: all of it or nothing. A value of None is a tombstone."""

    states: dict[str, bytes | None]
    indicators: dict[str, bytes | None]
    triggers: list[SupportTriggered]
    unreadable: list[tuple[Record, InvalidMessage]]


@dataclass(slots=True)
class Pending:
    """What has changed since the last flush; `figures` says as of which moment."""

    states: set[str] = field(default_factory=set)
    figures: dict[str, int] = field(default_factory=dict)
    purged: set[str] = field(default_factory=set)
    triggers: list[SupportTriggered] = field(default_factory=list)
    unreadable: list[tuple[Record, InvalidMessage]] = field(default_factory=list)

    def __bool__(self) -> bool:
        return bool(self.states or self.figures or self.purged or self.triggers or self.unreadable)
