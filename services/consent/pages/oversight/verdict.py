"""The first line of the officer's page: whether we keep our word, from what each part of the report comes to."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from services.consent.handlers.oversight import SPAN_DAYS, Ledger, OpenRequests, Report
from services.consent.handlers.propagation import Health
from services.kernel.clock import DAY_MS

STOPPED_WITHIN_S, PURGED_WITHIN_S = 5, 60  # what is promised of a withdrawal
_TENTH = 0.1
_CHECK_IS_OLD_MS = 2 * DAY_MS  # it is made once a day


@dataclass(frozen=True, slots=True)
class Judged:
    """What a part comes to.

    Attributes:
        holds: None where it is not known.
        words: a clause, which can stand in the first line.
    """

    holds: bool | None
    words: str


@dataclass(frozen=True, slots=True)
class Verdict:
    """The parts, and what they come to together."""

    parts: dict[str, Judged]

    @property
    def holds(self) -> bool | None:
        """Whether all holds; None where something is not known, and nothing is known not to hold."""
        found = {part.holds for part in self.parts.values()}
        return False if False in found else None if None in found else True

    @property
    def sentence(self) -> str:
        """The first line."""
        opening = {True: "We keep our word", False: "We do not keep our word", None: "We cannot show it all yet"}
        said = [part.words for part in self.parts.values() if part.holds is self.holds]
        return f"{opening[self.holds]}: {'; '.join(said)}."


def judge(report: Report) -> Verdict:
    """Judge each part of the report."""
    return Verdict(
        {
            "ledger": ledger(report.ledger, report.at_ms),
            "withdrawals": withdrawals(report.withdrawals),
            "requests": requests(report.requests),
        }
    )


def ledger(known: Ledger, now_ms: int) -> Judged:
    """Whether the chain holds, and was checked lately."""
    last = known.last
    if last is None:
        return Judged(None, "the ledger has not been checked")
    if not last.ok:
        return Judged(False, f"the ledger is not as it was recorded in {_counted(last.faults, 'place')}")
    if now_ms > last.at_ms + _CHECK_IS_OLD_MS:
        return Judged(None, "the ledger was not checked for more than two days")
    return Judged(True, f"the chain of {_counted(last.events, 'decision')} holds")


def withdrawals(known: Health) -> Judged:
    """Whether what students took back was stopped everywhere in time, and nothing waits for a service."""
    if known.oldest_s is not None and known.oldest_s > PURGED_WITHIN_S:
        silent = _listed([name for name, count in known.outstanding.items() if count])
        return Judged(False, f"{silent} {_has(silent)} not confirmed a decision for {duration(known.oldest_s)}")
    if not known.count:
        return Judged(True, f"no withdrawal had to be applied in {SPAN_DAYS} days")
    assert known.p99_s is not None
    assert known.slowest_s is not None
    said = f"{_counted(known.count, 'withdrawal')} in {SPAN_DAYS} days {_were(known.count)} applied everywhere"
    if known.p99_s > STOPPED_WITHIN_S:
        return Judged(False, f"{said}, 99 in 100 within {duration(known.p99_s)}, not {STOPPED_WITHIN_S} s")
    return Judged(True, f"{said}, the slowest in {duration(known.slowest_s)}")


def duration(seconds: float) -> str:
    """A length of time in words, as exact as it matters."""
    if seconds < 10:  # noqa: PLR2004 - tenths matter below
        return f"{seconds:.1f} s" if seconds >= _TENTH else "less than 0.1 s"
    for least, unit in ((86_400, "day"), (3_600, "hour"), (60, "minute")):
        if seconds >= 2 * least:
            return _counted(int(seconds // least), unit)
    return _counted(int(seconds), "second")


def requests(known: OpenRequests) -> Judged:
    """Whether every request is answered in time."""
    if known.overdue:
        return Judged(False, f"{_counted(known.overdue, 'request')} {_are(known.overdue)} overdue")
    return Judged(True, "no request is overdue")


def _listed(words: Sequence[str]) -> str:
    return " and ".join(filter(None, [", ".join(words[:-1]), *words[-1:]]))


def _counted(number: int, of: str) -> str:
    return f"{number:,} {of}" if number == 1 else f"{number:,} {of}s"


def _are(number: int) -> str:
    return "is" if number == 1 else "are"


def _were(number: int) -> str:
    return "was" if number == 1 else "were"


def _has(names: str) -> str:
    return "have" if " and " in names else "has"
