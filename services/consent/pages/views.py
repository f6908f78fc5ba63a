"""What the student's pages show, from the ledger and the notice: facts for the templates, which put them into words."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from zoneinfo import ZoneInfo

from services.consent.domain.decisions import Cell, ConsentEvent, Decision, Standing, State, ruling, standing
from services.consent.notices import Notice, PurposeNotice
from services.kernel.register import Purpose, Register, Source


@dataclass(frozen=True, slots=True)
class SystemView:
    """One switch: a system within a purpose, and how it stands; days are ISO local dates."""

    source: Source
    stands: Standing
    since_day: str | None
    until_day: str | None


@dataclass(frozen=True, slots=True)
class PurposeView:
    """One block of the page.

    Attributes:
        idle_for: the purpose that this one waits for, where it is permitted and the other is not.
    """

    purpose: Purpose
    told: PurposeNotice
    systems: tuple[SystemView, ...]
    idle_for: PurposeNotice | None

    def of(self, *stands: Standing) -> list[SystemView]:
        """The systems that stand so."""
        return [system for system in self.systems if system.stands in stands]

    @property
    def answer(self) -> str:
        """All in a word: yes, no, partly, ended, undecided, or open (some no, the rest undecided)."""
        words = {_WORDS[system.stands] for system in self.systems}
        return words.pop() if len(words) == 1 else "partly" if "yes" in words else _mixed(words)

    @property
    def ends_day(self) -> str | None:
        """When the first of its grants ends."""
        return min((system.until_day for system in self.of("given") if system.until_day), default=None)


@dataclass(frozen=True, slots=True)
class Said:
    """The same answer for some systems."""

    state: State
    from_ms: int
    until_ms: int | None
    sources: tuple[Source, ...]


@dataclass(frozen=True, slots=True)
class Recorded:
    """A batch of decisions about one purpose, and how the purpose stood after it."""

    then: PurposeView
    said: tuple[Said, ...]

    @property
    def added(self) -> bool:
        """Whether the student said yes to something."""
        return any(said.state == "given" for said in self.said)

    @property
    def ended(self) -> bool:
        """Whether the purpose permits nothing now."""
        return not self.then.of("given")

    @property
    def left_out(self) -> list[SystemView]:
        """The systems that the student said no to while others go on."""
        names = {source.name for said in self.said if said.state != "given" for source in said.sources}
        return [] if self.ended else [system for system in self.then.systems if system.source.name in names]


_WORDS: dict[Standing, str] = {
    "given": "yes",
    "refused": "no",
    "withdrawn": "no",
    "expired": "ended",
    "unknown": "undecided",
    "requested": "undecided",
    "invalidated": "undecided",
}


def purposes(
    register: Register, notice: Notice, history: Iterable[ConsentEvent], now_ms: int, zone: ZoneInfo
) -> list[PurposeView]:
    """Every purpose that the notice asks about, with how each of its systems stands."""
    rules = ruling(history)
    system = partial(_system, rules=rules, now_ms=now_ms, zone=zone)
    return [
        PurposeView(
            purpose=purpose,
            told=notice.purposes[purpose.name],
            systems=tuple(system(purpose, source) for source in register.sources),
            idle_for=_idle_for(purpose.name, notice, rules, now_ms),
        )
        for purpose in register.purposes
    ]


def recorded(
    register: Register, notice: Notice, history: Sequence[ConsentEvent], version: int, zone: ZoneInfo
) -> list[Recorded]:
    """What the batch of that version said, purpose by purpose; empty where there is none."""
    until_then = [event for event in history if event.version <= version]
    decisions = [event.decision for event in until_then if event.version == version]
    if not decisions:
        return []
    then = purposes(register, notice, until_then, until_then[-1].recorded_ms, zone)
    return [
        Recorded(view, _said(register, about))
        for view in then
        if (about := [decision for decision in decisions if decision.purpose == view.purpose.name])
    ]


def local_day(at_ms: int, zone: ZoneInfo) -> str:
    """The ISO local date of a moment."""
    return dt.datetime.fromtimestamp(at_ms // 1000, zone).date().isoformat()


def _said(register: Register, decisions: Sequence[Decision]) -> tuple[Said, ...]:
    """Decisions that differ in nothing but the system come together."""
    alike: dict[tuple[State, int, int | None], list[Source]] = {}
    for decision in decisions:
        source = register.source[decision.source]
        alike.setdefault((decision.state, decision.from_ms, decision.until_ms), []).append(source)
    return tuple(Said(*answer, tuple(sources)) for answer, sources in alike.items())


def _system(
    purpose: Purpose, source: Source, *, rules: Mapping[Cell, ConsentEvent], now_ms: int, zone: ZoneInfo
) -> SystemView:
    event = rules.get((purpose.name, source.name))
    if event is None:
        return SystemView(source, "unknown", None, None)
    until_ms = event.decision.until_ms
    until_day = None if until_ms is None else local_day(until_ms, zone)
    return SystemView(source, standing(event, now_ms), local_day(event.decision.from_ms, zone), until_day)


def _idle_for(purpose: str, notice: Notice, rules: Mapping[Cell, ConsentEvent], now_ms: int) -> PurposeNotice | None:
    """The purpose that this one waits for: some system permits this one, and none of those permits the other."""
    needs = notice.purposes[purpose].needs
    if needs is None:
        return None
    granted = {cell for cell, event in rules.items() if standing(event, now_ms) == "given"}
    sources = {source for of, source in granted if of == purpose}
    waits = sources and not any((needs, source) in granted for source in sources)
    return notice.purposes[needs] if waits else None


def _mixed(words: set[str]) -> str:
    return "ended" if "ended" in words else "open"
