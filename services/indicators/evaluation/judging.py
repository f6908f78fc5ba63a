"""Signpost's own rules and index over whole cohorts, day after day: the same lines that work in the stream."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from msgspec import structs

from services.indicators.domain.cohort import (
    INDEX_PARTS,
    ModuleNorm,
    basis,
    cohort_figures,
    compare,
    count,
    merge,
    monday,
)
from services.indicators.domain.formulas import FORMULAS
from services.indicators.domain.places import NEVER, Bools, Figure, Floats, Ints, Places
from services.indicators.domain.rules import Change, Rules, Situation, Standing
from services.kernel.events import CohortCounted
from services.kernel.register import Register

INDEX = "engagement-index"


class Judge:
    """Judges n places at the end of each day, as a stream would in which everybody permits everything of `sources`.

    Attributes:
        rules: their names.
        first_day: [n, r]; the local day on which each rule first began to hold; NEVER where it never did.
    """

    def __init__(self, register: Register, modules: Sequence[str], module: Ints, sources: Sequence[str]) -> None:
        judged = {rule.indicator for rule in register.rules}
        register = structs.replace(register, indicators=tuple(e for e in register.indicators if e.name in judged))
        self._register, self._modules, self._module = register, modules, module
        self._rules = Rules(register)
        self.rules = self._rules.names
        n, r = len(module), len(self.rules)
        self.first_day: Ints = np.full((n, r), NEVER, np.int64)
        self._standing = Standing(
            episode_day=self.first_day,
            ended_day=self.first_day,
            in_a_row=np.zeros((n, r), np.int64),
            level=np.zeros((n, len(register.indicators)), np.int64),
        )
        self._permitted = np.tile([source in sources for source in self._rules.sources], (n, 1))
        self._norms: list[ModuleNorm | None] = []
        self._stands: Floats | None = None
        self._begun = False

    @property
    def holding(self) -> Bools:
        """[n, r]; which rules hold now: whose episodes are open."""
        holding: Bools = self._standing.episode_day != NEVER
        return holding

    def advance(self, places: Places, held: Ints) -> list[Change]:
        """Judge every rule at the end of the next day, and give what changed; once a week the cohorts are counted anew.

        Args:
            places: n of them.
            held: [n]; as of `Spans.held`; 0 of those who are present.
        """
        weekly = places.today == monday(places.today)
        if weekly:
            self._compare(places, held == 0)
        figures = {rule.indicator: self._figure(rule.indicator, places) for rule in self._register.rules}
        situation = Situation(
            places=places,
            modules=self._modules,
            module=self._module,
            held=held,
            permitted=self._permitted,
            stale=np.zeros(len(self._rules.sources), np.bool_),
            exempt=np.zeros(self.first_day.shape, np.bool_),
            cohort_tick=weekly,
        )
        told = {name: figure for name, figure in figures.items() if figure is not None}
        judgement = self._rules.judge(situation, told, self._standing)
        self._standing = judgement.standing
        self.first_day = np.where((self.first_day == NEVER) & self.holding, places.today, self.first_day)
        return judgement.changes

    def index(self, places: Places, present: Bools) -> Floats:
        """[n]; the engagement index with the norms of this very day; NaN of who is absent or where it is unsaid."""
        self._compare(places, present)
        figure = self._figure(INDEX, places)
        assert figure is not None  # the cohorts were counted just now
        return np.where(figure.said & present, figure.values, np.nan)

    def _figure(self, name: str, places: Places) -> Figure | None:
        if name in FORMULAS:
            return FORMULAS[name](places)
        if self._stands is None:
            return None
        return cohort_figures(self._stands, self._module, self._norms)[name]

    def _compare(self, places: Places, present: Bools) -> None:
        """Count the cohorts of those who are present, and say where each of them stands."""
        figures = basis(places, np.ones(len(places), np.bool_))
        counted = {name: _only(figure, present) for name, figure in figures.items()}
        running = np.bincount(self._module[present], minlength=len(self._modules)).tolist()
        said = count(
            day=places.today, partition=0, modules=self._modules, running=running, module=self._module, figures=counted
        )
        norms = merge(places.today, (r for r in said if isinstance(r, CohortCounted)), INDEX_PARTS)
        known = norms.by_module()
        self._norms = [known.get(module) for module in self._modules]
        self._stands = compare(norms, self._module, counted)


def _only(figure: Figure, present: Bools) -> Figure:
    return Figure(figure.values, figure.said & present, figure.why)
