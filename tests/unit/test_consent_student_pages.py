"""What the student's pages make of a form and of a history: nothing is chosen that the student did not choose."""

from __future__ import annotations

import hashlib
import re

import pytest
from msgspec import structs
from starlette.datastructures import FormData

from services.consent.domain.decisions import Cell, ConsentEvent, Decision, State
from services.consent.notices import load_notices
from services.consent.pages.student import form
from services.consent.pages.student.after import Progress
from services.consent.pages.student.form import Sent
from services.consent.pages.student.records import Records
from services.consent.pages.student.views import Asked, changes_unread, preset
from services.kernel.clock import DAY_MS
from services.kernel.register import load_register
from services.kernel.web.pages import HTMX, STATIC
from tests.support.consent import TERMS

REGISTER = load_register()
NOTICES = load_notices(REGISTER)
NOW_MS = 1_795_514_527_000
YEAR_MS = 365 * DAY_MS
FIGURES, TUTOR = "individual-indicators", "tutor-notify"
VLE, LIBRARY = (TUTOR, "vle"), (TUTOR, "library")


def event(
    version: int,
    cell: Cell,
    state: State,
    at_ms: int = NOW_MS - DAY_MS,
    notice: str = "2026-1",
) -> ConsentEvent:
    ends = at_ms + YEAR_MS if state == "given" else None
    return ConsentEvent("a" * 64, version, 0, at_ms, Decision(*cell, state, at_ms, ends, notice, "en", "portal"))


def asked() -> Asked:
    return Asked(REGISTER, NOTICES.in_force("en"), TERMS)


def sent(**fields: str) -> Sent:
    return Sent.read(FormData(fields), REGISTER)


def test_every_switch_that_is_set_is_read_and_nothing_that_nobody_is_asked() -> None:
    read = sent(**{"tutor-notify.vle": "yes", "tutor-notify.library": "no", "tutor-notify.counselling": "yes"})
    assert read.answers == {VLE: True, LIBRARY: False}
    assert sent(**{"tutor-notify.vle": "perhaps", "marking.vle": "yes"}).answers == {}


def test_only_what_differs_from_what_the_page_showed_is_chosen() -> None:
    history = [event(1, VLE, "given"), event(2, LIBRARY, "refused")]
    page = {"seen": "2", "seen_ms": str(NOW_MS), "tutor-notify.vle": "yes", "tutor-notify.library": "yes"}
    assert sent(**page).chosen(history, TERMS) == {LIBRARY: True}


def test_an_old_page_gives_nothing_again_that_was_taken_back_meanwhile() -> None:
    history = [event(1, VLE, "given"), event(2, VLE, "withdrawn")]
    page = {"seen": "1", "seen_ms": str(NOW_MS), "tutor-notify.vle": "yes"}
    assert sent(**page).chosen(history, TERMS) == {}
    assert sent(**page | {"seen": "2"}).chosen(history, TERMS) == {VLE: True}


def test_a_yes_whose_end_is_near_is_renewed_by_saying_it_again() -> None:
    history = [event(1, VLE, "given", NOW_MS - YEAR_MS + 10 * DAY_MS)]
    page = {"seen": "1", "seen_ms": str(NOW_MS), "tutor-notify.vle": "yes"}
    assert preset(history, NOW_MS, TERMS) == {}
    assert sent(**page).chosen(history, TERMS) == {VLE: True}


@pytest.mark.parametrize("seen", [{}, {"seen": "x", "seen_ms": "1"}, {"seen": "1", "seen_ms": "9" * 16}, {"seen": "1"}])
def test_a_form_that_does_not_say_what_was_shown_counts_whole(seen: dict[str, str]) -> None:
    history = [event(1, VLE, "given")]
    assert sent(**seen | {"tutor-notify.vle": "yes"}).chosen(history, TERMS) == {VLE: True}


def test_a_draft_comes_back_as_it_was_under_the_same_register_only() -> None:
    choices = {VLE: True, LIBRARY: False}
    draft = form.as_draft(choices, REGISTER)
    assert form.of_draft(draft, REGISTER) == choices
    assert len(draft) < 200
    assert form.of_draft(draft, structs.replace(REGISTER, version="2099-1")) == {}
    assert form.of_draft(draft, structs.replace(REGISTER, sources=REGISTER.sources[:2])) == {}
    assert form.of_draft(form.as_draft({}, REGISTER), REGISTER) == {}


def test_one_answer_for_all_systems() -> None:
    answers = form.for_all(FormData({"all": "no"}), TUTOR, REGISTER)
    assert answers == {(TUTOR, source): False for source in REGISTER.source}
    assert form.for_all(FormData({"all": "maybe"}), TUTOR, REGISTER) == {}


@pytest.mark.parametrize(
    ("states", "answer"),
    [
        ({}, "undecided"),
        ({"vle": "requested"}, "undecided"),
        ({"vle": "given"}, "partly"),
        (dict.fromkeys(REGISTER.source, "given"), "yes"),
        (dict.fromkeys(REGISTER.source, "withdrawn"), "no"),
        ({"vle": "refused"}, "open"),
        ({"vle": "expired"}, "ended"),
        ({"vle": "invalidated", "library": "expired"}, "again"),
        ({"vle": "invalidated", "library": "given"}, "partly"),
    ],
)
def test_how_a_purpose_stands_in_a_word(states: dict[str, State], answer: str) -> None:
    """Unknown is not refused, and a yes that a new text ended is asked again."""
    history = [event(version, (TUTOR, source), state) for version, (source, state) in enumerate(states.items(), 1)]
    view = next(view for view in asked().purposes(history, NOW_MS) if view.purpose.name == TUTOR)
    assert view.answer == answer


def test_what_was_typed_shows_before_what_is_recorded() -> None:
    views = asked().purposes([event(1, VLE, "given")], NOW_MS, {VLE: False})
    vle = next(view for view in views if view.purpose.name == TUTOR).systems[0]
    assert (vle.preset, vle.typed, vle.set_to) == (True, False, False)


def test_a_purpose_that_waits_for_another_says_so() -> None:
    both = [event(1, VLE, "given"), event(2, (FIGURES, "vle"), "given")]
    waiting = {view.purpose.name for view in asked().purposes(both[:1], NOW_MS) if view.idle_for}
    assert waiting == {TUTOR}
    assert [view for view in asked().purposes(both, NOW_MS) if view.idle_for] == []


def test_no_change_of_the_text_is_told_to_whom_it_took_nothing() -> None:
    assert changes_unread([event(1, VLE, "given")], NOTICES, "en") == []
    taken = [event(1, VLE, "given", notice="2026-2"), event(2, VLE, "invalidated", notice="2026-2")]
    assert changes_unread(taken, NOTICES, "en") == []


def test_a_record_speaks_of_what_the_register_no_longer_knows() -> None:
    history = [event(1, ("old-purpose", "old-source"), "given", notice="2020-1")]
    record = Records(history, asked(), NOTICES).of(1)
    assert record is not None
    about = record.about[0]
    assert (about.question, about.told, about.goes_on) == ("old-purpose", None, ("old-source",))
    assert about.said[0].systems == ("old-source",)


def test_records_come_newest_first_and_only_ends_permit_nothing() -> None:
    records = Records([event(1, VLE, "given"), event(2, LIBRARY, "refused")], asked(), NOTICES)
    assert [(record.version, record.only_ends) for record in records.newest_first()] == [(2, True), (1, False)]
    assert records.of(3) is None
    second = records.of(2)
    assert second is not None
    assert second.about[0].left_out == ["Library"]


def test_looking_goes_on_ever_more_slowly_and_ends() -> None:
    services = {"ingest": 1, "indicators": None, "notify": 3}
    pauses: list[float] = []
    while (pause_s := Progress(1, services, only_ends=True, look=len(pauses)).pause_s) is not None:
        pauses.append(pause_s)
    assert pauses == sorted(pauses)
    assert 60 < sum(pauses) < 300
    done = Progress(1, services | {"indicators": 2}, only_ends=True, look=0)
    assert (done.pause_s, done.everywhere_ms, done.known) == (None, 3, 3)


def test_what_is_not_ours_is_as_its_package_gave_it() -> None:
    note = (STATIC / "vendor" / "README.md").read_text("utf-8")
    hashes = dict(re.findall(r"\| `([^`]+)` \| `([0-9a-f]{64})` \|", note))
    assert hashes == {HTMX: hashlib.sha256((STATIC / "vendor" / HTMX).read_bytes()).hexdigest()}
    assert (STATIC / "vendor" / HTMX.replace(".min.js", ".LICENSE.txt")).exists()
