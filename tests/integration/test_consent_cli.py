"""The ledger from the command line: checked, anchored, asked; each mistake is one message that says how to mend it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import sqlalchemy as sa
from click.testing import CliRunner, Result
from sqlalchemy import Engine

from services.cli import main
from services.consent.adapters import access_log, anchors
from services.consent.domain.decisions import Decision
from services.consent.domain.permitted import moment
from services.consent.handlers.consents import Consents
from services.consent.handlers.proof.anchoring import Anchoring
from services.consent.notices import load_notices
from services.consent.receipts.document import Issuer
from services.consent.receipts.issuing import Receipts
from services.consent.signing import Keys
from services.kernel import database
from services.kernel.clock import SystemClock
from services.kernel.ids import Pseudonyms
from services.kernel.metrics import ConsentMetrics
from services.kernel.register import load_register
from tests.support.consent import TERMS
from tests.support.sessions import SECRET

ADA = Pseudonyms(SECRET).of("s0000001")
NOW = SystemClock().now_ms()


@pytest.fixture
def ledger(consent_engine: Engine, database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Consents:
    """A ledger with two events of a student, anchored, and the environment that names it."""
    key = tmp_path / "key.json"
    monkeypatch.setenv("SIGNPOST_CONSENT__DATABASE_URL", database_url)
    monkeypatch.setenv("SIGNPOST_CONSENT__SIGNING_KEY_FILE", str(key))
    monkeypatch.setenv("SIGNPOST_INSTITUTION__PSEUDONYM_SECRET", SECRET)
    consents = Consents(consent_engine, SystemClock(), TERMS, ConsentMetrics(), lambda: None)
    yes = Decision(
        "student-view", "vle", "given", NOW - 5_000, NOW + 10**9, "2026-2", "en", "registration", "registrar"
    )
    consents.register({ADA: [yes, Decision("student-view", "library", "refused", NOW, None, "2026-2", "en", "portal")]})
    Anchoring(consent_engine, Keys.of_file(key), SystemClock(), ConsentMetrics()).anchor()
    return consents


def run(*arguments: str | Path) -> Result:
    return CliRunner().invoke(main, ["consent", *map(str, arguments)])


def tamper(engine: Engine) -> None:
    triggers = {
        "sqlite": "DROP TRIGGER consent_events_keep_updates",
        "postgresql": "DROP FUNCTION consent_events_keep() CASCADE",
    }
    with engine.begin() as transaction:
        transaction.execute(sa.text(triggers[engine.name]))
        transaction.execute(sa.text("UPDATE consent_events SET state = 'given' WHERE sequence = 2"))


@pytest.mark.usefixtures("ledger")
def test_a_whole_ledger_is_said_to_be_whole_and_the_check_is_kept(consent_engine: Engine) -> None:
    done = run("verify")

    assert (done.exit_code, done.stdout) == (0, "All is as it was recorded: 2 events and 1 anchor.\n")
    with database.reading(consent_engine) as transaction:
        result = anchors.last_result(transaction)
    assert result
    assert (result.ok, result.events) == (True, 2)


@pytest.mark.usefixtures("ledger")
def test_a_changed_event_is_named_with_what_to_do(consent_engine: Engine) -> None:
    tamper(consent_engine)
    done, as_json = run("verify", "--no-record"), run("verify", "--json", "--no-record")

    assert done.exit_code == as_json.exit_code == 1
    assert "The ledger is NOT what was recorded: 1 finding" in done.stdout
    assert "Event 2 (version 1 of its student) is not what was sealed" in done.stdout
    assert "backup" in done.stdout
    found = json.loads(as_json.stdout)
    assert (found["ok"], found["findings"][0]["sequence"]) == (False, 2)
    with database.reading(consent_engine) as transaction:
        assert anchors.last_result(transaction) is None


@pytest.mark.usefixtures("ledger")
def test_an_anchor_can_be_kept_and_held_against_the_ledger_later(tmp_path: Path) -> None:
    kept = tmp_path / "anchor.jws"
    kept.write_text(run("anchor").stdout)
    log = tmp_path / "consent.log"
    log.write_text(json.dumps({"event": "ledger_anchored", "anchor": kept.read_text().strip()}))
    done = run("verify", "--anchor", kept, "--anchor", log)

    assert (done.exit_code, done.stdout) == (
        0,
        "All is as it was recorded: 2 events and 1 anchor, and 2 kept elsewhere.\n",
    )


@pytest.mark.usefixtures("ledger")
def test_a_kept_anchor_that_is_none_is_named(tmp_path: Path) -> None:
    nothing, others = tmp_path / "nothing.txt", tmp_path / "others.jws"
    nothing.write_text("nothing")
    content = {"sequence": 1, "ledger_digest": "x", "at_ms": 1}
    others.write_text(Keys.of_file(tmp_path / "other.json").sign("signpost-anchor", content))

    assert "nothing.txt holds no anchor" in run("verify", "--anchor", nothing).output
    refused = run("verify", "--anchor", others)
    assert refused.exit_code == 1
    assert "A kept anchor is none of this ledger's. It was signed by a key that is not among these." in refused.output


@pytest.mark.usefixtures("ledger")
def test_a_new_key_still_proves_what_the_old_one_signed(tmp_path: Path) -> None:
    assert "Start the consent service again" in run("rotate-key").stdout
    assert run("verify").exit_code == 0
    assert len(json.loads((tmp_path / "key.json").read_text())["keys"]) == 2


def test_a_receipt_proves_itself_without_the_database(ledger: Consents, tmp_path: Path) -> None:
    keys = Keys.of_file(tmp_path / "key.json")
    issuer = Issuer("University of Tests", "", "https://c.example", register := load_register(), load_notices(register))
    receipt = Receipts(issuer, keys).of(ledger.history(ADA), 1)
    file, public = tmp_path / "receipt.json", tmp_path / "jwks.json"
    file.write_text(json.dumps(receipt))
    public.write_text(json.dumps(keys.public))
    done = run("verify-receipt", file, "--key", public)

    assert done.exit_code == 0, done.output
    assert "Genuine: University of Tests signed this receipt" in done.stdout
    assert "said NO to student-view from library" in done.stdout
    file.write_text(file.read_text().replace("ConsentRefused", "ConsentGiven"))
    refused = run("verify-receipt", file, "--key", public)
    assert refused.exit_code == 1
    assert "receipt.json proves nothing. What can be read in receipt 1 is not what was signed" in refused.output


@pytest.mark.usefixtures("ledger")
def test_a_moment_is_asked_for_and_answered_in_words(consent_engine: Engine) -> None:
    question = ("permitted", "s0000001", "student-view", "vle", "--at", "2026-01-01T00:00:00Z", "--reason", "audit")
    before = run(*question)
    assert before.stdout.startswith("NO, it was not permitted.\nNothing was recorded about it by then")
    now = json.loads(run(*question[:5], _now(), *question[6:], "--json").stdout)
    by_pseudonym = run("permitted", ADA, *question[2:5], _now(), "--reason", "audit")

    assert (now["permitted"], now["event"]["sequence"]) == (True, 1)
    assert by_pseudonym.stdout.startswith("YES, it was permitted.")
    assert "event 1 of the ledger" in by_pseudonym.stdout
    with database.reading(consent_engine) as transaction:
        assert [one.reason for one in access_log.of(transaction, ADA)] == ["audit"] * 3


def _now() -> str:
    return moment(SystemClock().now_ms())


@pytest.mark.usefixtures("ledger")
def test_a_question_that_cannot_be_answered_names_all_that_is_wrong() -> None:
    done = run("permitted", "s1", "marking", "fees", "--at", "noon", "--reason", "audit")

    assert done.exit_code == 1
    for words in ("purpose: 'marking' is not in", "source: 'fees' is not in", "at: 'noon' is no ISO 8601"):
        assert words in done.output


def test_where_there_is_no_ledger_it_is_not_made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SIGNPOST_CONSENT__DATABASE_URL", f"sqlite:///{tmp_path}/none.db")
    done = run("verify")

    assert done.exit_code == 1
    assert "There is no ledger at" in done.output
    assert not (tmp_path / "none.db").exists()


def test_a_ledger_of_another_release_is_not_touched(database_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    engine = database.engine(database_url)
    with engine.begin():
        pass
    engine.dispose()
    monkeypatch.setenv("SIGNPOST_CONSENT__DATABASE_URL", database_url)
    done = run("anchor")

    assert done.exit_code == 1
    assert "its migrations are not applied" in done.output


@pytest.mark.usefixtures("ledger")
@pytest.mark.parametrize(
    ("key", "words"),
    [
        ("none.json", "is no file with public keys"),
        ("http://127.0.0.1:1/.well-known/jwks.json", "cannot be had"),
        (None, "There is no signing key at"),
    ],
)
def test_keys_that_cannot_be_had_are_named(tmp_path: Path, key: str | None, words: str) -> None:
    (tmp_path / "key.json").unlink()
    done = run("verify", *(["--key", key] if key else []))

    assert done.exit_code == 1
    assert words in done.output
