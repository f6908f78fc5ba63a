"""The life cycle of consents: ends are recorded, a changed text asks again, and students are reminded in time.

It follows the ledger: whoever has decided something is looked at, and then again at the moment when the next thing
falls due. All that a look finds is recorded, noted and put into the outbox in one transaction with the writers' turn,
so a crash leaves nothing half done, nobody is reminded twice, and several instances share the work.
"""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from sqlalchemy import Connection, Engine

from services.consent.adapters import ledger, life_cycle
from services.consent.adapters.life_cycle import Progress
from services.consent.domain.decisions import ConsentEvent, Decision
from services.consent.domain.renewals import Kind, Life, Reminder, Schedule, Sent, Texts
from services.consent.handlers.consents import Consents
from services.consent.notices import Notices
from services.kernel.background import Background
from services.kernel.clock import DAY_MS, MINUTE_MS, Clock
from services.kernel.database import AWAY, reading, unless_away
from services.kernel.errors import ConfigurationError, TransientError
from services.kernel.events import RenewalRequested
from services.kernel.logs import log
from services.kernel.metrics import ConsentMetrics
from services.kernel.topics import RENEWALS

CHUNK = 100  # students of one transaction; while it lasts, who decides waits
_EVENTS = 5_000  # of the ledger, read at once
_QUIET_S = 5.0
_BREATH_S = 0.1  # between transactions, for the students who are just deciding
_log = log(__name__)


@dataclass(slots=True)
class _Look:
    """What one transaction finds; begun anew when somebody else was quicker."""

    now_ms: int
    texts: Texts
    sent: Mapping[str, Sequence[Sent]]
    left: int
    waiting: int
    reminders: list[Reminder] = field(default_factory=list)
    moments: dict[str, int | None] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Renewal:
    """How the reminding of students goes, over a span of days back and ahead.

    Attributes:
        sent: reminders by kind in the span that is over.
        waiting: students whose next step has come and was not taken yet.
        coming: students whose next step, a reminder or an end, has come or will come in the span ahead.
    """

    sent: dict[Kind, int]
    waiting: int
    coming: int


class LifeCycle:
    """The life cycle over one database."""

    def __init__(self, engine: Engine, clock: Clock, schedule: Schedule, notices: Notices, consents: Consents) -> None:
        self._engine, self._clock, self._schedule = engine, clock, schedule
        self._notices, self._consents = notices, consents

    def keep_texts(self) -> None:
        """Hold the texts that are in force against what they were when they first were.

        Raises:
            ConfigurationError: one was changed or taken away, though students may have decided by it.
        """
        digests = {text: self._notices.of(*text).digest for text in self._notices.known}
        reached = [(notice.version, notice.language) for notice in self._notices.reached()]
        with self._engine.begin() as transaction:
            ledger.take_turn(transaction)
            changed = life_cycle.keep_texts(transaction, digests, reached, self._clock.now_ms())
        if changed:
            names = ", ".join(f"{version}.{language}.toml" for version, language in changed)
            raise ConfigurationError(
                f"Notices that students have been shown were changed or taken away: {names}. Put the texts back as "
                "they were; new words are a new version, in a file of their own."
            )

    def follow(self) -> bool:
        """Read the ledger on, and say whether there was something: who decided is looked at next."""
        texts = self._notices.texts()
        days = f"{self._schedule.renewal_days} {self._schedule.last_reminder_days}"
        basis = f"{texts.material} {days} {texts.in_force}"
        with reading(self._engine) as transaction:
            known, end = life_cycle.progress(transaction), ledger.tail(transaction).sequence
        if known == Progress(end, basis):
            return False
        if known.basis != basis:
            self.keep_texts()  # one may have come into force just now
        with self._engine.begin() as transaction:
            known = life_cycle.progress(transaction)
            if known.basis != basis:
                life_cycle.all_due(transaction)
            students, reached = life_cycle.decided_after(transaction, known.sequence, _EVENTS)
            life_cycle.put_due(transaction, dict.fromkeys(students, 0))
            life_cycle.put_progress(transaction, Progress(reached, basis))
        return True

    def look(self) -> list[Reminder] | None:
        """Do what is due for the next students; gives whom it reminded, and None where nobody was due.

        Raises:
            TransientError: the database is too busy; nothing was done.
        """
        if not self.backlog():
            return None
        looks: list[_Look] = []

        def students(transaction: Connection) -> Sequence[str]:
            looks.append(self._begin(transaction))
            return list(looks[-1].sent)

        def decisions(student: str, history: Sequence[ConsentEvent]) -> list[Decision]:
            return self._decide(looks[-1], student, history)

        def also(transaction: Connection) -> None:
            self._note(transaction, looks[-1])

        self._consents.record(students, decisions, also)
        return looks[-1].reminders

    def backlog(self) -> int:
        """How many students are to be looked at now."""
        with reading(self._engine) as transaction:
            return life_cycle.count_due(transaction, self._clock.now_ms())

    def renewal(self, days: int = 30) -> Renewal:
        """How the reminding goes.

        Raises:
            TransientError: the database is away.
        """
        now_ms, span_ms = self._clock.now_ms(), days * DAY_MS
        with unless_away(), reading(self._engine) as transaction:
            return Renewal(
                sent=life_cycle.kinds_since(transaction, now_ms - span_ms),
                waiting=life_cycle.count_due(transaction, now_ms),
                coming=life_cycle.count_due(transaction, now_ms + span_ms),
            )

    def _begin(self, transaction: Connection) -> _Look:
        now_ms = self._clock.now_ms()
        due = life_cycle.due(transaction, now_ms, CHUNK)
        return _Look(
            now_ms=now_ms,
            texts=self._notices.texts(),
            sent=life_cycle.sent(transaction, due),
            left=self._schedule.per_minute - life_cycle.sent_within(transaction, now_ms - MINUTE_MS, now_ms),
            waiting=life_cycle.count_due(transaction, now_ms),
        )

    def _decide(self, look: _Look, student: str, history: Sequence[ConsentEvent]) -> list[Decision]:
        due = Life(student, history, look.sent[student]).due(look.now_ms, self._schedule, look.texts)
        look.moments[student] = due.next_ms
        decisions = list(due.ends)
        if due.reminder and len(look.reminders) < look.left:
            language = self._told_in(due.reminder.language)
            look.reminders.append(due.reminder)
            decisions += replace(due.reminder, language=language).requested(look.texts, look.now_ms)
        elif due.reminder:
            again_ms = look.now_ms + self._wait_ms(student, look.waiting)
            look.moments[student] = min(again_ms, due.next_ms or again_ms)
        return decisions

    def _told_in(self, language: str) -> str:
        """That language, or, where the notice is no longer in it, English or another."""
        languages = self._notices.languages
        return language if language in languages else "en" if "en" in languages else languages[0]

    def _wait_ms(self, student: str, waiting: int) -> int:
        """How long one waits who is above the most of a minute: all who wait are spread over the minutes they take."""
        minutes = 1 + waiting // self._schedule.per_minute
        return (1 + int(hashlib.sha256(student.encode()).hexdigest()[-8:], 16) % minutes) * MINUTE_MS

    def _note(self, transaction: Connection, look: _Look) -> None:
        life_cycle.put_due(transaction, look.moments)
        life_cycle.add_reminders(transaction, look.reminders, look.now_ms)
        for one in look.reminders:
            event = RenewalRequested(
                id=one.id, student=one.student, reason=one.reason, until_ms=one.until_ms, language=one.language
            )
            ledger.outbox.add(transaction, RENEWALS, one.student, event)


class Living(Background):
    """Lets the life cycle go on for as long as the service runs."""

    def __init__(self, life: LifeCycle, metrics: ConsentMetrics) -> None:
        super().__init__("consent-life-cycle")
        self._life, self._metrics = life, metrics
        self._work = threading.Event()

    def wake(self) -> None:
        """Say that something was recorded."""
        self._work.set()

    def round(self) -> None:
        """Follow the ledger a little, look at some students, and wait where there is nothing to do."""
        try:
            self._work.clear()
            followed = self._life.follow()
            reminded = self._life.look()
            self._metrics.life_cycle_due.set(self._life.backlog())
        except (TransientError, *AWAY) as error:
            _log.warning("life_cycle_waits", error=type(error).__name__)
            self.pause(_QUIET_S)
            return
        for reminder in reminded or ():
            self._metrics.reminders.labels(reminder.kind).inc()
        if not followed and reminded is None:
            self._work.wait(_QUIET_S)
        self.pause(_BREATH_S)
