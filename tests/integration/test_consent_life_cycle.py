"""The life cycle on both databases: each end and each reminder once, whoever crashes, and however many look at once."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import sqlalchemy as sa
from sqlalchemy import Engine, select

from services.consent.adapters import life_cycle
from services.consent.adapters.ledger import MIGRATIONS
from services.consent.handlers.life_cycle import CHUNK
from services.kernel import database
from services.kernel.clock import DAY_MS, HOUR_MS
from services.kernel.events import ConsentStateChanged, RenewalRequested
from services.kernel.topics import CONSENT_STATE, RENEWALS
from tests.support.consent_life import (
    LIBRARY,
    START,
    UNTIL,
    VLE,
    Service,
    another_notice,
    assert_sealed,
    first_notice,
    published,
    registered,
    states,
    students,
)
from tests.support.waiting import eventually


@pytest.mark.requirement("R3")
def test_a_year_passes_and_each_student_is_reminded_three_times(consent_engine: Engine, tmp_path: Path) -> None:
    service, names = Service(consent_engine, folder=first_notice(tmp_path)), students(40)
    service.give(names)
    kinds: Counter[str] = Counter()
    for hours in range(-45 * 24, 10 * 24, 12):
        kinds += service.settle(UNTIL + hours * HOUR_MS)

    assert kinds == {"first": 40, "last": 40, "ended": 40}
    reminders: list[RenewalRequested] = published(consent_engine, RENEWALS.name)
    assert Counter(event.reason for event in reminders) == {"ending": 80, "ended": 40}
    assert len({event.id for event in reminders}) == 120
    assert {event.until_ms for event in reminders} == {UNTIL}
    assert {event.language for event in reminders} == {"cy"}
    assert states(consent_engine) == {"given": 80, "requested": 240, "expired": 80}
    assert_sealed(consent_engine)


@pytest.mark.requirement("R1")
def test_an_end_is_recorded_and_the_gates_still_know_the_span(consent_engine: Engine) -> None:
    """A replay of that year is judged by its own clock, so what ended stays listed with its end."""
    service, (name,) = Service(consent_engine), students(1)
    service.give([name])
    service.settle(UNTIL)

    last: ConsentStateChanged = published(consent_engine, CONSENT_STATE.name)[-1]
    assert last.version == service.consents.history(name)[-1].version
    assert {(grant.source, grant.until_ms) for grant in last.grants} == {("vle", UNTIL), ("library", UNTIL)}
    again = service.consents.register({name: [registered(VLE)]})
    assert (again.recorded, again.unchanged) == (0, 1)


def test_grants_that_were_over_when_they_came_are_let_be(consent_engine: Engine) -> None:
    """A term of 2013 is replayed: nothing is added to what was registered, and nobody is written to."""
    service, names = Service(consent_engine, UNTIL + 1000 * DAY_MS), students(CHUNK + 50)
    service.give(names)

    assert service.settle() == {}
    assert states(consent_engine) == {"given": 2 * len(names)}
    assert {state.version for state in published(consent_engine, CONSENT_STATE.name)} == {1}
    assert published(consent_engine, RENEWALS.name) == []


@pytest.mark.requirement("R3")
def test_who_renews_or_withdraws_hears_no_more(consent_engine: Engine) -> None:
    service, (renews, withdraws) = Service(consent_engine), students(2)
    service.give([renews, withdraws])
    service.settle(UNTIL - 8 * DAY_MS)
    service.consents.answer(renews, {VLE: True, LIBRARY: True}, ("2026-1", "en"))
    service.consents.withdraw_all(withdraws, ("2026-1", "en"))

    assert service.settle(UNTIL - DAY_MS) + service.settle(UNTIL + DAY_MS) == {}
    assert states(consent_engine)["expired"] == 0


def test_reminders_of_a_clock_that_was_ahead_do_not_count_for_this_minute(consent_engine: Engine) -> None:
    ahead = Service(consent_engine, per_minute=3)
    ahead.give(students(3))
    assert ahead.settle(UNTIL) == {"ended": 3}
    service = Service(consent_engine, per_minute=3)
    names = [f"{number:064x}" for number in range(10, 13)]
    service.give(names, until_ms=START + 1_000)

    assert service.settle(START + 12 * HOUR_MS)["ended"] == 3


def test_no_minute_sends_more_than_its_most_and_nobody_is_forgotten(consent_engine: Engine, tmp_path: Path) -> None:
    folder = another_notice(tmp_path, "2027-1", "2027-03-01", material=True)
    service, names = Service(consent_engine, folder=folder, per_minute=7), students(30)
    service.give(names)
    now_ms = service.notices(folder).since_ms("2027-1")
    sent = [service.settle(now_ms + minute * 60_000)["notice-changed"] for minute in range(30)]

    assert max(sent) <= 7
    assert sum(sent) == 30
    assert states(consent_engine)["invalidated"] == 60  # at once, whoever is told later
    assert len({event.student for event in published(consent_engine, RENEWALS.name)}) == 30


@pytest.mark.requirement("R1")
def test_several_instances_share_the_work_and_do_nothing_twice(database_url: str, consent_engine: Engine) -> None:
    engines = [consent_engine, database.engine(database_url), database.engine(database_url)]
    services, names = [Service(engine) for engine in engines], students(2 * CHUNK + 20)
    services[0].give(names)
    start = threading.Barrier(len(services))

    def run(service: Service) -> Counter[str]:
        start.wait()
        return service.settle(UNTIL + 12 * HOUR_MS)

    with ThreadPoolExecutor(len(services)) as pool:
        kinds = sum(pool.map(run, services), Counter[str]())

    assert kinds == {"ended": len(names)}
    assert states(consent_engine) == {kind: 2 * len(names) for kind in ("given", "expired", "requested")}
    assert_sealed(consent_engine)
    for engine in engines[1:]:
        engine.dispose()


_WORKER = """
import sys
from tests.support.consent_life import Service, UNTIL
from services.kernel import database
from services.kernel.clock import HOUR_MS
service = Service(database.engine(sys.argv[1]))
print("ready", flush=True)
service.settle(UNTIL + 12 * HOUR_MS)
"""


@pytest.fixture
def killed_again_and_again(database_url: str, consent_engine: Engine) -> int:
    """Workers that are killed with signal 9, each when it has done something, until the work is done; how many."""
    count, done, rounds = 3 * CHUNK + 30, 0, 0
    Service(consent_engine).give(students(count))
    while done < 2 * count:
        worker = subprocess.Popen([sys.executable, "-c", _WORKER, database_url], stdout=subprocess.PIPE, text=True)
        before = done
        eventually(lambda: states(consent_engine)["expired"] > before or worker.poll() is not None, what="some work")  # noqa: B023 - called here
        worker.send_signal(signal.SIGKILL)
        worker.communicate()
        done, rounds = states(consent_engine)["expired"], rounds + 1
    return rounds


def test_a_worker_that_is_killed_leaves_nothing_half_done_and_nothing_twice(
    consent_engine: Engine, killed_again_and_again: int
) -> None:
    names = students(3 * CHUNK + 30)
    Service(consent_engine).settle(UNTIL + 12 * HOUR_MS)

    assert killed_again_and_again >= 2
    reminders: list[RenewalRequested] = published(consent_engine, RENEWALS.name)
    assert sorted(event.student for event in reminders) == names
    assert states(consent_engine) == {kind: 2 * len(names) for kind in ("given", "expired", "requested")}
    with database.reading(consent_engine) as transaction:
        noted = transaction.execute(select(life_cycle.reminders.c.id)).scalars().all()
    assert sorted(noted) == sorted(event.id for event in reminders)
    assert_sealed(consent_engine)


def test_the_tables_can_be_taken_back_and_decisions_stay(database_url: str) -> None:
    """After it the life cycle begins anew, and finds in the ledger what it has recorded already."""
    engine = database.engine(database_url)
    database.migrate(engine, MIGRATIONS)
    service = Service(engine)
    service.give(students(3))
    service.life.keep_texts()
    service.settle(UNTIL + 30 * DAY_MS)
    before = states(engine)

    database.migrate(engine, MIGRATIONS, "0003")
    assert "reminders" not in sa.inspect(engine).get_table_names()
    database.migrate(engine, MIGRATIONS)
    assert service.settle(UNTIL + 31 * DAY_MS) == {}
    assert states(engine) == before == {"given": 6, "expired": 6}
    engine.dispose()
