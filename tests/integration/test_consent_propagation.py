"""What receipts come to in the consent service, and whom it asks again; on either database."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import pytest
import sqlalchemy as sa
from sqlalchemy import Engine

from services.consent.adapters import ledger, propagation
from services.consent.adapters.kafka.log_reader import LogReader, Record
from services.consent.adapters.ledger import MIGRATIONS
from services.consent.handlers.consents import FIRST_ASK_MS, Consents
from services.consent.handlers.propagation import AT_ONCE, LONGEST_WAIT_MS, PROBES, AskingAgain, Propagation
from services.kernel import database
from services.kernel.clock import StreamClock
from services.kernel.codec import decoder, encode
from services.kernel.events import ConsentApplied, ConsentStateChanged
from services.kernel.metrics import ConsentMetrics
from services.kernel.settings import KafkaSettings
from services.kernel.topics import CONSENT_RECEIPTS, CONSENT_STATE, DEAD_LETTERS
from tests.support.consent import TERMS
from tests.support.kafka import write
from tests.support.waiting import eventually

START_MS = 1_790_000_000_000
ADA, BEN, STRANGER = "a" * 64, "b" * 64, "c" * 64
CELL, SHOWN = ("individual-indicators", "vle"), ("2026-1", "en")
_decode = decoder(CONSENT_STATE)


class Service:
    """The consent service's use cases, with a clock that the test sets."""

    def __init__(self, engine: Engine) -> None:
        self.engine, self.clock, self.metrics = engine, StreamClock(START_MS), ConsentMetrics()
        self.consents = Consents(engine, self.clock, TERMS, self.metrics, lambda: None)
        self.propagation = Propagation(engine, self.clock)
        self.asking = AskingAgain(engine, self.clock, self.metrics, lambda: None)
        self.asking.stop()  # it never ran: so a round does not pause

    def say_yes(self, *students: str) -> None:
        for student in students:
            self.consents.answer(student, {CELL: True}, SHOWN)

    def hear(self, *receipts: ConsentApplied) -> list[tuple[str, float]]:
        with self.engine.begin() as transaction:
            return propagation.take(transaction, [Record(receipt.student, receipt) for receipt in receipts])

    def published(self) -> list[ConsentStateChanged]:
        """What was put into the outbox for the topic of consents since the last call."""
        records = ledger.outbox.records
        with self.engine.begin() as transaction:
            rows = transaction.execute(sa.select(records).order_by(records.c.id)).all()
            transaction.execute(sa.delete(records))
        return [_decode(row.value) for row in rows if row.topic == CONSENT_STATE.name]

    def after(self, milliseconds: int) -> list[ConsentStateChanged]:
        """What is asked for when so much time has passed."""
        self.clock.advance(self.clock.now_ms() + milliseconds)
        self.published()
        self.asking.round()
        return self.published()


@pytest.fixture
def service(consent_engine: Engine) -> Service:
    return Service(consent_engine)


def receipt(student: str, consumer: str, version: int, after_ms: int, instance: str = "") -> ConsentApplied:
    return ConsentApplied(
        student=student,
        version=version,
        consumer=consumer,  # type: ignore[arg-type]  # one of the three
        applied_ms=START_MS + after_ms,
        instance=instance,
    )


def everybody(student: str, version: int, after_ms: int) -> list[ConsentApplied]:
    return [receipt(student, consumer, version, after_ms) for consumer in propagation.CONSUMERS]


@pytest.mark.requirement("R3")
def test_a_decision_is_applied_everywhere_when_the_last_has_said_so(service: Service) -> None:
    service.say_yes(ADA, BEN)
    assert service.propagation.applied(ADA, 1) == {"ingest": None, "indicators": None, "notify": None}

    measured = service.hear(receipt(ADA, "notify", 1, 900), receipt(ADA, "ingest", 1, 200, "door-1"))
    assert measured == [("notify", 0.9), ("ingest", 0.2)]
    assert service.propagation.everywhere(ADA) == {}
    service.hear(receipt(ADA, "indicators", 1, 400))

    assert service.propagation.everywhere(ADA) == {1: START_MS + 900}
    assert service.propagation.applied(BEN, 1)["ingest"] is None
    health = service.propagation.health()
    assert (health.count, health.p50_s, health.p99_s) == (1, 0.9, 0.9)
    assert health.outstanding == dict.fromkeys(propagation.CONSUMERS, 1)


def test_a_receipt_speaks_for_every_version_before_it(service: Service) -> None:
    service.say_yes(ADA)
    service.consents.withdraw_all(ADA, SHOWN)
    service.hear(*everybody(ADA, 2, 500))
    assert service.propagation.everywhere(ADA) == {1: START_MS + 500, 2: START_MS + 500}
    service.hear(*everybody(ADA, 1, 700))
    assert service.propagation.everywhere(ADA)[2] == START_MS + 500


def test_a_receipt_beyond_the_ledger_is_of_another_history_and_not_believed(service: Service) -> None:
    """After a restored database, a service that obeys a version we do not know does not obey ours of that number."""
    service.say_yes(ADA)
    assert service.hear(*everybody(ADA, 2, 500), *everybody(STRANGER, 1, 500)) == []
    assert set(service.propagation.applied(ADA, 1).values()) == {None}
    assert set(service.propagation.applied(STRANGER, 1).values()) == {None}


def test_saying_it_again_moves_no_time_but_a_second_door_does(service: Service) -> None:
    service.say_yes(ADA)
    service.hear(receipt(ADA, "indicators", 1, 300), receipt(ADA, "ingest", 1, 100, "door-1"))
    service.hear(receipt(ADA, "indicators", 1, 9_000), receipt(ADA, "ingest", 1, 250, "door-2"))
    service.hear(receipt(ADA, "ingest", 1, 100, "door-1"), receipt(ADA, "notify", 1, 200))
    assert service.propagation.applied(ADA, 1) == {
        "ingest": START_MS + 250,
        "indicators": START_MS + 300,
        "notify": START_MS + 200,
    }
    service.hear(receipt(ADA, "ingest", 1, 400, "door-3"))
    assert service.propagation.everywhere(ADA) == {1: START_MS + 400}


def test_receipts_of_a_whole_registration_at_once(service: Service) -> None:
    students = [f"{number:064x}" for number in range(1, 1_201)]
    with service.engine.begin() as transaction:
        propagation.expect(transaction, [(student, 1) for student in students], START_MS, START_MS)
    service.hear(*(one for student in students for one in everybody(student, 1, 100)))
    assert service.propagation.health().count == 1_200
    assert service.propagation.health().oldest_s is None


def test_who_does_not_answer_is_asked_by_saying_the_present_state_again(service: Service) -> None:
    """Soon, then ever more rarely; always the newest version, and nothing once all have answered."""
    service.say_yes(ADA)
    service.published()
    assert service.after(FIRST_ASK_MS - 1) == []
    assert [(s.student, s.version) for s in service.after(1)] == [(ADA, 1)]
    service.consents.withdraw_all(ADA, SHOWN)
    assert service.after(FIRST_ASK_MS - 1) == []
    assert [(s.version, s.grants) for s in service.after(FIRST_ASK_MS + 1)] == [(2, ())]
    assert service.after(FIRST_ASK_MS) == [], "the second time it waits for longer"
    assert service.after(LONGEST_WAIT_MS) != []
    service.hear(*everybody(ADA, 2, 90_000))
    assert service.after(LONGEST_WAIT_MS) == []
    assert service.metrics.asked_again._value.get() == 3  # noqa: SLF001 - its public way goes by the registry


def test_notify_is_never_asked_since_it_answers_by_itself(service: Service) -> None:
    service.say_yes(ADA)
    service.hear(receipt(ADA, "ingest", 1, 1), receipt(ADA, "indicators", 1, 1))
    assert service.after(10 * LONGEST_WAIT_MS) == []


def test_a_consumer_that_is_away_causes_no_flood_and_is_noticed_when_it_is_back(service: Service) -> None:
    students = [f"{number:064x}" for number in range(1, 2 * AT_ONCE + 1)]
    service.say_yes(*students)
    first = service.after(FIRST_ASK_MS)
    assert len(first) == AT_ONCE
    probes = service.after(1)
    assert len(probes) == PROBES, "nobody has answered"
    assert len(service.after(1)) == PROBES
    service.hear(*(one for state in probes for one in everybody(state.student, 1, 20_000)))
    again = service.after(1)
    service.hear(*everybody(again[0].student, 1, 20_000))
    assert len(service.after(1)) > PROBES


def test_of_two_instances_of_the_service_one_asks(service: Service) -> None:
    service.say_yes(ADA)
    other = AskingAgain(service.engine, service.clock, ConsentMetrics(), lambda: None)
    other.stop()
    assert len(service.after(FIRST_ASK_MS)) == 1
    other.round()
    assert service.published() == []


def test_what_is_outstanding_can_be_measured(service: Service) -> None:
    service.say_yes(ADA, BEN)
    service.hear(receipt(ADA, "notify", 1, 100))
    service.after(5_000)
    sample = service.metrics.registry.get_sample_value
    waiting = [sample("signpost_consent_receipts_outstanding", {"consumer": name}) for name in propagation.CONSUMERS]
    assert waiting == [2, 2, 1]
    assert sample("signpost_consent_receipts_oldest_seconds") == 5


def test_decisions_of_before_are_expected_to_be_answered_for(database_url: str) -> None:
    """An upgrade of a ledger with decisions: the newest version of each student is asked for."""
    engine = database.engine(database_url)
    database.migrate(engine, MIGRATIONS, "0002")
    insert = sa.text(
        "INSERT INTO consent_events (student, version, position, recorded_ms, channel, purpose, source, state, from_ms,"
        " until_ms, notice, language, actor, sequence, digest, ledger_digest) VALUES (:student, :version, 0, :at,"
        " 'portal', 'student-view', 'vle', :state, :at, NULL, '2026-1', 'en', 'student', :sequence, '', '')"
    )
    decided = [(ADA, 1, "refused", 1), (ADA, 2, "withdrawn", 2), (BEN, 1, "refused", 3)]
    rows = [{"student": s, "version": v, "state": state, "sequence": n, "at": n} for s, v, state, n in decided]
    with engine.begin() as transaction:
        transaction.execute(insert, rows)
    for revision in ("0003", "0002", "head"):
        database.migrate(engine, MIGRATIONS, revision)
    service = Service(engine)
    asked = {(state.student, state.version) for state in service.after(0)}
    assert asked == {(ADA, 2), (BEN, 1)}
    service.hear(*everybody(ADA, 2, 0))
    assert service.propagation.applied(ADA, 1)["ingest"] == START_MS
    engine.dispose()


def reader(service: Service, kafka: KafkaSettings, take: Callable[..., object] | None = None) -> LogReader:
    def noted(transaction: sa.Connection, records: Sequence[Record]) -> None:
        propagation.take(transaction, records)

    return LogReader(service.engine, kafka, CONSENT_RECEIPTS, take or noted, service.metrics)  # type: ignore[arg-type]  # a test's own


def test_receipts_come_off_the_topic_each_once_and_what_cannot_be_read_is_set_aside(
    service: Service, kafka_settings: KafkaSettings
) -> None:
    service.say_yes(ADA)
    service.published()
    write(kafka_settings, CONSENT_RECEIPTS, ADA, b"{broken")
    write(kafka_settings, CONSENT_RECEIPTS, BEN, encode(receipt(ADA, "notify", 1, 1)))
    write(kafka_settings, CONSENT_RECEIPTS, ADA, None)
    for one in everybody(ADA, 1, 100):
        write(kafka_settings, CONSENT_RECEIPTS, ADA, encode(one))
    for _ in range(2):  # the second begins where the first has ended
        reading = reader(service, kafka_settings)
        reading.start()
        eventually(lambda: service.propagation.everywhere(ADA) == {1: START_MS + 100}, what="the receipts")
        reading.stop()
    with database.reading(service.engine) as transaction:
        letters = transaction.execute(
            sa.select(sa.func.count()).where(ledger.outbox.records.c.topic == DEAD_LETTERS.name)
        )
        assert letters.scalar_one() == 3
