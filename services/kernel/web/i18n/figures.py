"""A student's figures in words: for the student, and for whom the student lets see them.

What was seen is said, with what it was made of, over which days and from which systems; never what it may lead to
(R7). Where a figure cannot be said, why not is said instead. Sentences are the register's own, so that the page which
everybody can read and the one about somebody say the same.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from string import Formatter
from typing import Literal

from services.kernel.entries import IndicatorEntry
from services.kernel.events import Indicator, ModuleIndicators
from services.kernel.register import Register
from services.kernel.web.i18n.catalogs import gettext, language
from services.kernel.web.i18n.formats import amount, listed, weekday

Reader = Literal["student", "tutor"]


@dataclass(frozen=True, slots=True)
class Explained:
    """One figure in words.

    Attributes:
        value: with its unit; "" where it cannot be said.
        says: the sentence that tells it, or why it cannot be said.
        threshold: from when on it is worth a look, and whether that is reached; "" where there is none.
        level: as of the figure; "none" where it cannot be said.
        coverage: which systems it was seen from, and which not; "" where it cannot be said.
    """

    name: str
    title: str
    value: str
    says: str
    threshold: str
    level: str
    formula: str
    coverage: str


class FigureWords:
    """Puts figures into the language that is spoken now; what the register does not declare is not shown."""

    def __init__(self, register: Register, reader: Reader) -> None:
        self._register, self._reader = register, reader

    def all(self, figures: ModuleIndicators) -> list[Explained]:
        """Each figure of a module that was computed or could not be said, in the register's order."""
        said = {indicator.name: indicator for indicator in figures.indicators}
        return [
            self._said(entry, said[entry.name], figures)
            if entry.name in said
            else self._unsaid(entry, figures.unsaid[entry.name])
            for entry in self._register.indicators
            if entry.name in said or entry.name in figures.unsaid
        ]

    def sentence(self, name: str, value: float, inputs: Mapping[str, float]) -> str:
        """What a value says, in the register's sentence; with its title where the inputs of that are not all there."""
        entry = self._told(name)
        filled = {key: _Amount(number) for key, number in inputs.items()} | {"value": _Amount(value, entry.unit)}
        if entry.says and needs(entry.says) <= filled.keys():
            return _capital(entry.says.format_map(filled))
        return gettext("%(title)s: %(value)s.", title=entry.title, value=amount(value, entry.unit))

    def bound(self, name: str, threshold: float) -> str:
        """From which value on an indicator is worth a look."""
        entry = self._told(name)
        value = amount(threshold, entry.unit)
        match entry.direction:
            case "at-least":
                return gettext("%(value)s or more", value=value)
            case "at-most":
                return gettext("%(value)s or less", value=value)
            case "below":
                return gettext("below %(value)s", value=value)

    def coverage(self, name: str, sources: Sequence[str]) -> str:
        """Which systems a figure was seen from, and from which that it would read it was not.

        Why not is for the student alone: nobody is to stand there as one who refused.
        """
        entry, told = self._register.indicator[name], self._register.told(language()).source
        seen = [told[source].title for source in entry.sources if source in sources]
        unseen = [told[source].title for source in entry.sources if source not in sources]
        parts = [gettext("Seen from: %(sources)s.", sources=listed(seen))] if seen else []
        if unseen and self._reader == "student":
            parts.append(gettext("Not from: %(sources)s, which you have not permitted.", sources=listed(unseen)))
        elif unseen:
            parts.append(gettext("Not seen: %(sources)s.", sources=listed(unseen)))
        return " ".join(parts)

    def _said(self, entry: IndicatorEntry, indicator: Indicator, figures: ModuleIndicators) -> Explained:
        says = self.sentence(entry.name, indicator.value, indicator.inputs)
        if figures.cohort_day is not None and entry.cohort:
            says = gettext("%(sentence)s As of %(day)s.", sentence=says, day=weekday(figures.cohort_day))
        told = entry.told(language())
        return Explained(
            name=entry.name,
            title=told.title,
            value=amount(indicator.value, told.unit),
            says=says,
            threshold=self._threshold(indicator),
            level=indicator.level,
            formula=told.formula,
            coverage=self.coverage(entry.name, indicator.sources),
        )

    def _unsaid(self, entry: IndicatorEntry, why: str) -> Explained:
        told = entry.told(language())
        return Explained(
            name=entry.name,
            title=told.title,
            value="",
            says=unsaid(why, self._reader),
            threshold="",
            level="none",
            formula=told.formula,
            coverage="",
        )

    def _threshold(self, indicator: Indicator) -> str:
        if indicator.threshold is None:
            return ""
        bound = self.bound(indicator.name, indicator.threshold)
        match indicator.level:
            case "alert":
                return gettext("%(bound)s: reached", bound=bound)
            case "watch":
                return gettext("%(bound)s: reached, to watch only", bound=bound)
            case "none":
                return bound

    def _told(self, name: str) -> IndicatorEntry:
        return self._register.indicator[name].told(language())


def needs(says: str) -> set[str]:
    """The names that a register's sentence has in braces."""
    return {name for _, name, _, _ in Formatter().parse(says) if name is not None}


def unsaid(why: str, reader: Reader) -> str:
    """Why a figure cannot be said; of what is not permitted, tutors learn that it is not seen."""
    if why == "no-source" and reader == "tutor":
        return gettext("It is not seen.")
    reasons = {
        "no-source": gettext("None of the systems that it would be seen from is permitted."),
        "window-not-full": gettext("Not all of the days that it looks back over could be seen yet."),
        "too-few-active-days": gettext("There were too few days of activity to tell."),
        "no-sessions": gettext("There was no session."),
        "no-due-work": gettext("No work was due."),
        "no-marks": gettext("No attendance was marked."),
        "no-cohort-yet": gettext("It has not been compared with the module yet; that is done on Mondays."),
        "cohort-too-small": gettext("Too few students of the module let themselves be counted: fewer than ten."),
        "no-spread": gettext("The module's students are too much alike for a comparison."),
    }
    return reasons.get(why) or gettext("It cannot be said now.")


def held(why: str) -> str:
    """Why no rule may begin to hold on a module now, so that no case opens."""
    reasons = {
        "vacation": gettext("It is vacation: nothing is expected of anybody, and no case opens."),
        "leave": gettext("It is a time of agreed leave: nothing is expected, and no case opens."),
        "before-start": gettext("The module has not begun: no case opens."),
        "left": gettext("The module was left: no case opens."),
        "module-over": gettext("The module is over: no case opens."),
        "feed-stale": gettext(
            "A system has sent nothing for a while, about anybody: silence may be its own, and no case opens by it."
        ),
    }
    return reasons.get(why) or gettext("No case opens now.")


@dataclass(frozen=True, slots=True)
class _Amount:
    """A number of a sentence; what stands after the colon is the unit to count it in."""

    value: float
    unit: str = ""

    def __format__(self, unit: str) -> str:
        return amount(self.value, unit or self.unit)


def _capital(sentence: str) -> str:
    return sentence[:1].upper() + sentence[1:]
