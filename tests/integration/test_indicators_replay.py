"""One log, read by different workers in different pieces: state, published figures and triggers are the same bytes."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable
from contextlib import closing
from pathlib import Path

import msgspec
import pytest

from services.kernel.settings import KafkaSettings
from services.kernel.topics import ENGAGEMENT_INDICATORS, INDICATORS_STATE
from tests.support.logs import Log, made_up, real
from tests.support.students import Writer
from tests.support.waiting import eventually
from tests.support.workers import (
    WorkerProcess,
    a_shard_is_taken,
    forget_what_workers_made,
    last_values,
    position_reached,
    triggers,
    workers,
)

DATA = os.environ.get("SIGNPOST_TEST_DATA", "")
DAYS = 28  # of the real presentation; in fewer nothing is triggered yet


def digests(kafka: KafkaSettings) -> dict[str, tuple[int, str]]:
    """How much there is, and its hash."""
    return {
        "state": _digest(last_values(kafka, INDICATORS_STATE).items()),
        "indicators": _digest(last_values(kafka, ENGAGEMENT_INDICATORS).items()),
        "triggers": _digest((t.student, msgspec.json.encode(t)) for t in triggers(kafka)),
    }


def _digest(values: Iterable[tuple[str, bytes]]) -> tuple[int, str]:
    said = sorted(values)
    return len(said), hashlib.sha256(msgspec.json.encode(said)).hexdigest()


def read_by_one(kafka: KafkaSettings, folder: Path) -> None:
    """By one worker, in large pieces."""
    with workers(kafka, folder, 1) as (worker,):
        worker.start()
        at_the_end(kafka, worker)


def read_by_several(kafka: KafkaSettings, folder: Path) -> None:
    """By two workers in small pieces, of whom one or the other is killed and started again in between."""
    with workers(kafka, folder, 2, flush_events="700", flush_s="0.05") as pair:
        for worker in pair:
            with a_shard_is_taken(worker):
                worker.start()
        for victim in (*pair, pair[0]):
            with a_shard_is_taken(victim):
                victim.kill()
                victim.start()
        at_the_end(kafka, *pair)


def at_the_end(kafka: KafkaSettings, *running: WorkerProcess) -> None:
    """Let them come to the end of the log, and stop."""
    eventually(lambda: position_reached(kafka) or not all(w.running for w in running), 120, "the end of the events")
    assert [worker.stop() for worker in running] == [0] * len(running)


def assert_same_bytes(kafka: KafkaSettings, folder: Path, log: Log) -> None:
    """Write the log, and let it be read twice."""
    with closing(Writer(kafka)) as writer:
        log.write(writer)
    read_by_one(kafka, folder)
    first = digests(kafka)
    assert all(number for number, _ in first.values())
    forget_what_workers_made(kafka)
    read_by_several(kafka, folder)
    assert digests(kafka) == first


def test_a_made_up_term(kafka_settings: KafkaSettings, tmp_path: Path) -> None:
    """With late and doubled events, cohorts, leave, due work, and consents that end and begin anew."""
    assert_same_bytes(kafka_settings, tmp_path, made_up(students=200, days=35, events_a_day=400, seed=1))


@pytest.mark.skipif(not DATA, reason="SIGNPOST_TEST_DATA names no folder with real data sets")
def test_a_real_presentation(kafka_settings: KafkaSettings, tmp_path: Path) -> None:
    """Of OULAD's smallest, from the first click on."""
    assert_same_bytes(kafka_settings, tmp_path, real(Path(DATA) / "oulad", "AAA/2013J", DAYS))
