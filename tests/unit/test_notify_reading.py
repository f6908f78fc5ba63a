"""What cannot be read is set aside, or ends the reading, as its topic declares."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from services.kernel.codec import encode
from services.kernel.dead_letters import FLOOD, Flood
from services.kernel.errors import InvalidMessage
from services.notify.reading import Reader
from tests.support.notify import computed, student_of, trigger
from tests.support.students import consent

S1 = student_of("s1")


@dataclass
class Raw:
    """A record as a client gives it."""

    value: bytes | None
    key: bytes | None = S1.encode()
    offset: int = 0
    partition: int = 0


GOOD = Raw(encode(trigger(S1)))


def test_records_are_read_and_a_tombstone_is_one_of_indicators_only() -> None:
    batches = {
        ("engagement-indicators", 0): [Raw(encode(computed(S1))), Raw(None)],
        ("support-triggers", 0): [Raw(None)],
    }
    read, aside = Reader().read(batches, 1)
    assert [record.event for record in read["engagement-indicators", 0]] == [computed(S1), None]
    assert [letter.reason for letter in aside] == ["no-value"]


@pytest.mark.parametrize("raw", [Raw(b"{}"), Raw(None), Raw(b"\xff"), Raw(encode(consent(S1)), key=b"other")])
def test_a_consent_that_cannot_be_read_is_never_passed_over(raw: Raw) -> None:
    with pytest.raises(InvalidMessage):
        Reader().read({("consent-state", 0): [raw]}, 1)


def test_a_flood_ends_the_reading_and_a_good_record_ends_the_flood() -> None:
    reader = Reader()
    bad = [Raw(b"?")] * FLOOD
    assert len(reader.read({("support-triggers", 0): [*bad, GOOD]}, 1)[1]) == FLOOD
    reader.read({("support-triggers", 0): bad}, 1)
    with pytest.raises(Flood, match=f"more than {FLOOD}"):
        reader.read({("support-triggers", 0): [Raw(b"?")]}, 1)
