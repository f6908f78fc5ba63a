"""The table of coverage is made once a day, whoever asks; and a real log fills it, whatever stands in it."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from click.testing import CliRunner
from kafka import KafkaConsumer
from sqlalchemy import Connection, Engine, delete, insert, select

from services.cli import main
from services.consent.adapters import ledger, places
from services.consent.adapters.kafka import log_reader
from services.consent.adapters.kafka.log_reader import LogReader, Record, log_positions
from services.consent.adapters.ledger import outbox
from services.consent.domain.coverage import Share
from services.consent.domain.decisions import ConsentEvent, Decision
from services.consent.handlers.coverage import Coverages
from services.kernel import database, group_member
from services.kernel.clock import DAY_MS, StreamClock
from services.kernel.codec import decoder, encode
from services.kernel.errors import TransientError
from services.kernel.events import DeadLettered, Enrolment, EnrolmentsChanged
from services.kernel.ids import Pseudonyms
from services.kernel.metrics import ConsentMetrics
from services.kernel.settings import KafkaSettings
from services.kernel.topics import DEAD_LETTERS, ENROLMENTS
from tests.support.kafka import write
from tests.support.waiting import eventually

ZONE = ZoneInfo("Europe/London")
NOW = 1_790_000_000_000  # 21 September 2026
PURPOSES = ("individual-indicators", "tutor-notify")
student = Pseudonyms("a secret of the tests").of


def enrolled(person: str, version: int = 1, module: str = "HIST101") -> EnrolmentsChanged:
    places_ = (Enrolment(module=module, start_day="2026-09-01", end_day="2026-12-12"),)
    return EnrolmentsChanged(student=student(person), version=version, enrolments=places_)


def enrol(engine: Engine, people: range) -> None:
    with engine.begin() as transaction:
        places.take(transaction, [Record(student(f"{n}"), enrolled(f"{n}")) for n in people])


def permit(engine: Engine, people: range) -> None:
    decision = Decision("tutor-notify", "vle", "given", NOW, NOW + 9 * DAY_MS, "2026-1", "en", channel="portal")
    with engine.begin() as transaction:
        ledger.append(transaction, [ConsentEvent(student(f"{n}"), 1, 0, NOW, decision) for n in people])


def share(coverages: Coverages) -> Share | None:
    newest = coverages.newest()
    return newest.table.everybody.shares.get("tutor-notify") if newest else None


@pytest.fixture
def clock() -> StreamClock:
    return StreamClock(NOW)


@pytest.fixture
def coverages(consent_engine: Engine, clock: StreamClock) -> Coverages:
    return Coverages(consent_engine, clock, ZONE, PURPOSES)


@pytest.mark.requirement("R13")
def test_a_table_says_who_is_enrolled_and_which_share_permits(consent_engine: Engine, coverages: Coverages) -> None:
    enrol(consent_engine, range(100))
    permit(consent_engine, range(60))
    assert coverages.keep()

    newest = coverages.newest()
    assert newest is not None
    assert (newest.day, newest.computed_ms) == ("2026-09-21", NOW)
    assert newest.table.everybody.students == 100
    assert newest.table.everybody.shares == {
        "individual-indicators": Share(percent=5, reads="under"),
        "tutor-notify": Share(percent=60, reads="about"),
    }


@pytest.mark.requirement("R13")
def test_a_table_stands_for_its_day_whatever_single_students_decide(
    consent_engine: Engine, coverages: Coverages, clock: StreamClock
) -> None:
    """Else the one figure that moved between two readings would be the one student who decided in between."""
    enrol(consent_engine, range(100))
    permit(consent_engine, range(60))
    coverages.keep()
    permit(consent_engine, range(60, 69))

    assert not coverages.keep()
    assert share(coverages) == Share(percent=60, reads="about")
    clock.advance(NOW + DAY_MS)
    assert coverages.keep()
    assert share(coverages) == Share(percent=70, reads="about")


def test_a_table_is_made_anew_when_an_import_brought_a_tenth_of_all(
    consent_engine: Engine, coverages: Coverages
) -> None:
    enrol(consent_engine, range(100))
    permit(consent_engine, range(60))
    coverages.keep()
    permit(consent_engine, range(60, 80))
    assert coverages.keep()
    assert share(coverages) == Share(percent=80, reads="about")


def test_there_is_no_table_before_there_are_students(coverages: Coverages) -> None:
    assert not coverages.keep()
    assert coverages.newest() is None


def test_two_instances_make_one_table(consent_engine: Engine, coverages: Coverages) -> None:
    enrol(consent_engine, range(100))
    made: list[bool] = []
    threads = [threading.Thread(target=lambda: made.append(coverages.keep())) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert True in made
    assert coverages.newest() is not None


def test_a_database_that_is_away_is_said_so() -> None:
    away = database.engine("postgresql://127.0.0.1:1/none")
    with pytest.raises(TransientError, match="try again"):
        Coverages(away, StreamClock(NOW), ZONE, PURPOSES).newest()


@pytest.fixture
def reader(consent_engine: Engine, kafka_settings: KafkaSettings) -> Iterator[LogReader]:
    made = LogReader(consent_engine, kafka_settings, ENROLMENTS, places.take, ConsentMetrics())
    made.start()
    yield made
    made.stop()


def modules(engine: Engine, person: str) -> set[str]:
    with database.reading(engine) as transaction:
        return {p.module for p in places.on_day(transaction, "2026-10-01") if p.student == student(person)}


def send(kafka: KafkaSettings, event: EnrolmentsChanged | None, person: str) -> None:
    write(kafka, ENROLMENTS, student(person), None if event is None else encode(event))


@pytest.mark.usefixtures("reader")
def test_the_log_fills_the_places_and_what_cannot_be_read_is_set_aside(
    consent_engine: Engine, kafka_settings: KafkaSettings
) -> None:
    send(kafka_settings, enrolled("ada"), "ada")
    write(kafka_settings, ENROLMENTS, student("ada"), b"{}")
    write(kafka_settings, ENROLMENTS, student("ada"), encode(enrolled("ben")))
    send(kafka_settings, enrolled("ada", 2, "BIOL120"), "ada")
    send(kafka_settings, enrolled("ben"), "ben")
    send(kafka_settings, None, "ben")
    send(kafka_settings, enrolled("eve"), "eve")

    eventually(lambda: modules(consent_engine, "ada") == {"BIOL120"} and modules(consent_engine, "eve"))
    eventually(lambda: not modules(consent_engine, "ben"))
    records = outbox.records.c
    query = select(records.value).where(records.topic == DEAD_LETTERS.name).order_by(records.id)
    with database.reading(consent_engine) as transaction:
        letters: list[DeadLettered] = [decoder(DEAD_LETTERS)(value) for value in transaction.execute(query).scalars()]
    assert [(letter.consumer, letter.reason) for letter in letters] == [
        ("consent", "not-the-contract"),
        ("consent", "wrong-key"),
    ]
    assert letters[0].value == b"{}"


@pytest.mark.usefixtures("reader")
def test_places_are_built_again_from_the_start_of_the_log(
    consent_engine: Engine, database_url: str, kafka_settings: KafkaSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By the command, whether the service runs or not; a reader that is running notices."""
    send(kafka_settings, enrolled("ada"), "ada")
    send(kafka_settings, enrolled("ada", 1, "OTHER"), "ada")  # no newer than what stands in the log before it
    eventually(lambda: modules(consent_engine, "ada"))
    with consent_engine.begin() as transaction:
        transaction.execute(delete(places.places))
    assert modules(consent_engine, "ada") == set()
    monkeypatch.setenv("SIGNPOST_CONSENT__DATABASE_URL", database_url)
    done = CliRunner().invoke(main, ["consent", "reread-enrolments"])
    assert (done.exit_code, done.stderr) == (0, "")
    eventually(lambda: modules(consent_engine, "ada") == {"HIST101"})


@pytest.mark.usefixtures("reader")
def test_two_instances_share_the_log_and_lose_nothing(consent_engine: Engine, kafka_settings: KafkaSettings) -> None:
    """The second comes while the first reads; partitions change hands, and each record takes effect once."""
    taken: list[str] = []

    def take(transaction: Connection, records: Sequence[Record]) -> None:
        places.take(transaction, records)
        taken.extend(record.student for record in records)

    people = [f"{number}" for number in range(60)]
    for person in people[:30]:
        send(kafka_settings, enrolled(person), person)
    second = LogReader(consent_engine, kafka_settings, ENROLMENTS, take, ConsentMetrics())
    second.start()
    for person in people[30:]:
        send(kafka_settings, enrolled(person), person)
    eventually(lambda: all_known(consent_engine, people))
    second.stop()
    assert len(taken) == len(set(taken))


def all_known(engine: Engine, people: Sequence[str]) -> bool:
    with database.reading(engine) as transaction:
        return {place.student for place in places.on_day(transaction, "2026-10-01")} == set(map(student, people))


def test_a_reader_that_comes_back_goes_on_where_the_database_stands(
    consent_engine: Engine, kafka_settings: KafkaSettings
) -> None:
    seen: list[str] = []

    def run_until(last: str) -> None:
        reader = LogReader(
            consent_engine, kafka_settings, ENROLMENTS, lambda _, rs: seen.extend(r.student for r in rs),
            ConsentMetrics(),
        )  # fmt: skip
        reader.start()
        eventually(lambda: student(last) in seen)
        reader.stop()

    send(kafka_settings, enrolled("ada"), "ada")
    run_until("ada")
    send(kafka_settings, enrolled("ben"), "ben")
    run_until("ben")
    assert seen == [student("ada"), student("ben")]


def test_a_log_that_was_made_anew_is_read_from_its_start(consent_engine: Engine, kafka_settings: KafkaSettings) -> None:
    """After a loss of the broker, say: the service goes on."""
    beyond = [{"topic": ENROLMENTS.name, "partition": n, "next_offset": 9} for n in range(kafka_settings.partitions)]
    with consent_engine.begin() as transaction:
        transaction.execute(insert(log_positions), beyond)
    send(kafka_settings, enrolled("ada"), "ada")
    reader = LogReader(consent_engine, kafka_settings, ENROLMENTS, places.take, ConsentMetrics())
    reader.start()
    eventually(lambda: modules(consent_engine, "ada"))
    reader.stop()


def test_a_reader_that_has_lost_its_group_unnoticed_joins_it_anew(
    consent_engine: Engine, kafka_settings: KafkaSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The client's poll then gives nothing, for ever and without an error."""
    monkeypatch.setattr(group_member, "SILENCE_S", 1.0)
    deaf: list[KafkaConsumer] = []

    def join_deaf_at_first(*member: Any, **options: Any) -> KafkaConsumer:
        consumer = group_member.join(*member, **options)
        if not deaf:
            deaf.append(consumer)
            give = consumer.poll
            monkeypatch.setattr(consumer, "poll", lambda **how: {} if consumer.assignment() else give(**how))
        return consumer

    monkeypatch.setattr(log_reader, "join", join_deaf_at_first)
    send(kafka_settings, enrolled("ada"), "ada")
    reader = LogReader(consent_engine, kafka_settings, ENROLMENTS, places.take, ConsentMetrics())
    reader.start()
    eventually(lambda: modules(consent_engine, "ada"))
    reader.stop()
    assert deaf
