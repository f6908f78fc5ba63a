"""The officer's pages over a real service: they say what is so, name nobody, and let in only whom they are for."""

from __future__ import annotations

import html
import re
from collections.abc import Iterator
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import Engine

from services.consent.adapters import access_log, anchors, life_cycle, places, propagation
from services.consent.adapters.kafka.log_reader import Record
from services.consent.adapters.ledger import MIGRATIONS
from services.consent.adapters.propagation import CONSUMERS
from services.consent.app import create_app
from services.consent.domain.renewals import Reminder
from services.consent.domain.verification import Result
from services.consent.handlers.coverage import Coverages
from services.consent.handlers.proof.anchoring import Anchoring
from services.consent.handlers.proof.verification import Verification
from services.consent.signing import Keys, PublicKeys
from services.kernel import database
from services.kernel.clock import DAY_MS, SystemClock
from services.kernel.events import ConsentApplied, Enrolment, EnrolmentsChanged
from services.kernel.ids import Pseudonyms
from services.kernel.metrics import ConsentMetrics
from services.kernel.settings import Settings
from tests.support.consent import BEARER, Visitor, row, settings
from tests.support.sessions import SECRET
from tests.support.waiting import eventually

OFFICER = "data-protection-officer"
PAGES = ("/oversight", "/coverage", "/v1/oversight", "/v1/coverage")
PEOPLE = [f"s{number:07d}" for number in range(40)]
pseudonym = Pseudonyms(SECRET).of


@pytest.fixture
def wanted(tmp_path: Path, database_url: str) -> Settings:
    """Settings of a service with its key in a folder of this test alone."""
    made = settings(tmp_path, database_url=database_url)
    own = made.consent.model_copy(update={"signing_key_file": tmp_path / "key.json"})
    return made.model_copy(update={"consent": own})


@pytest.fixture
def engine(database_url: str) -> Iterator[Engine]:
    """The service's database with forty students on a module, eight of them on another too."""
    made = database.engine(database_url)
    database.migrate(made, MIGRATIONS)
    with made.begin() as transaction:
        for number, person in enumerate(PEOPLE):
            on = [Enrolment(module="HIST101", start_day="2020-01-01", end_day="2099-12-31")]
            on += [Enrolment(module="BIOL120", start_day="2020-01-01", end_day="2099-12-31")] * (number < 8)
            message = EnrolmentsChanged(student=pseudonym(person), version=1, enrolments=tuple(on))
            places.take(transaction, [Record(message.student, message)])
    yield made
    made.dispose()


@pytest.fixture
def client(wanted: Settings, engine: Engine, monkeypatch: pytest.MonkeyPatch) -> TestClient:
    """The service, with nothing running in the background; half of the students say yes."""
    monkeypatch.setattr(database, "engine", lambda _url: engine)  # whose connections are closed at the end
    made = TestClient(create_app(wanted))
    decisions = [row(person, state="given" if person < PEOPLE[20] else "refused") for person in PEOPLE]
    answer = made.post("/v1/registration", json={"decisions": decisions}, headers=BEARER)
    assert answer.status_code == 200, answer.text
    return made


@pytest.fixture
def officer(client: TestClient) -> Visitor:
    return Visitor(client, "o0000001", OFFICER)


@pytest.fixture
def checked(client: TestClient, wanted: Settings, engine: Engine) -> None:
    """What runs in the background has run once: an anchor, a check of the ledger, a table of coverage."""
    del client
    keys, clock = Keys.of_file(wanted.consent.signing_key_file), SystemClock()
    Anchoring(engine, keys, clock, ConsentMetrics()).anchor()
    verification = Verification(engine, PublicKeys(keys.public), clock)
    verification.record(verification.run())
    assert Coverages(engine, clock, ZoneInfo("Europe/London"), ("individual-indicators",)).keep()


@pytest.mark.requirement("R13")
@pytest.mark.usefixtures("checked")
def test_coverage_shows_the_large_module_and_hides_the_small_one(officer: Visitor) -> None:
    page = officer.get("/coverage").text
    assert "Of the 40 students who are enrolled" in page
    assert "HIST101" in page
    assert "Hidden: fewer than ten students" in page
    groups = {group["module"]: group for group in officer.get("/v1/coverage").json()["groups"] if not group["mode"]}
    assert groups["BIOL120"]["students"] is None
    assert groups["BIOL120"]["shares"] == {}


@pytest.mark.requirement("R11")
@pytest.mark.parametrize("role", ["representative", "senior-tutor"])
def test_a_representative_sees_shares_and_nothing_else(client: TestClient, role: str) -> None:
    visitor = Visitor(client, "r0000001", role)
    assert visitor.get("/coverage").status_code == 200
    assert visitor.get("/v1/coverage").status_code == 200
    assert visitor.get("/oversight").status_code == 403
    assert visitor.get("/v1/oversight").status_code == 403


@pytest.mark.requirement("R9")
@pytest.mark.parametrize("role", ["student", "tutor", "administrator"])
def test_nobody_else_sees_them(client: TestClient, role: str) -> None:
    visitor = Visitor(client, "p0000001", role)
    assert {visitor.get(page).status_code for page in PAGES} == {403}


@pytest.mark.requirement("R9")
@pytest.mark.usefixtures("checked")
def test_no_page_and_no_figure_holds_anything_of_a_student(officer: Visitor) -> None:
    """Neither an id of the institution nor a pseudonym."""
    everything = "".join(officer.get(page).text for page in PAGES)
    assert not [person for person in PEOPLE if person in everything]
    assert not re.search(r"[0-9a-f]{64}", everything)


@pytest.mark.requirement("R8")
@pytest.mark.usefixtures("checked")
def test_the_first_line_says_that_we_keep_our_word(officer: Visitor) -> None:
    page = officer.get("/oversight").text
    assert "<h1>We keep our word: the chain of" in page
    data = officer.get("/v1/oversight").json()
    assert data["holds"] is True
    assert data["notices"][0]["material"] is True
    assert officer.get("/oversight/anchor").text.count(".") == 2


@pytest.mark.requirement("R8")
@pytest.mark.usefixtures("checked")
def test_the_first_line_says_so_when_the_record_was_changed(officer: Visitor, engine: Engine) -> None:
    now_ms = SystemClock().now_ms() + 1
    result = Result(at_ms=now_ms, events=40, anchors=1, anchored_ms=now_ms, faults=2)
    with engine.begin() as transaction:
        anchors.record(transaction, result)
    page = officer.get("/oversight").text
    assert "<h1>We do not keep our word: the ledger is not as it was recorded in 2 places.</h1>" in page
    assert "Needs you" in page


@pytest.mark.requirement("R3")
def test_withdrawals_are_followed_until_every_service_has_confirmed(
    client: TestClient, officer: Visitor, engine: Engine
) -> None:
    """Only what was taken back is measured: a bulk import of a year's decisions says nothing about a withdrawal."""
    withdrawn = row(PEOPLE[0], state="withdrawn", **{"from": "2026-10-10T09:00:00+01:00"})
    assert client.post("/v1/registration", json={"decisions": [withdrawn]}, headers=BEARER).status_code == 200
    before = officer.get("/v1/oversight").json()["withdrawals"]
    assert before["count"] == 0
    assert before["outstanding"] == dict.fromkeys(CONSUMERS, len(PEOPLE) + 1)

    now_ms = SystemClock().now_ms()
    receipts = [
        Record(student, ConsentApplied(student=student, version=version, consumer=consumer, applied_ms=now_ms + 2_000))
        for student, version in [(pseudonym(person), 2 if person == PEOPLE[0] else 1) for person in PEOPLE]
        for consumer in ("ingest", "indicators", "notify")
    ]
    with engine.begin() as transaction:
        propagation.take(transaction, receipts)
    after = officer.get("/v1/oversight").json()["withdrawals"]
    assert after["count"] == 1
    assert 2 <= after["slowest_s"] < 60
    assert after["outstanding"] == dict.fromkeys(CONSUMERS, 0)
    assert "1 applied everywhere" in officer.get("/oversight").text


def test_the_officer_sees_how_the_reminding_goes(officer: Visitor, engine: Engine) -> None:
    now_ms = SystemClock().now_ms()
    until_ms = now_ms + DAY_MS
    sent = [Reminder(pseudonym(person), "first", until_ms, "en", ()) for person in PEOPLE[:12]]
    with engine.begin() as transaction:
        life_cycle.add_reminders(transaction, sent, now_ms - DAY_MS)
        life_cycle.put_due(transaction, {pseudonym(PEOPLE[0]): until_ms, pseudonym(PEOPLE[1]): now_ms - 1})
    assert officer.get("/v1/oversight").json()["renewal"] == {"sent": {"first": 12}, "waiting": 1, "coming": 2}
    assert "12 sent in 30 days" in officer.get("/oversight").text


def test_before_anything_was_checked_the_first_line_says_that_it_is_not_known(officer: Visitor) -> None:
    assert "<h1>We cannot show it all yet: the ledger has not been checked.</h1>" in officer.get("/oversight").text
    assert "nobody's enrolments have arrived" in html.unescape(officer.get("/coverage").text)
    assert officer.get("/oversight/anchor").status_code == 404
    assert officer.get("/v1/coverage").json() == {"day": None, "made_ms": None, "groups": []}


@pytest.mark.requirement("R8")
@pytest.mark.usefixtures("client", "checked")
def test_the_officer_has_the_ledger_checked_when_they_wish(wanted: Settings) -> None:
    with TestClient(create_app(wanted)) as running:
        officer = Visitor(running, "o0000001", OFFICER)
        first = officer.get("/v1/oversight").json()["ledger"]["last"]
        page = officer.post("/oversight/verify").text
        assert "The ledger is being checked" in page
        assert "A check is running" in page
        assert "checking" in officer.get("/oversight/checking").text
        eventually(lambda: officer.get("/v1/oversight").json()["ledger"]["last"]["at_ms"] > first["at_ms"])
        assert eventually(lambda: officer.get("/oversight/checking").headers.get("hx-refresh")) == "true"


def ask(officer: Visitor, **changes: str) -> str:
    question = {
        "person": PEOPLE[0],
        "purpose": "individual-indicators",
        "source": "vle",
        "day": "2026-10-01",
        "time": "12:00",
        "known": "now",
        "reason": "A complaint <b>about</b> a message.",
    }
    return officer.post("/oversight/question", **question | changes).text


@pytest.mark.requirement("R1")
def test_the_officer_learns_whether_it_was_permitted_and_by_which_decision(officer: Visitor) -> None:
    permitted = ask(officer)
    assert "<h1>Yes, it was permitted.</h1>" in permitted
    assert "notice 2026-2, English" in permitted
    assert "<h1>No, it was not permitted.</h1>" in ask(officer, person=PEOPLE[30])
    assert "The student said no" in ask(officer, person=PEOPLE[30])
    before = ask(officer, day="2026-09-20")
    assert "<h1>No, it was not permitted.</h1>" in before
    as_seen_then = ask(officer, known="then")
    assert "nothing had been recorded" in as_seen_then


@pytest.mark.requirement("R9")
def test_each_question_stands_in_the_access_log_and_the_student_can_read_it(
    client: TestClient, officer: Visitor, engine: Engine
) -> None:
    ask(officer)
    ask(officer, person="nobody")
    with database.reading(engine) as transaction:
        looks = access_log.of(transaction, pseudonym(PEOPLE[0]))
        assert access_log.of(transaction, pseudonym("nobody"))
    assert [(look.reader, look.role, look.reason) for look in looks] == [
        (pseudonym("o0000001"), OFFICER, "A complaint <b>about</b> a message.")
    ]
    shown = Visitor(client, PEOPLE[0]).get("/requests").text
    assert "A complaint &lt;b&gt;about&lt;/b&gt; a message." in shown
    assert "a message" not in Visitor(client, PEOPLE[1]).get("/requests").text


@pytest.mark.requirement("R9")
def test_a_question_without_a_reason_is_not_answered(officer: Visitor, engine: Engine) -> None:
    page = ask(officer, reason=" ")
    assert "Say why you ask" in page
    assert "permitted.</h1>" not in page
    assert f'value="{PEOPLE[0]}"' in page
    with database.reading(engine) as transaction:
        assert access_log.of(transaction, pseudonym(PEOPLE[0])) == []


def test_an_id_that_nobody_has_is_not_taken_for_an_answer_without_a_word(officer: Visitor) -> None:
    assert "Nobody with this id is on any module" in ask(officer, person="s9999999")
    assert "Nobody with this id" not in ask(officer, known="then")


def test_each_mistake_in_a_question_is_named_at_its_field(officer: Visitor) -> None:
    page = ask(officer, person="", purpose="marking", source="", day="2099-01-01", reason="")
    for mend in ("Write the student’s id", "Choose a purpose", "Choose a system", "Choose a day and a time", "Say why"):
        assert page.count(mend) == 2, mend  # in the summary and at the field
    assert "Choose a day and a time" in ask(officer, day="soon")
