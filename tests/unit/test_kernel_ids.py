"""Ids that come out the same each time and are never confused, and pseudonyms that only the secret's holder makes."""

from __future__ import annotations

import hashlib
import hmac

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.kernel.ids import Pseudonyms, deterministic_id

SECRET = "a secret of this test"
PARTS = st.lists(st.text() | st.integers(), max_size=4)
PERSONS = st.text(alphabet="abcxyzABCXYZ0189.@-", min_size=1)


@given(parts=PARTS, others=PARTS)
def test_an_id_speaks_of_its_parts_and_of_no_others(parts: list[str | int], others: list[str | int]) -> None:
    assert deterministic_id(*parts) == deterministic_id(*parts)
    assert (deterministic_id(*parts) == deterministic_id(*others)) == (parts == others)


@pytest.mark.parametrize(
    ("parts", "others"),
    [(("a", "bc"), ("ab", "c")), (("a", ""), ("a",)), ((1,), ("1",)), (('a","b',), ("a", "b"))],
)
def test_parts_are_not_confused_with_what_they_look_like_together(
    parts: tuple[str | int, ...], others: tuple[str | int, ...]
) -> None:
    assert deterministic_id(*parts) != deterministic_id(*others)


@given(parts=PARTS)
def test_an_id_is_32_hexadecimal_digits(parts: list[str | int]) -> None:
    assert set(deterministic_id(*parts)) <= set("0123456789abcdef")
    assert len(deterministic_id(*parts)) == 32


def test_ids_and_pseudonyms_stay_what_they_were() -> None:
    """They stand in topics and databases: another way to make them would make every student anew."""
    assert deterministic_id("vle", "1", 2) == hashlib.sha256(b'["vle", "1", 2]').hexdigest()[:32]
    assert deterministic_id("élan") == hashlib.sha256('["élan"]'.encode()).hexdigest()[:32]
    assert Pseudonyms(SECRET).of("S1234") == hmac.new(SECRET.encode(), b"s1234", hashlib.sha256).hexdigest()


@given(person=PERSONS, blanks=st.text(alphabet=" \t\n", max_size=3))
def test_case_and_blanks_around_an_id_do_not_matter(person: str, blanks: str) -> None:
    of = Pseudonyms(SECRET).of
    assert of(person) == of(person.upper()) == of(person.lower()) == of(f"{blanks}{person}{blanks}")


@given(person=PERSONS, other=PERSONS)
def test_different_people_have_different_pseudonyms(person: str, other: str) -> None:
    of = Pseudonyms(SECRET).of
    assert (of(person) == of(other)) == (person.casefold() == other.casefold())


@given(person=PERSONS)
def test_a_pseudonym_is_64_hexadecimal_digits_that_depend_on_the_secret(person: str) -> None:
    pseudonym = Pseudonyms(SECRET).of(person)
    assert len(pseudonym) == 64
    assert set(pseudonym) <= set("0123456789abcdef")
    assert pseudonym != Pseudonyms(SECRET + ".").of(person)
