"""From the tables of a partition to what rules and readers are told of places: the situation, and its figures."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import replace

import numpy as np

from services.indicators.domain.activity.gathering import Store
from services.indicators.domain.activity.moments import Moment
from services.indicators.domain.activity.roster import FIGURES, TUTOR
from services.indicators.domain.formulas import FORMULAS
from services.indicators.domain.places import NEVER, Bools, Figure, Ints
from services.indicators.domain.rules import Situation

_CONTEXT = frozenset({"sessions-7", "session-minutes-7", "breadth"})
Compared = Callable[[Ints], Mapping[str, Figure]]


class Situations:
    """Tells of places what some indicators say.

    Args:
        store: of the partition.
        names: of the indicators.
        compared: gives the cohort's figures of places by their rows.
    """

    def __init__(self, store: Store, names: Collection[str], compared: Compared) -> None:
        self._store, self._names, self._compared = store, frozenset(names), compared
        self._formulas = {name: formula for name, formula in FORMULAS.items() if name in self._names}
        self._context = not _CONTEXT.isdisjoint(self._names)

    def of(  # noqa: PLR0913 - which places, and as of when
        self,
        rows: Ints,
        view: str,
        moment: Moment,
        as_of_ms: Ints,
        *,
        new_day: bool = True,
        cohort_tick: bool = False,
    ) -> tuple[Situation, dict[str, Figure]]:
        """The situation of places of the roster in a view, and their figures by name."""
        store, roster = self._store, self._store.roster
        places = store.gather(rows, view, moment, as_of_ms, context=self._context)
        figures = {name: formula(places) for name, formula in self._formulas.items()} | self._of_cohort(rows, view)
        situation = Situation(
            places=places,
            modules=roster.module_names,
            module=roster["module"][rows].astype(np.int64),
            held=roster.spans(rows).held(moment.today, vacation=moment.vacation),
            permitted=roster.granted_days(view, rows) != NEVER,
            stale=store.feeds.stale(store.sources),
            exempt=roster["exempt"][rows],
            new_day=new_day,
            cohort_tick=cohort_tick,
        )
        return situation, figures

    def _of_cohort(self, rows: Ints, view: str) -> dict[str, Figure]:
        """A comparison rests on all that may be computed; whoever lets the tutor know less is not compared there."""
        compared = {name: figure for name, figure in self._compared(rows).items() if name in self._names}
        if view == FIGURES:
            return compared
        alike = seen_alike(self._store, rows)
        return {name: replace(figure, said=figure.said & alike) for name, figure in compared.items()}


def seen_alike(store: Store, rows: Ints) -> Bools:
    """[n]; of which places the tutor may know all that may be computed."""
    alike: Bools = (store.roster[FIGURES][rows] == store.roster[TUTOR][rows]).all(axis=1)
    return alike
