"""Ticks: all places of a partition are judged together, in one pass over the columns."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

import numpy as np

from services.indicators.domain.activity.roster import FIGURES, TUTOR
from services.indicators.domain.places import NEVER, Ints
from services.indicators.domain.publication import Subject, triggered
from services.indicators.domain.rules import Change, Rules, Standing
from services.indicators.domain.situations import Compared, Situations, seen_alike
from services.indicators.handlers.students import Student, Students
from services.kernel.register import Register

_AT_ONCE = 8192  # places


class Sweep:
    """Judges places at ticks.

    Attributes:
        held: starts of episodes that were held back, by why, until the caller clears it.
    """

    def __init__(self, register: Register, rules: Rules, students: Students, compared: Compared) -> None:
        self._register, self._rules, self._students = register, rules, students
        self._store, self._roster = students.store, students.store.roster
        self._time, self._pending = students.time, students.pending
        self._situations = Situations(students.store, _judged(register), compared)
        self.held: Counter[str] = Counter()

    def day(self, *, cohort_tick: bool) -> None:
        """The first tick of a local day: judge everybody, and find the levels of all figures."""
        roster = self._roster
        every = np.flatnonzero(roster.permitted(FIGURES))
        running = self._store.running(every, FIGURES, self._time.moment)
        for student in self._students.of_places(running):
            if not student.kept:
                self._students.mark(student)
        rows = np.union1d(running, roster.with_episodes())
        alike = seen_alike(self._store, rows)
        changes = self._judge(rows[alike], FIGURES, levels=True, cohort_tick=cohort_tick)
        self._judge(rows[~alike], FIGURES, levels=True, rules=False)
        told = rows[~alike][roster.permitted(TUTOR)[rows[~alike]]]
        changes += self._judge(told, TUTOR, cohort_tick=cohort_tick)
        self._tell(changes)

    def hour(self) -> None:
        """Another tick: whoever has an open episode may have recovered."""
        rows = self._roster.with_episodes()
        self._tell(self._judge(rows[self._roster.permitted(TUTOR)[rows]], TUTOR, new_day=False))

    def tell_gone(self, gone: Iterable[tuple[Student, str, Change]]) -> None:
        """Tell the ends of episodes whose rules the register no longer has."""
        for student, module, change in gone:
            if student.permitted.tutor:
                self._trigger(student, module, change)
                self._students.mark(student)

    def _judge(self, rows: Ints, view: str, **how: bool) -> list[tuple[int, Change]]:
        """Judge places, so many at once that their numbers take little memory; see `_judge_some`."""
        some = (rows[begin : begin + _AT_ONCE] for begin in range(0, len(rows), _AT_ONCE))
        return [change for part in some for change in self._judge_some(part, view, **how)]

    def _judge_some(  # noqa: PLR0913 - what a tick asks for
        self,
        rows: Ints,
        view: str,
        *,
        rules: bool = True,
        levels: bool = False,
        new_day: bool = True,
        cohort_tick: bool = False,
    ) -> list[tuple[int, Change]]:
        """Judge places, take over how they stand, and give what changed with the row of each."""
        situation, figures = self._situations.of(
            rows,
            view,
            self._time.moment,
            np.full(len(rows), self._time.at_ms),
            new_day=new_day,
            cohort_tick=cohort_tick,
        )
        standing = self._roster.standing(rows)
        changes: list[Change] = []
        if rules:
            judgement = self._rules.judge(situation, figures, standing)
            standing, changes = judgement.standing, judgement.changes
            self.held += judgement.held
        if levels:
            level, _ = self._rules.levels(situation, figures, standing.level)
            standing = Standing(
                episode_day=standing.episode_day,
                ended_day=standing.ended_day,
                in_a_row=standing.in_a_row,
                level=level,
            )
        for student in self._students.of_places(self._roster.stand(rows, standing)):
            self._students.mark(student)
        if rules:
            for student in self._students.of_places(self._roster.remembering(rows)):
                self._students.judged(student)
        return [(int(rows[change.place]), change) for change in changes]

    def _tell(self, changes: list[tuple[int, Change]]) -> None:
        """Tell what changed, in an order that does not depend on where the rows stand."""
        told = [
            (self._students.numbered(int(self._roster["student"][row])), self._roster.module(row), change)
            for row, change in changes
        ]
        order = {name: number for number, name in enumerate(self._rules.names)}
        for student, module, change in sorted(told, key=lambda it: (it[0].name, it[1], order[it[2].rule])):
            self._trigger(student, module, change)
            self._leave(student, module, change)

    def _trigger(self, student: Student, module: str, change: Change) -> None:
        self._pending.triggers.append(triggered(change, self._subject(student, module)))

    def _subject(self, student: Student, module: str) -> Subject:
        day = self._time.today
        return Subject(student.name, module, student.permitted, self._register, self._time.at_ms, day)

    def _leave(self, student: Student, module: str, change: Change) -> None:
        """Forget a place that there is no longer, once its last episode has ended."""
        place = student.places.get(module)
        if change.state == "opened" or place is None or module in student.enrolments:
            return
        if not (self._roster["episode_day"][place] != NEVER).any():
            self._students.leave_place(student, module)


def _judged(register: Register) -> frozenset[str]:
    """The indicators that have thresholds."""
    own = {entry.name for entry in register.indicators if (entry.watch, entry.alert) != (None, None)}
    return frozenset(own | {threshold.indicator for threshold in register.thresholds})
