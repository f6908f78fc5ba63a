"""What the student's pages show, from the ledger and the notice: facts for the templates, which put them into words."""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from zoneinfo import ZoneInfo

from services.consent.domain.decisions import Cell, ConsentEvent, Standing, Terms, ruling, standing
from services.consent.notices import Notice, Notices, PurposeNotice
from services.kernel.register import Purpose, Register, Source

_WORDS: dict[Standing, str] = {
    "given": "yes",
    "refused": "no",
    "withdrawn": "no",
    "expired": "ended",
    "unknown": "undecided",
    "requested": "undecided",
    "invalidated": "again",
}


@dataclass(frozen=True, slots=True)
class SystemView:
    """One switch: a system within a purpose, and how it stands; days are ISO local dates.

    Attributes:
        ends_soon: it is a yes that can be renewed.
        preset: how the switch is set because the student decided so, if at all.
        typed: how the student set it without saving it yet.
    """

    source: Source
    stands: Standing
    since_day: str | None
    until_day: str | None
    ends_soon: bool
    preset: bool | None
    typed: bool | None

    @property
    def ended_day(self) -> str | None:
        """When a yes ended, by its date or since its text changed; the record of an end says so in its beginning."""
        return self.until_day or self.since_day

    @property
    def set_to(self) -> bool | None:
        """How the page shows the switch."""
        return self.preset if self.typed is None else self.typed


@dataclass(frozen=True, slots=True)
class PurposeView:
    """One block of the page.

    Attributes:
        special: it is about a special category of data, which is asked explicitly and by itself (R4).
        idle_for: the purpose that this one waits for, where it is permitted and the other is not.
    """

    purpose: Purpose
    told: PurposeNotice
    special: bool
    systems: tuple[SystemView, ...]
    idle_for: PurposeNotice | None

    def of(self, *stands: Standing) -> list[SystemView]:
        """The systems that stand so."""
        return [system for system in self.systems if system.stands in stands]

    @property
    def answer(self) -> str:
        """All in a word: yes, no, partly, ended, again, undecided, or open (some no, the rest undecided)."""
        words = {_WORDS[system.stands] for system in self.systems}
        return words.pop() if len(words) == 1 else "partly" if "yes" in words else _mixed(words)

    @property
    def ends_day(self) -> str | None:
        """When the first of its grants ends."""
        return min((system.until_day for system in self.of("given") if system.until_day), default=None)

    @property
    def ends_soon(self) -> bool:
        """Whether some yes of it can be renewed."""
        return any(system.ends_soon for system in self.systems)


@dataclass(frozen=True, slots=True)
class Asked:
    """What students are asked: the register and the notice, in one language."""

    register: Register
    notice: Notice
    terms: Terms

    def purposes(
        self, history: Iterable[ConsentEvent], now_ms: int, typed: Mapping[Cell, bool] | None = None
    ) -> list[PurposeView]:
        """Every purpose that is asked about, with how each of its systems stands and is set."""
        rules = ruling(history)
        granted = granted_at(rules, now_ms)
        return [
            PurposeView(
                purpose=purpose,
                told=self.notice.purposes[name],
                special=name not in self.register.purpose,
                systems=tuple(
                    self._system(source, rules.get(cell), now_ms, typed=(typed or {}).get(cell))
                    for source in self.register.sources
                    if (cell := (name, source.name))
                ),
                idle_for=self.idle_for(name, granted),
            )
            for name, purpose in self.register.askable.items()
        ]

    def _system(self, source: Source, event: ConsentEvent | None, now_ms: int, *, typed: bool | None) -> SystemView:
        stands = standing(event, now_ms)
        if event is None:
            return SystemView(source, stands, None, None, ends_soon=False, preset=None, typed=typed)
        until_ms = event.decision.until_ms
        return SystemView(
            source,
            stands,
            local_day(event.decision.from_ms, self.terms.zone),
            None if until_ms is None else local_day(until_ms, self.terms.zone),
            ends_soon=self.terms.renewable(event, now_ms),
            preset=_preset(event, now_ms, self.terms),
            typed=typed,
        )

    def idle_for(self, purpose: str, granted: Collection[Cell]) -> PurposeNotice | None:
        """The purpose that this one waits for: some system permits this one, and none of those permits the other."""
        told = self.notice.purposes.get(purpose)
        sources = {source for of, source in granted if of == purpose}
        if (
            told is None
            or told.needs is None
            or not sources
            or any((told.needs, source) in granted for source in sources)
        ):
            return None
        return self.notice.purposes[told.needs]


def granted_at(rules: Mapping[Cell, ConsentEvent], now_ms: int) -> set[Cell]:
    """The cells that are permitted then."""
    return {cell for cell, event in rules.items() if standing(event, now_ms) == "given"}


def preset(history: Iterable[ConsentEvent], now_ms: int, terms: Terms) -> dict[Cell, bool]:
    """How a page made then shows the switches: as the student decided; a yes whose end is near waits to be renewed."""
    shown = {cell: _preset(event, now_ms, terms) for cell, event in ruling(history).items()}
    return {cell: yes for cell, yes in shown.items() if yes is not None}


def changes_unread(history: Sequence[ConsentEvent], notices: Notices, language: str) -> list[Notice]:
    """The newer texts that took away a yes of the student's, oldest first; none where no yes was taken away."""
    lost = {cell for cell, event in ruling(history).items() if event.decision.state == "invalidated"}
    read = [
        event.decision.notice for event in history if event.decision.cell in lost and event.decision.state == "given"
    ]
    return max((notices.changes_since(version, language) for version in read), key=len, default=[])


def local_day(at_ms: int, zone: ZoneInfo) -> str:
    """The ISO local date of a moment."""
    return dt.datetime.fromtimestamp(at_ms // 1000, zone).date().isoformat()


def _preset(event: ConsentEvent, now_ms: int, terms: Terms) -> bool | None:
    stands = standing(event, now_ms)
    if stands in {"refused", "withdrawn"}:
        return False
    return True if stands == "given" and not terms.renewable(event, now_ms) else None


def _mixed(words: set[str]) -> str:
    return next((word for word in ("again", "ended") if word in words), "open")
