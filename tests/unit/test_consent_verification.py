"""The chain and its check: whatever is done to a past row is found, and what was recorded is not blamed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields, replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.consent.domain import chain, verification
from services.consent.domain import decisions as domain
from services.consent.domain.chain import Sealed, Tail
from services.consent.domain.decisions import ConsentEvent, Decision, State
from services.consent.domain.verification import Anchor, Finding

NOW = 1_800_000_000_000
DAY = 86_400_000
STATES: tuple[State, ...] = ("given", "refused", "withdrawn", "expired", "invalidated", "requested")


@st.composite
def decisions(draw: st.DrawFn) -> Decision:
    state = draw(st.sampled_from(STATES))
    return Decision(
        purpose=draw(st.sampled_from(["student-view", "tutor-notify"])),
        source=draw(st.sampled_from(["vle", "library"])),
        state=state,
        from_ms=NOW + draw(st.integers(0, 10_000)),
        until_ms=NOW + DAY if state == "given" else None,
        notice="2026-1",
        language=draw(st.sampled_from(["en", "cy"])),
        channel=draw(st.sampled_from(["portal", "staff-assisted"])),
        actor=draw(st.sampled_from(["student", "c" * 64])),
        request=draw(st.sampled_from([None, "r1"])),
    )


@st.composite
def ledgers(draw: st.DrawFn) -> list[Sealed]:
    """What a few students decided, in batches, one after the other."""
    batches = draw(
        st.lists(st.tuples(st.sampled_from("abc"), st.lists(decisions(), min_size=1, max_size=3)), max_size=8)
    )
    histories: dict[str, list[ConsentEvent]] = {}
    rows: list[Sealed] = []
    for number, (letter, said) in enumerate([("a", [draw(decisions())]), *batches]):
        history = histories.setdefault(letter * 64, [])
        new = domain.decide(letter * 64, history, said, NOW + number).recorded
        heads = {student: events[-1].digest for student, events in histories.items() if events}
        tail = Tail(rows[-1].event.sequence, rows[-1].ledger_digest) if rows else Tail()
        rows += (sealed := chain.seal(new, heads, tail))
        history += [of.event for of in sealed]
    return rows


def anchored(rows: Sequence[Sealed], *, every: int = 3) -> list[Anchor]:
    """Anchors as the service would have signed them; the last is of the last event."""
    places = [*rows[every - 1 : -1 : every], rows[-1]]
    return [Anchor(of.event.sequence, of.ledger_digest, NOW) for of in places]


def findings(rows: Sequence[Sealed], anchors: Sequence[Anchor], now_ms: int = NOW) -> list[Finding]:
    """Both walks over the rows as a database would give them."""
    ordered = sorted(rows, key=lambda of: of.event.sequence)
    by_student = sorted(rows, key=lambda of: (of.event.student, of.event.version, of.event.position))
    return [*verification.in_sequence(ordered, anchors, now_ms), *verification.by_student(by_student)]


def other(value: Any) -> st.SearchStrategy[Any]:
    """Any other value of the same kind."""
    if isinstance(value, int):
        return st.integers(0, 2**50).filter(lambda it: it != value)
    return st.text(st.characters(codec="ascii"), max_size=64).filter(lambda it: it != value)


def changed(draw: st.DrawFn, row: Sealed) -> Sealed:
    """The row with another value in one of its columns."""
    place = draw(st.sampled_from(["event", "decision", "row"]))
    if place == "row":
        return replace(row, ledger_digest=draw(other(row.ledger_digest)))
    of: Any = row.event if place == "event" else row.event.decision
    name = draw(st.sampled_from([field.name for field in fields(of) if field.name != "decision"]))
    of = replace(of, **{name: draw(other(getattr(of, name)))})
    return replace(row, event=of if place == "event" else replace(row.event, decision=of))


def tampered(draw: st.DrawFn, rows: list[Sealed]) -> list[Sealed]:
    """The ledger after somebody did something to one row."""
    index = draw(st.integers(0, len(rows) - 1))
    what = draw(st.sampled_from(["change", "delete", "truncate", "insert", "swap"]))
    if what == "change":
        return [*rows[:index], changed(draw, rows[index]), *rows[index + 1 :]]
    if what == "delete":
        return rows[:index] + rows[index + 1 :]
    if what == "truncate":
        return rows[:index]
    if what == "insert":
        return _with_another(draw, rows, index)
    return _swapped(rows, index, draw(st.integers(0, len(rows) - 1)))


def _with_another(draw: st.DrawFn, rows: list[Sealed], index: int) -> list[Sealed]:
    """One more row, under keys that are free, sealed as well as that can be done."""
    sequence = draw(st.sampled_from([0, -1]))
    event = replace(rows[index].event, student="d" * 64, version=1, position=0, sequence=sequence)
    event = replace(event, digest=chain.digest(event, chain.GENESIS))
    return [*rows, Sealed(event, rows[index].ledger_digest)]


def _swapped(rows: list[Sealed], one: int, two: int) -> list[Sealed]:
    """Two rows change places in the ledger."""
    first, second = rows[one], rows[two]
    new = list(rows)
    new[one] = replace(first, event=replace(first.event, sequence=second.event.sequence))
    new[two] = replace(second, event=replace(second.event, sequence=first.event.sequence))
    return new


@settings(max_examples=30)
@given(ledgers())
def test_what_was_recorded_is_not_blamed(rows: list[Sealed]) -> None:
    assert findings(rows, anchored(rows)) == []
    assert findings(rows, anchored(rows)[:-1]) == []  # the newest events wait for their anchor


@given(st.data(), ledgers())
def test_any_change_of_any_row_is_found(data: st.DataObject, rows: list[Sealed]) -> None:
    after = data.draw(st.composite(lambda draw: tampered(draw, rows))())

    assert after == rows or findings(after, anchored(rows))


@settings(max_examples=30)
@given(ledgers(), st.data())
def test_a_ledger_that_was_written_anew_is_found_by_its_anchors(rows: list[Sealed], data: st.DataObject) -> None:
    """Somebody who can do everything but sign: takes out a student, or changes a word, and seals all of it again."""
    index = data.draw(st.integers(0, len(rows) - 1))
    event = rows[index].event
    lie = replace(event, decision=replace(event.decision, notice="2025-9"))
    without = [of.event for of in rows if of.event.student != event.student]
    changed_word = [of.event for of in rows[:index]] + [lie] + [of.event for of in rows[index + 1 :]]

    for story in (without, changed_word):
        assert findings(chain.seal(story, {}, Tail()), anchored(rows))
    assert findings(chain.seal(changed_word, {}, Tail()), []) == []  # the chain alone would not tell


@settings(max_examples=30)
@given(ledgers())
def test_events_that_nobody_anchored_for_an_hour_are_told(rows: list[Sealed]) -> None:
    late = NOW + verification.UNANCHORED_MS + len(rows)

    assert [found.fault for found in findings(rows, [], late)] == ["not-anchored"]
    assert findings(rows, anchored(rows), late) == []


@settings(max_examples=30)
@given(ledgers())
def test_a_kept_anchor_finds_a_tail_that_was_cut_off_with_its_anchors(rows: list[Sealed]) -> None:
    kept = replace(anchored(rows)[-1], kept=True)
    left = rows[:-1]

    (found,) = findings(left, [kept])
    assert (found.fault, found.sequence) == ("missing", len(rows))
    assert "kept elsewhere" in found.problem


def test_a_finding_says_where_what_and_how_to_mend() -> None:
    said = Decision("student-view", "vle", "given", NOW, NOW + DAY, "2026-1", "en", "portal")
    rows = chain.seal([ConsentEvent("a" * 64, 1, n, NOW, said) for n in range(4)], {}, Tail())
    lie = replace(rows[1].event, decision=replace(said, state="refused"))

    (found,) = findings([rows[0], replace(rows[1], event=lie), *rows[2:]], anchored(rows))

    assert (found.fault, found.sequence) == ("changed", 2)
    assert found.problem == "Event 2 (version 1 of its student) is not what was sealed when it was recorded."
    assert "receipt" in found.mend
    gap = findings([rows[0], rows[3]], [])
    assert gap[0].problem == "Events 2 to 3 are not there."


@pytest.mark.parametrize("name", ["purpose", "notice", "actor", "request"])
def test_fields_cannot_flow_into_each_other(name: str) -> None:
    """("a", "bc") and ("ab", "c") have different digests."""
    said = Decision("p", "s", "given", NOW, NOW + DAY, "n", "en", "portal", actor="a", request="r")
    event = ConsentEvent("a" * 64, 1, 0, NOW, said, sequence=1)
    longer = replace(event, decision=replace(said, **{name: getattr(said, name) + '","'}))

    assert chain.digest(event, chain.GENESIS) != chain.digest(longer, chain.GENESIS)


def test_the_form_of_digests_is_fixed_since_ledgers_and_receipts_hold_them() -> None:
    said = Decision("student-view", "vle", "given", NOW, NOW + DAY, "2026-1", "cy", "portal")
    event = ConsentEvent("a" * 64, 1, 0, NOW, said, sequence=1)

    assert chain.digest(event, chain.GENESIS) == "c7f78b9290a2aa20f9378cd2dcd1824794e79673e463a679d288294887a8afc3"
