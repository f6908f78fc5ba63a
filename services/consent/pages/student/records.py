"""What was recorded, batch by batch, in words that hold for purposes and systems long gone from the register too."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby

from services.consent.domain.decisions import ConsentEvent, Decision, State, ruling
from services.consent.notices import Notices, PurposeNotice
from services.consent.pages.student.views import Asked, granted_at


@dataclass(frozen=True, slots=True)
class Said:
    """The same answer for some systems, by their titles."""

    state: State
    systems: tuple[str, ...]
    from_ms: int
    until_ms: int | None


@dataclass(frozen=True, slots=True)
class About:
    """What a batch said about one purpose.

    Attributes:
        told: what the student is told about it now, or was told then; None where no text speaks of it.
        goes_on: the titles of the systems that it is permitted for after the batch.
        idle_for: the purpose that it waits for, where it is permitted and that one is not.
    """

    purpose: str
    told: PurposeNotice | None
    said: tuple[Said, ...]
    goes_on: tuple[str, ...]
    idle_for: PurposeNotice | None

    @property
    def question(self) -> str:
        """What was asked."""
        return self.told.question if self.told else self.purpose

    @property
    def added(self) -> bool:
        """Whether something is permitted that was not."""
        return any(said.state == "given" for said in self.said)

    @property
    def left_out(self) -> list[str]:
        """The systems that are left out from then on, while others go on."""
        gone = (title for said in self.said if said.state != "given" for title in said.systems)
        return [title for title in gone if title not in self.goes_on] if self.goes_on else []


@dataclass(frozen=True, slots=True)
class Record:
    """A batch: all that was recorded at once, and how it came; `decision` is its first."""

    version: int
    recorded_ms: int
    decision: Decision
    about: tuple[About, ...]

    @property
    def states(self) -> set[State]:
        """What it said."""
        return {said.state for about in self.about for said in about.said}

    @property
    def only_ends(self) -> bool:
        """Whether it permits nothing new."""
        return "given" not in self.states


class Records:
    """A student's history as batches, in the words of what is asked now."""

    def __init__(self, history: Sequence[ConsentEvent], asked: Asked, notices: Notices) -> None:
        self._history, self._asked, self._notices = history, asked, notices

    def newest_first(self) -> list[Record]:
        """All of them."""
        versions = (list(batch) for _, batch in groupby(self._history, lambda event: event.version))
        return [self._record(batch) for batch in versions][::-1]

    def of(self, version: int) -> Record | None:
        """The batch of that version."""
        batch = [event for event in self._history if event.version == version]
        return self._record(batch) if batch else None

    def _record(self, batch: Sequence[ConsentEvent]) -> Record:
        first, decisions = batch[0], [event.decision for event in batch]
        order = list(self._asked.register.askable)
        purposes = sorted(
            dict.fromkeys(decision.purpose for decision in decisions),
            key=lambda name: order.index(name) if name in order else len(order),
        )
        return Record(
            first.version,
            first.recorded_ms,
            first.decision,
            tuple(self._about(name, [d for d in decisions if d.purpose == name], first) for name in purposes),
        )

    def _about(self, purpose: str, decisions: Sequence[Decision], first: ConsentEvent) -> About:
        rules = ruling(event for event in self._history if event.version <= first.version)
        granted = granted_at(rules, first.recorded_ms)
        goes_on = tuple(self.title(source) for of, source in rules if (of, source) in granted and of == purpose)
        alike: dict[tuple[State, int, int | None], list[str]] = {}
        for decision in decisions:
            key = (decision.state, decision.from_ms, decision.until_ms)
            alike.setdefault(key, []).append(self.title(decision.source))
        said = tuple(
            Said(state, tuple(systems), from_ms, until_ms) for (state, from_ms, until_ms), systems in alike.items()
        )
        return About(purpose, self._told(decisions[0]), said, goes_on, self._asked.idle_for(purpose, granted))

    def title(self, source: str) -> str:
        """A system in the register's words; its name where the register dropped it."""
        declared = self._asked.register.source.get(source)
        return declared.title if declared else source

    def _told(self, decision: Decision) -> PurposeNotice | None:
        """What the text in force says of the purpose, else what the student's own text said."""
        now = self._asked.notice.purposes.get(decision.purpose)
        key = (decision.notice, decision.language)
        then = self._notices.of(*key).purposes if key in self._notices.known else {}
        return now or then.get(decision.purpose)
