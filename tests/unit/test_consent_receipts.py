"""Receipts: what they say, that they stay the same, and that whatever was changed in one is found."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from services.consent.domain import chain
from services.consent.domain import decisions as domain
from services.consent.domain.chain import GENESIS, Tail
from services.consent.domain.decisions import ConsentEvent, Decision
from services.consent.notices import load_notices
from services.consent.receipts.checking import check
from services.consent.receipts.document import STATUS, Issuer
from services.consent.receipts.issuing import Receipts
from services.consent.signing import Keys, PublicKeys
from services.kernel.errors import InvalidMessage
from services.kernel.register import load_register

STUDENT = "a" * 64
NOW = 1_800_000_000_000
DAY = 86_400_000
REGISTER = load_register()
NOTICES = load_notices(REGISTER)
YES = Decision("tutor-notify", "vle", "given", NOW, NOW + DAY, "2026-1", "cy", "portal")
NO = Decision("student-view", "library", "refused", NOW, None, "2026-1", "cy", "portal")
BACK = replace(YES, state="withdrawn", from_ms=NOW + 1, until_ms=None, channel="staff-assisted", request="r7")
ISSUER = Issuer("University of Tests", "dpo@university.example", "https://consent.example", REGISTER, NOTICES)


def history_of(*said: list[Decision]) -> list[ConsentEvent]:
    """Sealed decisions, a millisecond apart."""
    history: list[ConsentEvent] = []
    for number, batch in enumerate(said):
        new = domain.decide(STUDENT, history, batch, NOW + number).recorded
        tail = Tail(history[-1].sequence if history else 0)
        heads = {STUDENT: history[-1].digest} if history else {}
        history += [of.event for of in chain.seal(new, heads, tail)]
    return history


HISTORY = history_of([YES, NO], [BACK])


@pytest.fixture(scope="module")
def keys(tmp_path_factory: pytest.TempPathFactory) -> Keys:
    return Keys.of_file(tmp_path_factory.mktemp("keys") / "key.json")


@pytest.fixture
def receipts(keys: Keys) -> Receipts:
    return Receipts(ISSUER, keys)


@pytest.fixture
def public(keys: Keys) -> PublicKeys:
    return PublicKeys(keys.public)


def receipt_of(receipts: Receipts, version: int) -> dict[str, Any]:
    receipt = receipts.of(HISTORY, version)
    assert receipt
    return receipt


@pytest.mark.requirement("R2")
def test_a_receipt_holds_what_was_said_and_what_the_student_had_been_told(receipts: Receipts) -> None:
    receipt = receipt_of(receipts, 1)["receipt"]
    record = receipt["dpv:hasRecordOfActivity"]
    told = NOTICES.of("2026-1", "cy")

    assert record["dpv:hasDataSubject"]["dct:identifier"] == STUDENT
    assert record["dpv:hasDataController"]["schema:name"] == "University of Tests"
    assert record["dpv:hasDataController"]["schema:contactPoint"]["schema:description"] == "dpo@university.example"
    assert [n["dct:identifier"] for n in record["dpv:hasNotice"]] == [f"sha256:{told.digest}"]
    question = told.purposes["student-view"].question
    assert {line["@value"] for line in receipt["schema:abstract"]} > {
        f"Na: {question} (Llyfrgell) 2027-01-15T08:00:00Z"
    }
    processes = {process["dct:identifier"]: process for process in record["dpv:hasProcess"]}
    assert processes["tutor-notify"]["title"]["cy"] == told.purposes["tutor-notify"].question
    assert processes["tutor-notify"]["dpv:hasConsequence"]["description"]["cy"] == told.purposes["tutor-notify"].if_no
    assert [s["dct:identifier"] for s in processes["student-view"]["dpv:hasDataSource"]] == ["library"]
    assert [event["dpv:hasConsentStatus"]["@id"] for event in record["dpv:hasConsent"]] == [
        "dpv:ConsentGiven",
        "dpv:ConsentRefused",
    ]


def test_the_ledgers_own_fields_stand_in_it_so_that_the_seals_can_be_computed_again(receipts: Receipts) -> None:
    first, second = (
        [
            event["ledger"]
            for event in receipt_of(receipts, version)["receipt"]["dpv:hasRecordOfActivity"]["dpv:hasConsent"]
        ]
        for version in (1, 2)
    )

    assert [of["before"] for of in (*first, *second)] == [GENESIS, HISTORY[0].digest, HISTORY[1].digest]
    assert second[0]["event"]["decision"]["request"] == "r7"


def test_every_state_has_its_term() -> None:
    assert set(STATUS) == {"requested", "given", "refused", "withdrawn", "expired", "invalidated"}


def test_a_receipt_is_the_same_however_often_it_is_asked_for(receipts: Receipts) -> None:
    longer = [*HISTORY, *history_of([YES, NO], [BACK], [replace(YES, from_ms=NOW + 5)])[3:]]

    assert receipts.of(HISTORY, 1) == receipts.of(longer, 1)
    assert receipts.of(HISTORY, 3) is None


def test_all_receipts_of_a_history_are_those_of_its_versions(receipts: Receipts) -> None:
    assert [one["receipt"] for one in receipts.all(HISTORY)["receipts"]] == [
        receipt_of(receipts, version)["receipt"] for version in (1, 2)
    ]
    assert receipts.all([])["receipts"] == []


def test_what_is_not_asked_any_more_still_has_its_receipt(receipts: Receipts) -> None:
    gone = replace(YES, purpose="no-more", source="gone", notice="2020-1", language="en")
    receipt = receipts.of(history_of([gone]), 1)

    assert receipt
    (process,) = receipt["receipt"]["dpv:hasRecordOfActivity"]["dpv:hasProcess"]
    assert process["dct:identifier"] == "no-more"


def test_an_approved_special_category_rests_on_explicit_consent() -> None:
    health = replace(YES, purpose="special-category:health")
    document = ISSUER.document(history_of([health]), GENESIS)
    (process,) = document["dpv:hasRecordOfActivity"]["dpv:hasProcess"]

    assert process["dpv:hasLegalBasis"] == {"@id": "eu-gdpr:A9-2-a"}


@pytest.mark.parametrize("form", [json.dumps, lambda receipt: receipt["signed"], lambda receipt: json.dumps([receipt])])
def test_a_genuine_receipt_says_in_plain_words_what_it_proves(
    receipts: Receipts, public: PublicKeys, form: Callable[[Any], str]
) -> None:
    (checked,) = check(form(receipt_of(receipts, 1)), public)
    words = checked.in_words()

    assert words.startswith(
        "Genuine: University of Tests signed this receipt for decision 1 of the student aaaaaaaaaaaa…"
    )
    assert "the student said YES to tutor-notify from vle, until 2027-01-16T08:00:00Z" in words
    assert (
        "told by notice 2026-1 in cy; through portal; recorded 2027-01-15T08:00:00Z as event 1 of the ledger" in words
    )
    assert "said NO to student-view from library" in words


def test_a_whole_history_is_checked_at_once(receipts: Receipts, public: PublicKeys) -> None:
    checked = check(json.dumps(receipts.all(HISTORY)), public)

    assert [event for one in checked for event in one.events] == HISTORY
    assert "took back the yes to tutor-notify from vle" in checked[1].in_words()
    assert "through staff-assisted (request r7)" in checked[1].in_words()


def forged(receipt: dict[str, Any]) -> dict[str, Any]:
    """A readable part that says something else than the signature."""
    text = json.dumps(receipt["receipt"]).replace("dpv:ConsentRefused", "dpv:ConsentGiven")
    return receipt | {"receipt": json.loads(text)}


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        (forged, "is not what was signed"),
        (lambda r: {"receipt": r["receipt"]}, "has no signature"),
        (lambda r: r | {"signed": r["signed"][:-8] + "AAAAAAAA"}, "signature does not fit"),
        (lambda r: r | {"signed": "nothing"}, "no signed text of ours"),
        (lambda _: {"receipts": []}, "holds no receipt"),
        (lambda _: 3, "holds no receipt"),
        (lambda _: [3], "has no signature"),
    ],
)
def test_whatever_is_wrong_with_a_receipt_is_said(
    receipts: Receipts, public: PublicKeys, change: Callable[[dict[str, Any]], Any], problem: str
) -> None:
    with pytest.raises(InvalidMessage, match=problem):
        check(json.dumps(change(receipt_of(receipts, 1))), public)


def test_a_receipt_signed_by_somebody_else_is_not_genuine(receipts: Receipts, tmp_path: Path) -> None:
    others = PublicKeys(Keys.of_file(tmp_path / "other.json").public)

    with pytest.raises(InvalidMessage, match="by a key that is not among these"):
        check(json.dumps(receipt_of(receipts, 1)), others)


def test_seals_that_do_not_fit_are_found_whoever_signed(keys: Keys, public: PublicKeys) -> None:
    """The university itself cannot sign a history that its own seals contradict."""
    events = [replace(HISTORY[0], recorded_ms=NOW - DAY)]
    signed = keys.sign("signpost-receipt", ISSUER.document(events, GENESIS))

    with pytest.raises(InvalidMessage, match="seal of event 1"):
        check(signed, public)
    with pytest.raises(InvalidMessage, match="of a form that this release cannot read"):
        check(keys.sign("signpost-receipt", {"another": "form"}), public)
