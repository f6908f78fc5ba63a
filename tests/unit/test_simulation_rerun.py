"""A history judged again: the alerts are those of the shards, over all partitions, week by week."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from services.indicators.simulation.loads import Alert
from services.indicators.simulation.rerun import rerun
from services.kernel.amendments import amended
from services.kernel.clock import DAY_MS, day_number
from services.kernel.dead_letters import RawRecord
from services.kernel.errors import ConfigurationError
from services.kernel.register import Register
from tests.support.partitions import REGISTER, SETTINGS, Record, active, record, tick
from tests.support.students import START_DAY, START_MS, consent, enrolled, student_of

SILENT, LIVELY, REFUSING = (student_of(name) for name in ("silent", "lively", "refusing"))
START = day_number(START_DAY)


class Partitions:
    """A log in memory; each batch holds few records, so that waits come in the midst of one."""

    def __init__(self, days: int, *students: Sequence[str]) -> None:
        self.partitions = range(len(students))
        self._students, self.days = students, days
        self.missing: dict[int, int] = {}  # ticks at the end, by partition

    def consents(self, partition: int) -> Iterator[RawRecord]:
        return (record(consent(student)) for student in self._students[partition] if student != REFUSING)

    def enrolments(self, partition: int) -> Iterator[RawRecord]:
        return (record(enrolled(student)) for student in self._students[partition])

    def events(self, partition: int) -> Iterator[Sequence[Record]]:
        yield []
        records = [
            each
            for day in range(self.days - self.missing.get(partition, 0))
            for each in (*(active(day + 0.5, s) for s in self._students[partition] if s == LIVELY), tick(day + 1))
        ]
        yield from (records[n : n + 5] for n in range(0, len(records), 5))


class Expired(Partitions):
    """One whose consents held for some days only."""

    def consents(self, partition: int) -> Iterator[RawRecord]:
        return (record(consent(s, until_ms=START_MS + 18 * DAY_MS)) for s in self._students[partition])


class Poisoned(Partitions):
    """One whose consents cannot be read."""

    def consents(self, partition: int) -> Iterator[RawRecord]:
        return iter([Record(7, SILENT.encode(), b"{", partition)])


def run(log: Partitions, register: Register = REGISTER) -> list[Alert]:
    """The alerts of the rule of fourteen days."""
    told: list[int] = []
    found = rerun(log, register, SETTINGS, told.append)
    assert found.end_ms == START_MS + log.days * DAY_MS
    assert sum(told) == sum(len(batch) for number in log.partitions for batch in log.events(number))
    return [alert for alert in found.alerts if alert.rule == "days-since-last-activity"]


def test_the_silent_are_found_in_whichever_partition() -> None:
    """Fourteen days after the start, over two weeks in which the partitions waited for each other."""
    log = Partitions(20, [LIVELY], [SILENT], [])
    assert run(log) == [Alert(SILENT, "days-since-last-activity", START + 14)]


@pytest.mark.requirement("R1")
def test_who_does_not_permit_it_is_in_no_history() -> None:
    assert run(Partitions(20, [REFUSING], [LIVELY])) == []


@pytest.mark.requirement("R1")
def test_who_permitted_it_until_lately_is_in_no_history_any_more() -> None:
    """Consents that have expired may still be listed."""
    assert run(Expired(20, [SILENT])) == []


def test_other_thresholds_raise_other_alerts(tmp_path: Path) -> None:
    """The same history by a register with one figure changed."""
    file = tmp_path / "changes.toml"
    file.write_text('[[indicators]]\nname = "days-since-last-activity"\nalert = 10')
    log = Partitions(20, [LIVELY, SILENT])
    assert [alert.day - START for alert in run(log, amended(file))] == [10]
    assert [alert.day - START for alert in run(log)] == [14]


def test_an_end_in_the_midst_of_a_wait_loses_nothing_that_was_judged() -> None:
    """One partition has a tick more than the other, as when history is read while a tick is being written."""
    log = Partitions(15, [SILENT], [LIVELY])
    log.missing = {1: 1}
    found = rerun(log, REGISTER, SETTINGS, lambda _number: None)
    assert [alert.day - START for alert in found.alerts if alert.rule == "days-since-last-activity"] == [14]


def test_a_consent_that_cannot_be_read_is_named() -> None:
    """It could be a withdrawal, so nothing goes on without it."""
    with pytest.raises(ConfigurationError, match=r"consent-state\[0\]@7 cannot be read"):
        run(Poisoned(1, [SILENT]))
