"""A partition that holds one student, restored from what the workers keep, and looked into.

Nothing is computed in another way here: places, figures, levels and what holds a rule come from the same lines that the
shards run. What it holds is thrown away.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from functools import partial

import numpy as np

from services.indicators.domain.activity.gathering import ASSESSMENT
from services.indicators.domain.activity.roster import FIGURES, names_of
from services.indicators.domain.activity.work import due_by
from services.indicators.domain.calendar import EXEMPT, FEED_STALE, HELD
from services.indicators.domain.places import HISTORY_DAYS, NEVER, Places
from services.indicators.domain.publication import Publication
from services.indicators.domain.rules import Rules, Situation
from services.indicators.domain.situations import Situations
from services.indicators.explanation.kept import Kept
from services.indicators.explanation.told import (
    DayTold,
    Explanation,
    FeedTold,
    FigureTold,
    GrantTold,
    RuleTold,
    WorkTold,
)
from services.indicators.handlers.partition import Partition
from services.indicators.handlers.students import Student
from services.kernel.clock import iso_day
from services.kernel.errors import ConfigurationError
from services.kernel.events import ModuleIndicators
from services.kernel.register import Register
from services.kernel.settings import Settings


class Inspection(Partition):
    """What is kept of one student.

    Args:
        register: the policy.
        settings: of the institution and the indicators.
        kept: of the student.
        now_ms: what has expired by now is not looked at, though the stream's clock may stand still.

    Raises:
        ConfigurationError: the register declares what there is no code for.
    """

    def __init__(self, register: Register, settings: Settings, kept: Kept, now_ms: int = 0) -> None:
        super().__init__(register, settings, kept.position, number=kept.partition)
        self.restore(kept.states)
        for record, take in ((kept.consent, self.consent), (kept.enrolments, self.enrolments)):
            if record is not None:
                take(record)
        self._student: Student = self._students.of(kept.student.encode())
        self._student.permit(self._student.permitted.at(now_ms))
        for place in self._student.places.values():
            self._students.permit_place(self._student, place)
        self.reconcile()
        self._rules = Rules(register)

    @property
    def permitted(self) -> bool:
        """Whether the student permits figures at all."""
        return bool(self._student.grants)

    def explain(self, module: str) -> Explanation:
        """How the figures on a module come about.

        Raises:
            ConfigurationError: the student has no place on it.
        """
        place = self._student.places.get(module)
        if place is None or module not in self._student.enrolments:
            raise ConfigurationError(
                "The student is on no module of that name; write it as the directory does, such as HIST101."
            )
        rows = np.array([place])
        as_of_ms = max(self._student.changed_ms, self._publishing.figured_ms)
        compared = partial(self._cohorts.figures, self._store)
        situations = Situations(self._store, self._register.indicator, compared)
        situation, figures = situations.of(rows, FIGURES, self._time.moment, np.array([as_of_ms]))
        levels = self._rules.levels(situation, figures, self._store.roster.standing(rows).level)
        publication = Publication(self._register, self._cohorts.day)
        (said,) = publication.modules(situation, figures, levels)
        places, enrolment, spans = situation.places, self._student.enrolments[module], self._store.roster.spans(rows)
        return Explanation(
            student=self._student.name,
            module=module,
            day=iso_day(self._time.today),
            as_of_ms=as_of_ms,
            clock_ms=self.clock_ms,
            register_version=self._register.version,
            judged_by=self._position.register or self._register.version,
            consent_version=self._student.version,
            grants=list(self._grants()),
            not_permitted=[source for source in self._register.source if source not in self._student.grants],
            feeds=list(self._feeds()),
            start_day=enrolment.start_day,
            end_day=enrolment.end_day,
            left_day=enrolment.left_day,
            part_time=enrolment.part_time,
            exempt=enrolment.exempt,
            leave=[(leave.first_day, leave.last_day) for leave in enrolment.leave],
            seen_day=iso_day(int(places.start_day[0])),
            since_day=iso_day(int(places.since_day[0])),
            since=self._why_since(situation, int(spans.start_day[0])),
            last_active_day=said.last_active_day,
            held=said.held,
            figures=list(self._figures(said, situation)),
            rules=list(self._how_rules_stand(situation, place)),
            cohort_day=said.cohort_day,
            days=list(self._days(places, place)),
            work=list(self._work(module)),
        )

    def _grants(self) -> Iterator[GrantTold]:
        permitted = self._student.permitted
        for source, span in sorted(permitted.indicators.items()):
            yield GrantTold(
                source=source,
                from_ms=span.from_ms,
                until_ms=span.until_ms,
                notice=span.notice,
                tutor=source in permitted.tutor,
                counted=source in permitted.cohort,
            )

    def _feeds(self) -> Iterator[FeedTold]:
        for source, feed in sorted(self._store.feeds.sources.items()):
            if source in self._student.grants:
                back = None if feed.back_day == NEVER else iso_day(feed.back_day)
                yield FeedTold(source=source, heard_ms=feed.heard_ms, stale=feed.stale, back_day=back)

    def _why_since(self, situation: Situation, start_day: int) -> str:
        """What the first day that counts without a break comes from."""
        since, today = int(situation.places.since_day[0]), situation.places.today
        granted = min(self._time.day_of(span.from_ms) for span in self._student.grants.values())
        back = self._store.feeds.back_day(self._store.sources, situation.permitted)
        if since == int(back[0]):
            return "a feed was back"
        if since in (start_day, granted):
            return "the module began" if since == start_day else "the first source was permitted"
        return "the leave was over" if since <= today else "it has not begun"

    def _figures(self, said: ModuleIndicators, situation: Situation) -> Iterator[FigureTold]:
        told = {indicator.name: indicator for indicator in said.indicators}
        limits = self._rules.limits(situation)[0]
        for entry, of in zip(self._register.indicators, limits.tolist(), strict=True):
            watch, alert, recovery = (None if math.isnan(limit) else limit for limit in of)
            indicator = told.get(entry.name)
            yield FigureTold(
                name=entry.name,
                title=entry.title,
                unit=entry.unit,
                value=indicator.value if indicator else None,
                unsaid=said.unsaid.get(entry.name),
                window_days=entry.window_days,
                level=indicator.level if indicator else "none",
                watch=watch,
                alert=alert,
                recovery=recovery,
                inputs=indicator.inputs if indicator else {},
                sources=indicator.sources if indicator else (),
                formula=entry.formula,
            )

    def _how_rules_stand(self, situation: Situation, place: int) -> Iterator[RuleTold]:
        roster, stale = self._store.roster, set(names_of(self._store.sources, situation.stale))
        exempt = self._rules.exempt(situation)[0]
        for number, rule in enumerate(self._register.rules):
            begun, ended = int(roster["episode_day"][place][number]), int(roster["ended_day"][place][number])
            reads = set(self._register.indicator[rule.indicator].sources) & self._student.grants.keys()
            held = HELD[int(situation.held[0])] or (EXEMPT if exempt[number] else "")
            yield RuleTold(
                name=rule.name,
                indicator=rule.indicator,
                since_day=None if begun == NEVER else iso_day(begun),
                ended_day=None if ended == NEVER else iso_day(ended),
                weeks=(int(roster["in_a_row"][place][number]), rule.in_a_row),
                held=held or (FEED_STALE if reads & stale else None),
            )

    def _days(self, places: Places, place: int) -> Iterator[DayTold]:
        windows, names = self._store.windows, {bit: name for name, bit in self._students.kinds.items()}
        rows = [
            (self._store.sources[int(windows["source"][row])], row) for row in self._store.roster.window_rows[place]
        ]
        seen = [(source, row) for source, row in sorted(rows) if source in self._student.grants]
        sums = windows.days("first", np.array([row for _, row in seen], np.int64), places.today).tolist()
        counting = set(places.counting.tolist())
        for back in range(HISTORY_DAYS):
            actions = {source: of[back] for (source, _), of in zip(seen, sums, strict=True) if of[back]}
            attended, absent = int(places.attended[0, back]), int(places.absent[0, back])
            if actions or attended or absent:
                kinds = [name for bit, name in names.items() if int(places.kinds[0, back]) & bit]
                day = iso_day(places.today - back)
                yield DayTold(
                    day=day, counts=back in counting, actions=actions, kinds=kinds, attended=attended, absent=absent
                )

    def _work(self, module: str) -> Iterator[WorkTold]:
        if ASSESSMENT not in self._student.grants:
            return  # whether it was handed in is not known
        handed = self._student.handed.get(module, {})
        for due in self._student.enrolments[module].due:
            yield WorkTold(
                name=due.assessment,
                due_ms=due_by(due),
                extended=due.extended_ms is not None,
                handed_ms=handed.get(due.assessment),
            )
