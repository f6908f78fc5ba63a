"""The counts of all partitions, gathered: when a week's norms are there, and when they are lost."""

from __future__ import annotations

import asyncio
from itertools import count as serial

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.indicators.adapters import norms
from services.indicators.adapters.norms import NormsReader, Wait
from services.indicators.adapters.weeks import Weeks
from services.indicators.domain.cohort import INDEX_PARTS, Norms, count, monday
from services.indicators.domain.places import Figure
from services.kernel.codec import encode
from services.kernel.errors import InvalidMessage
from services.kernel.events import CohortClosed
from services.kernel.metrics import IndicatorMetrics
from services.kernel.settings import KafkaSettings, Settings
from tests.support.partitions import Record

WEEK = monday(20_000)
NEXT, LATER = WEEK + 7, WEEK + 14
_offsets = serial()


def said(partition: int, day: int, volumes: list[int], modules: int = 1) -> list[Record]:
    """A partition's records of a week: all of its students are on the first of its modules."""
    figures = {name: Figure(np.array(volumes, np.float64), np.ones(len(volumes), np.bool_)) for name in INDEX_PARTS}
    records = count(
        day=day, partition=partition, modules=[f"M{n}" for n in range(modules)], running=[len(volumes)] * modules,
        module=np.zeros(len(volumes), np.int64), figures=figures,
    )  # fmt: skip
    return [Record(next(_offsets), None, encode(record), partition) for record in records]


def gathered(partitions: int, *records: Record, wanted: int = WEEK) -> Weeks:
    made = Weeks(partitions)
    made.want(0, wanted)
    for record in records:
        made.take(record)
    return made


def students(made: Weeks, day: int) -> int | None:
    """How many are in the norms of the first module; None where the norms are not there, 0 where they are lost."""
    found = made.norms(day)
    return None if found is None else sum(norm.students for norm in found.by_module().values())


def test_norms_wait_for_every_partition() -> None:
    made = gathered(3, *said(0, WEEK, [1, 2]), *said(2, WEEK, [3]))
    assert made.missing(WEEK) == [1]
    assert students(made, WEEK) is None
    for record in said(1, WEEK, []):
        made.take(record)
    assert made.missing(WEEK) == []
    assert students(made, WEEK) == 3
    assert made.norms(WEEK) is made.norms(WEEK)


def test_a_partition_that_is_still_counting_has_not_said_all() -> None:
    made = gathered(1, *said(0, WEEK, [1])[:-1])
    assert students(made, WEEK) is None


def test_what_was_said_first_holds() -> None:
    """A partition that is built anew counts again, by other consents."""
    made = gathered(1, *said(0, WEEK, [1, 2, 3]), *said(0, NEXT, [1]), *said(0, WEEK, [1]))
    assert students(made, WEEK) == 3
    assert students(made, NEXT) == 1


def test_a_week_whose_counts_are_gone_is_lost_rather_than_waited_for() -> None:
    """The topic reaches back so far only: partition 1 has said later weeks, and nothing of this one any more."""
    made = gathered(2, *said(0, WEEK, [1, 2]), *said(1, NEXT, [5]))
    assert students(made, WEEK) == 0
    assert made.lost == {WEEK}
    assert made.missing(WEEK) == [1]
    assert students(made, NEXT) is None


def test_a_week_whose_first_records_are_gone_is_lost() -> None:
    """Retention removes whole files, wherever in a week they begin."""
    made = gathered(2, *said(0, WEEK, [1, 2], modules=3)[1:], *said(1, WEEK, [4]))
    assert students(made, WEEK) == 0
    assert made.lost == {WEEK}


def test_only_weeks_that_a_shard_here_needs_are_kept() -> None:
    made = gathered(1, *said(0, WEEK, [1]), *said(0, NEXT, [1, 2]), wanted=NEXT)
    assert students(made, NEXT) == 2
    assert not made.want(0, LATER)
    for record in said(0, LATER, [1, 2, 3]):
        made.take(record)
    assert students(made, LATER) == 3


def test_a_shard_that_is_further_behind_needs_all_to_be_read_again() -> None:
    made = gathered(1, *said(0, WEEK, [1]), *said(0, NEXT, [1, 2]), wanted=NEXT)
    assert made.want(1, WEEK)
    assert students(made, WEEK) is None  # and not lost: it has only not been read
    for record in (*said(0, WEEK, [1]), *said(0, NEXT, [1, 2])):
        made.take(record)
    assert (students(made, WEEK), students(made, NEXT)) == (1, 2)


def test_nothing_is_kept_once_the_last_shard_has_gone() -> None:
    made = gathered(1, *said(0, WEEK, [1]))
    assert not made.want(0, None)
    assert made.want(0, WEEK)
    assert students(made, WEEK) is None


def test_counts_that_cannot_be_read_or_stand_in_a_wrong_place_are_refused() -> None:
    made = gathered(2)
    with pytest.raises(InvalidMessage):
        made.take(Record(0, None, b"poison"))
    with pytest.raises(InvalidMessage, match="must stand in the partition"):
        made.take(Record(0, None, encode(CohortClosed(partition=1, day="2026-01-12", modules=0)), partition=0))


@given(st.permutations([(p, d) for p in range(3) for d in (0, 1)]))
def test_partitions_may_come_in_any_order(order: list[tuple[int, int]]) -> None:
    """Each partition's own weeks come in theirs."""
    weeks = dict.fromkeys(range(3), 0)
    made = gathered(3)
    for partition, _ in order:
        for record in said(partition, WEEK + 7 * weeks[partition], list(range(partition + 1))):
            made.take(record)
        weeks[partition] += 1
    assert (students(made, WEEK), students(made, NEXT)) == (6, 6)
    assert made.lost == set()


# What operations see of a wait.


@pytest.fixture
def metrics() -> IndicatorMetrics:
    return IndicatorMetrics()


@pytest.fixture
def reader(metrics: IndicatorMetrics) -> NormsReader:
    """A reader of three partitions; nothing is read until it runs."""
    made = NormsReader(Settings(kafka=KafkaSettings(partitions=3)), metrics)
    made.want(0, WEEK)
    return made


def test_a_long_wait_names_whom_it_is_for(
    reader: NormsReader, metrics: IndicatorMetrics, monkeypatch: pytest.MonkeyPatch
) -> None:
    wait = Wait(reader, 0, WEEK, metrics)
    assert asyncio.run(wait.norms(0)) is None
    assert wait.problem is None
    assert metrics.registry.get_sample_value("signpost_indicator_norms_missing", {"partition": "0"}) == 3
    monkeypatch.setattr(norms, "LONG_S", 0)
    assert "from partition 0, 1, 2:" in str(wait.problem)
    reader.problem = "it is damaged"
    assert "cannot be read: it is damaged" in str(wait.problem)


def test_a_wait_ends_with_the_last_partition(reader: NormsReader, metrics: IndicatorMetrics) -> None:
    """Whoever is waiting when it comes is told at once."""

    async def meanwhile() -> Norms | None:
        waiting = asyncio.create_task(Wait(reader, 0, WEEK, metrics).norms(60))
        await asyncio.sleep(0)
        for partition in range(3):
            reader.take(said(partition, WEEK, [1]))
        return await waiting

    found = asyncio.run(meanwhile())
    assert found is not None
    assert found.by_module()["M0"].students == 3
    assert metrics.registry.get_sample_value("signpost_indicator_norms_wait_seconds_count") == 1


def test_a_lost_week_is_counted_once(reader: NormsReader, metrics: IndicatorMetrics) -> None:
    reader.take(said(1, NEXT, [1]))
    for _ in range(2):
        assert asyncio.run(Wait(reader, 0, WEEK, metrics).norms(60)) is not None
    assert metrics.registry.get_sample_value("signpost_indicator_norms_lost_total") == 1
    assert metrics.registry.get_sample_value("signpost_indicator_norms_missing", {"partition": "0"}) == 0


def test_what_cannot_be_read_says_where_it_stands_and_how_to_mend_it(reader: NormsReader) -> None:
    with pytest.raises(InvalidMessage, match=r"cohort-norms partition 2 offset 17 .*kafka-delete-records"):
        reader.take([Record(17, None, b"poison", 2)])
