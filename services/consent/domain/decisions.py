"""What decisions mean: from a student's history to what they permit now. Pure; time is an argument.

A *cell* is one purpose × one source, and each is decided for itself. A cell without a decision is *unknown*, which is
not *refused*: nobody was asked, or nobody answered. The latest decision of a cell rules it; *requested* is none, it
says only that the student was asked.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal
from zoneinfo import ZoneInfo

from services.kernel.clock import DAY_MS
from services.kernel.events import ConsentStateChanged, Grant

State = Literal["requested", "given", "refused", "withdrawn", "expired", "invalidated"]
Standing = Literal["unknown", "requested", "given", "refused", "withdrawn", "expired", "invalidated"]
Channel = Literal["portal", "registration", "staff-assisted", "life-cycle"]
Cell = tuple[str, str]  # purpose, source


@dataclass(frozen=True, slots=True)
class Via:
    """How decisions came: through which channel, by whom, and for which of the student's requests; see `Decision`."""

    channel: Channel
    actor: str = "student"
    request: str | None = None

    def of(self, decision: Decision) -> Decision:
        """The same decision, come this way."""
        return replace(decision, channel=self.channel, actor=self.actor, request=self.request)


PORTAL = Via("portal")


@dataclass(frozen=True, slots=True)
class Decision:
    """What a student said about a cell, and what they had been told.

    Attributes:
        from_ms: from when it counts; of a grant, the earliest event that it covers.
        until_ms: of a grant, the first moment that it no longer covers; None of anything else.
        notice, language: the text that the student was shown.
        actor: who recorded it: "student", "registrar", "signpost" (the life cycle), or a staff member's pseudonym.
        request: the id of the student's request that a staff-assisted decision answers.
    """

    purpose: str
    source: str
    state: State
    from_ms: int
    until_ms: int | None
    notice: str
    language: str
    channel: Channel
    actor: str = "student"
    request: str | None = None

    @property
    def cell(self) -> Cell:
        """What it is about."""
        return self.purpose, self.source


@dataclass(frozen=True, slots=True)
class ConsentEvent:
    """A decision as the ledger holds it.

    Attributes:
        version: the student's; it grows by one with each batch of decisions.
        position: within the batch, from 0.
        sequence: its place in the whole ledger, from 1; 0 before the ledger took it.
        digest: seals it to the student's events before it; empty before the ledger took it.
    """

    student: str
    version: int
    position: int
    recorded_ms: int
    decision: Decision
    sequence: int = 0
    digest: str = ""

    @property
    def made_ms(self) -> int:
        """When the student said so: a grant that begins later was said when it was recorded."""
        return min(self.decision.from_ms, self.recorded_ms)


@dataclass(frozen=True, slots=True)
class Terms:
    """How long a yes holds: a calendar year in `zone`, and it can be renewed in the last `renewal_days` before.

    Attributes:
        special: the purposes of special categories whose benefit the register approves; a yes to others is none.
    """

    zone: ZoneInfo
    renewal_days: int
    special: frozenset[str] = frozenset()

    def renewable(self, event: ConsentEvent | None, now_ms: int) -> bool:
        """Whether that is a grant whose end is near."""
        until_ms = event.decision.until_ms if event else None
        return until_ms is not None and now_ms < until_ms <= now_ms + self.renewal_days * DAY_MS


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a batch of decisions comes to.

    Attributes:
        recorded: new events, all of one version; none when nothing changes.
        unchanged: decisions that the history holds already.
        overtaken: decisions older than what the student has said since.
    """

    recorded: tuple[ConsentEvent, ...]
    unchanged: int
    overtaken: int


def ruling(history: Iterable[ConsentEvent]) -> dict[Cell, ConsentEvent]:
    """The event that rules each cell: the latest decision, or a request where there is none.

    Cells that nobody was asked about are not in it.
    """
    rules: dict[Cell, ConsentEvent] = {}
    for event in history:
        _take(event, rules)
    return rules


def standing(event: ConsentEvent | None, now_ms: int) -> Standing:
    """How a cell stands, in a word, given the event that rules it."""
    if event is None:
        return "unknown"
    until_ms = event.decision.until_ms
    return "expired" if until_ms is not None and until_ms <= now_ms else event.decision.state


def decide(student: str, history: Sequence[ConsentEvent], decisions: Iterable[Decision], now_ms: int) -> Outcome:
    """Add decisions to a history (oldest first), each once, in the order in which they count.

    The same decision again changes nothing, whatever was said since. One from registration that is older than what
    the student has said since, or than a change of the notice, is overtaken: a late import never undoes a withdrawal.
    So is a yes that begins later where the student has spoken otherwise: it does not tell when it was said.
    """
    version = history[-1].version + 1 if history else 1
    known = {event.decision for event in history}
    # An end by date is nobody's word: an older yes that arrives after it still counts.
    rules = ruling(event for event in history if event.decision.state != "expired")
    recorded: list[ConsentEvent] = []
    unchanged = overtaken = 0
    for decision in sorted(decisions, key=lambda decision: decision.from_ms):
        if decision in known:
            unchanged += 1
        elif _is_overtaken(decision, rules.get(decision.cell), now_ms):
            overtaken += 1
        else:
            event = ConsentEvent(student, version, len(recorded), now_ms, decision)
            recorded.append(event)
            known.add(decision)
            _take(event, rules)
    return Outcome(tuple(recorded), unchanged, overtaken)


def snapshot(history: Sequence[ConsentEvent]) -> ConsentStateChanged:
    """Everything that the student's history (oldest first, not empty) permits.

    A grant that ended stays listed with its end, since each gate judges by its own clock, and a replay by the
    stream's. A grant that follows another without a gap continues it, so that a renewal loses no event.
    """
    grants: dict[Cell, Grant] = {}
    for decision in (event.decision for event in history):
        if decision.state in {"requested", "expired"}:
            continue
        before = grants.pop(decision.cell, None)
        if decision.state == "given" and decision.until_ms is not None:
            grants[decision.cell] = Grant(
                purpose=decision.purpose,
                source=decision.source,
                from_ms=_since(decision, before),
                until_ms=decision.until_ms,
                notice=decision.notice,
            )
    last = history[-1]
    return ConsentStateChanged(
        student=last.student,
        version=last.version,
        changed_ms=last.recorded_ms,
        grants=tuple(grants[cell] for cell in sorted(grants)),
    )


def answers(
    rules: Mapping[Cell, ConsentEvent],
    choices: Mapping[Cell, bool],
    shown: tuple[str, str],
    now_ms: int,
    terms: Terms,
) -> list[Decision]:
    """A student's yes and no to cells, as decisions; an answer that is what holds already is none.

    `shown` is the version and language of the notice. A yes to what is given renews it when its end is near.
    """
    decisions = []
    for cell, yes in choices.items():
        ruled_by = rules.get(cell)
        stands = standing(ruled_by, now_ms)
        state: State | None = "given" if yes and terms.renewable(ruled_by, now_ms) else _state(stands, yes=yes)
        if state is not None:
            until_ms = a_year_later(now_ms, terms.zone) if state == "given" else None
            decisions.append(Decision(*cell, state, now_ms, until_ms, *shown, channel="portal"))
    return decisions


def granted(rules: Mapping[Cell, ConsentEvent]) -> list[Cell]:
    """The cells that the student has said yes to and not taken back, ended or not."""
    return [cell for cell, event in rules.items() if event.decision.state in {"given", "expired"}]


def a_year_later(at_ms: int, zone: ZoneInfo) -> int:
    """The same local date and time one year on; 29 February becomes 28 February."""
    at = dt.datetime.fromtimestamp(at_ms // 1000, zone)
    leap_day = (at.month, at.day) == (2, 29)
    then = at.replace(year=at.year + 1, day=28 if leap_day else at.day)
    return int(then.timestamp()) * 1000 + at_ms % 1000


def _state(stands: Standing, *, yes: bool) -> State | None:
    if yes:
        return None if stands == "given" else "given"
    if stands in {"refused", "withdrawn"}:
        return None
    return "withdrawn" if stands in {"given", "expired"} else "refused"


def _take(event: ConsentEvent, rules: dict[Cell, ConsentEvent]) -> None:
    if event.decision.state == "requested":
        rules.setdefault(event.decision.cell, event)
    else:
        rules[event.decision.cell] = event


def _is_overtaken(decision: Decision, ruled_by: ConsentEvent | None, now_ms: int) -> bool:
    if decision.channel != "registration" or decision.state == "requested" or ruled_by is None:
        return False
    undated = decision.state == "given" and decision.from_ms > now_ms and ruled_by.decision.channel != "registration"
    return ruled_by.decision.state != "requested" and (undated or decision.from_ms < ruled_by.made_ms)


def _since(decision: Decision, before: Grant | None) -> int:
    continues = before is not None and before.from_ms <= decision.from_ms <= before.until_ms
    return before.from_ms if before is not None and continues else decision.from_ms
