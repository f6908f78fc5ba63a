"""The sentences that tutors read: what was observed, with its figure and its window; never a prediction (R7)."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass

from services.kernel.events import IndicatorsComputed, ModuleIndicators
from services.kernel.register import Register
from services.kernel.web.i18n.figures import FigureWords
from services.kernel.web.i18n.formats import amount
from services.notify.domain import JUDGED_ANEW, OUTCOMES, Case, Reason, need
from services.notify.handlers.casework import CaseView

STATES = {
    "opened": ("New", "attention"),
    "notified": ("New", "attention"),
    "acknowledged": ("Acknowledged", "accent"),
    "closed": ("Closed", "plain"),
}
_HISTORY = {
    "opened": "Case opened for {module}",
    "joined": "{module} joined the case",
    "notified": "{who} was told by e-mail",
    "recovered": "Back to usual on {module}",
    "module-over": "{module} is over",
    "left": "No longer on {module}",
    "leave": "An agreed absence from {module} began",
    "exempt": "An exemption on {module} began",
    "rule-gone": "What was seen on {module} no longer opens a case",
    "acknowledged": "{who} took the case on",
    "closed": "{who} closed the case. {outcome}",
}
_ENDED = {
    "module-over": "{module} has been over",
    "left": "No longer on {module}",
    "leave": "On an agreed absence from {module}",
    "exempt": "Exempt on {module}",
    "rule-gone": "No longer looked for on {module}",
    JUDGED_ANEW: "Being judged anew on {module}",
}
_SILENCE = "days-since-last-activity"


@dataclass(frozen=True, slots=True)
class Words:
    """Puts cases into words; titles of modules and indicators come from the directory and the register."""

    register: Register
    titles: dict[str, str]

    def reason(self, reason: Reason, figures: IndicatorsComputed | None) -> str:
        """One reason as a sentence, with its figure and its window."""
        title = self.titles[reason.module]
        if reason.recovered_day is not None:
            said = _ended(reason).format(module=title)
            return f"{said}." if reason.ended_why == JUDGED_ANEW else f"{said} since {day(reason.recovered_day)}."
        if reason.rule == _SILENCE:
            return _silence(reason, title, of_module(figures, reason.module))
        name = self.register.rule[reason.rule].indicator
        says = FigureWords(self.register, "tutor").sentence(name, reason.value, reason.inputs)
        return f"{title}: {_inner(says).removesuffix('.')}, as of {day(reason.day)}."

    def reasons(self, view: CaseView) -> list[str]:
        """A case's reasons as sentences, the most pressing first."""
        return [self.reason(reason, view.figures) for reason in pressing(view.reasons)]

    def why(self, view: CaseView) -> list[str]:
        """For a list: of each module the most pressing reason, and how many more there are."""
        first: dict[str, Reason] = {}
        for reason in (ranked := pressing(view.reasons)):
            first.setdefault(reason.module, reason)
        told = [self.reason(reason, view.figures) for reason in first.values()]
        more = len(ranked) - len(told)
        return [*told, f"And {more} more reason{'s' if more > 1 else ''}."] if more else told

    def whom_first(self, views: Sequence[CaseView]) -> str:
        """Whom the tutor should talk to first, and why, in one sentence; `views` are ranked."""
        if not views:
            return "Nobody needs you right now."
        first = views[0]
        why = self.reasons(first)[0]
        if first.case.state == "acknowledged":
            return f"You have taken on every open case; {first.student.name} comes first. {why}"
        if not need(first.reasons)[0]:
            return f"Nobody is pressing. {first.student.name}: {_inner(why)}"
        return f"Talk to {first.student.name} first: {_inner(why)}"

    def headline(self, view: CaseView) -> str:
        """What a case's page says first."""
        return f"{view.student.name}: {_inner(self.reasons(view)[0])}"

    def history(self, what: str, who: str, detail: str) -> str:
        """A line of a case's history."""
        module = self.titles.get(detail, detail)
        return _HISTORY[what].format(who=who, module=module, outcome=outcome(detail))


def pressing(reasons: Sequence[Reason]) -> list[Reason]:
    """Reasons, those that still hold first, of them silence, then those furthest past their threshold.

    Who is silent is so by most other rules too, and "no activity for 15 days" says it plainest. Of several episodes of
    one rule on one module only the newest: that an earlier one had ended would contradict it.
    """
    newest = {(r.module, r.rule): r for r in sorted(reasons, key=lambda r: (r.raised_ms, r.trigger_id))}
    return sorted(newest.values(), key=_pressing_key)


def _pressing_key(reason: Reason) -> tuple[int, bool, float, int, str]:
    holding, past = need([reason])
    return -holding, reason.rule != _SILENCE, -past, reason.raised_ms, reason.trigger_id


def of_module(figures: IndicatorsComputed | None, module: str) -> ModuleIndicators | None:
    """A module's figures, if there are any."""
    return next((m for m in figures.modules if m.module == module), None) if figures else None


def outcome(code: str | None) -> str:
    """An outcome in words."""
    return OUTCOMES.get(code or "", "")


def state(case: Case) -> tuple[str, str]:
    """A case's state in a word, and the kind of tag that shows it."""
    return STATES[case.state]


def day(iso: str) -> str:
    """An ISO date as "24 January 2014"."""
    date = dt.date.fromisoformat(iso)
    return f"{date.day} {date:%B %Y}"


def _silence(reason: Reason, title: str, figures: ModuleIndicators | None) -> str:
    days = amount(reason.value, "days")
    if figures is not None and figures.last_active_day is None:
        return f"No activity on {title} in the {days} since {day(figures.since_day)}, when it could first be seen."
    last = figures.last_active_day if figures is not None and figures.last_active_day else reason.episode_day
    return f"No activity on {title} for {days}, since {day(last)}."


def _ended(reason: Reason) -> str:
    back = "Active again on {module}" if reason.rule == _SILENCE else "Back to usual on {module}"
    return _ENDED.get(reason.ended_why or "", back)


def _inner(sentence: str) -> str:
    return sentence[:1].lower() + sentence[1:]
