"""What the log says: consents, indicators and triggers, one batch in one transaction.

Each record takes effect once: the position in the log is kept in the same transaction, and what lies before it is
passed over, whoever reads it again. A record that was judged by a consent version which we have not seen waits.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from services.kernel.clock import DAY_MS, iso_day
from services.kernel.events import (
    ConsentApplied,
    ConsentStateChanged,
    IndicatorsComputed,
    RenewalRequested,
    SupportTriggered,
)
from services.kernel.topics import (
    CONSENT_RECEIPTS,
    CONSENT_STATE,
    ENGAGEMENT_INDICATORS,
    RENEWALS,
    SUPPORT_TRIGGERS,
    Topic,
)
from services.notify.adapters.tables import outbox
from services.notify.domain import Case, Reason, has_seen, is_newer
from services.notify.handlers.gate import Gate
from services.notify.handlers.reminders import take_reminder
from services.notify.handlers.unit import Unit

OPENED = "opened"
ENDS = ("module-over", "left", "leave", "exempt", "rule-gone")  # how an episode ends without being back to usual
Judged = SupportTriggered | IndicatorsComputed
Event = ConsentStateChanged | Judged | RenewalRequested


@dataclass(frozen=True, slots=True)
class Record:
    """A record as it was read; `event` None is a tombstone."""

    topic: Topic
    partition: int
    offset: int
    student: str
    event: Event | None


@dataclass(slots=True)
class Result:
    """What came of a batch.

    Attributes:
        held: the partitions that wait for a consent version, with the offset to read again from.
        outcomes: counts by topic and outcome.
    """

    held: dict[tuple[str, int], int] = field(default_factory=dict)
    outcomes: Counter[tuple[str, str]] = field(default_factory=Counter)

    def count(self, topic: Topic, outcome: str) -> None:
        """Count one record."""
        self.outcomes[topic.name, outcome] += 1


def take(unit: Unit, gate: Gate, batches: Mapping[tuple[str, int], Sequence[Record]]) -> Result:
    """Let a batch take effect: consents first, then what was judged by them."""
    result = Result()
    records = [record for batch in batches.values() for record in batch]
    take_consents(unit, gate, [r for r in records if isinstance(r.event, ConsentStateChanged)], result)
    rest = {key: batch for key, batch in batches.items() if key[0] != CONSENT_STATE.name}
    consents = unit.snapshots.consents({r.student for batch in rest.values() for r in batch})
    ready = [record for batch in rest.values() for record in _ready(batch, consents, result)]
    for record in ready:
        if isinstance(record.event, SupportTriggered):
            result.count(SUPPORT_TRIGGERS, take_trigger(unit, gate, record.event, consents.get(record.student)))
        elif isinstance(record.event, RenewalRequested):
            result.count(RENEWALS, take_reminder(unit, gate, record.event))
    take_indicators(unit, gate, [r for r in ready if r.topic is ENGAGEMENT_INDICATORS], consents, result)
    return result


def take_consents(unit: Unit, gate: Gate, records: Sequence[Record], result: Result) -> None:
    """Keep the newest snapshot of each student, and let go of what it no longer permits."""
    known = unit.snapshots.consents({record.student for record in records})
    changed: dict[str, ConsentStateChanged] = {}
    for record in records:
        assert isinstance(record.event, ConsentStateChanged)
        newer = is_newer(record.event, changed.get(record.student) or known.get(record.student))
        if newer:
            changed[record.student] = record.event
        result.count(CONSENT_STATE, "applied" if newer else "stale")
    unit.snapshots.put_consents(changed.values())
    stored = unit.snapshots.indicators(changed)
    unit.snapshots.forget_indicators(s for s, i in stored.items() if not gate.permits_keeping(changed[s], i))
    end_unpermitted(unit, gate, unit.cases.all_open(list(changed)) if changed else [])
    _give_receipts(unit, gate, (known | changed).values())


def _give_receipts(unit: Unit, gate: Gate, consents: Iterable[ConsentStateChanged]) -> None:
    """Say that these are obeyed, if this commits; also of one known before, since somebody asks."""
    applied_ms = gate.system.now_ms()
    for consent in consents:
        receipt = ConsentApplied(
            student=consent.student, version=consent.version, consumer="notify", applied_ms=applied_ms
        )
        outbox.add(unit.tx, CONSENT_RECEIPTS, consent.student, receipt)


def take_trigger(unit: Unit, gate: Gate, trigger: SupportTriggered, consent: ConsentStateChanged | None) -> str:
    """Open a case, join the open one, or note a recovery; gives the outcome in a word."""
    if trigger.state == "recovered":
        return _recover(unit, gate, trigger)
    reason = Reason.of(trigger)
    permitted = bool(gate.permitted(consent, [reason]))
    if unit.cases.knows(trigger.id):
        return "judged-anew" if permitted and unit.cases.take_up(reason) else "repeated"
    if not permitted:
        return "not-permitted"
    case = unit.cases.open_of(trigger.student)
    if case is not None:
        unit.cases.add_reason(case, reason)
        unit.cases.note(case, "joined", trigger.raised_ms, detail=trigger.module)
        return "joined"
    case = unit.cases.open(reason, trigger.student)
    unit.cases.add_reason(case, reason)
    unit.cases.note(case, OPENED, trigger.raised_ms, detail=trigger.module)
    queue_messages(unit, case, gate.system.now_ms())
    return OPENED


def take_indicators(
    unit: Unit,
    gate: Gate,
    records: Iterable[Record],
    consents: Mapping[str, ConsentStateChanged],
    result: Result,
) -> None:
    """Keep each student's latest indicators while they are permitted; a tombstone removes them."""
    latest: dict[str, IndicatorsComputed | None] = {}
    for record in records:
        event = record.event if isinstance(record.event, IndicatorsComputed) else None
        permitted = event is not None and gate.permits_keeping(consents.get(record.student), event)
        latest[record.student] = event if permitted else None
        result.count(ENGAGEMENT_INDICATORS, _outcome(event, permitted=permitted))
    unit.snapshots.put_indicators([event for event in latest.values() if event is not None])
    unit.snapshots.forget_indicators(student for student, event in latest.items() if event is None)


def end_unpermitted(unit: Unit, gate: Gate, cases: Sequence[Case]) -> int:
    """Remove from the open cases what consent no longer permits, and close those of which nothing is left."""
    consents = unit.snapshots.consents({case.student for case in cases})
    reasons = unit.cases.reasons(case.id for case in cases)
    left = {case.id: gate.permitted(consents.get(case.student), reasons[case.id]) for case in cases}
    for case in cases:
        unit.cases.forget_reasons(reason for reason in reasons[case.id] if reason not in left[case.id])
        _reduce(unit, gate, left[case.id], consents.get(case.student))
    ended = [case for case in cases if not left[case.id]]
    for case in ended:
        unit.cases.save(case.withdraw())
        unit.cases.clear_details(case)
        unit.cases.note(case, "withdrawn", gate.clock.now_ms())
        unit.deliveries.cancel_of(case.id, gate.system.now_ms())
    return len(ended)


def _reduce(unit: Unit, gate: Gate, reasons: Iterable[Reason], consent: ConsentStateChanged | None) -> None:
    """Reasons of which a part is shared no longer hold no more: the indicators judge their rules anew without it."""
    day = iso_day(gate.clock.now_ms() // DAY_MS)
    for reason in reasons:
        left = gate.shared(consent, reason)
        if not left >= frozenset(reason.sources):
            unit.cases.judge_anew(reason, left, day)


def queue_messages(unit: Unit, case: Case, now_ms: int) -> None:
    """Queue the message that a case is open, to the student's tutors; once, however often it is asked for."""
    unit.deliveries.queue(case.id, OPENED, unit.directory.tutors_of(case.student), now_ms)


def _recover(unit: Unit, gate: Gate, trigger: SupportTriggered) -> str:
    case = unit.cases.recover(trigger.id, trigger.day, trigger.why)
    if case is None:
        return "repeated"
    what = trigger.why if trigger.why in ENDS else "recovered"
    unit.cases.note(case, what, min(trigger.raised_ms, gate.clock.now_ms()), detail=trigger.module)
    return "recovered"


def _ready(batch: Sequence[Record], consents: Mapping[str, ConsentStateChanged], result: Result) -> list[Record]:
    """The records up to the first that was judged by a consent version which we have not seen."""
    ready: list[Record] = []
    for record in batch:
        event = record.event
        if isinstance(event, Judged) and not has_seen(consents.get(record.student), event.consent_version):
            result.held[record.topic.name, record.partition] = record.offset
            result.count(record.topic, "held")
            break
        ready.append(record)
    return ready


def _outcome(event: IndicatorsComputed | None, *, permitted: bool) -> str:
    if event is None:
        return "removed"
    return "kept" if permitted else "not-permitted"
