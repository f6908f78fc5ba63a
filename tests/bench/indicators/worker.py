"""Running real indicators workers over a log, and what they took."""

from __future__ import annotations

import re
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from datetime import datetime
from pathlib import Path

import msgspec
from kafka import KafkaConsumer, TopicPartition

from services.kernel.settings import KafkaSettings
from services.kernel.topics import ACTIVITY_EVENTS
from tests.bench.indicators.machine import cpu_seconds, peak_memory
from tests.bench.indicators.measured import Measured
from tests.support.waiting import eventually
from tests.support.workers import WorkerProcess, forget_what_workers_made

PATIENCE_S = 900.0
_OUTCOME = re.compile(r'^signpost_indicator_events_total\{outcome="([^"]+)"\} (\S+)$', re.MULTILINE)
_TAKEN_IN, _MOST = ("counted", "not-qualifying", "duplicate"), 0.99


def run_workers(
    kafka: KafkaSettings, folder: Path, ends: Mapping[int, int], advance: Callable[[int], object], number: int = 1
) -> Measured:
    """From an empty state until the positions that the workers committed have reached the ends.

    The time runs from the moment at which the first shard could begin to read; that processes start does not count.
    """
    forget_what_workers_made(kafka)
    with workers(kafka, folder, number) as running:
        eventually(lambda: ready(kafka, running), PATIENCE_S, "shards that are ready")
        cpu_before = sum(cpu_seconds(worker.pid) for worker in running)
        until_committed(kafka, running, ends, advance)
        ended, total = time.time(), sum(ends.values())
        cpu = sum(cpu_seconds(worker.pid) for worker in running) - cpu_before
        memory = sum(peak_memory(worker.pid) for worker in running)
        _check_outcomes(running)
    began = min(at for worker in running for at, _ in shards_ready(worker))
    return Measured(total / (ended - began), cpu / total * 1e6, memory)


@contextmanager
def workers(kafka: KafkaSettings, folder: Path, number: int = 1) -> Iterator[Sequence[WorkerProcess]]:
    """Workers that run; none is left afterwards."""
    made = [WorkerProcess(kafka, folder, f"worker-{time.time_ns()}-{one}") for one in range(number)]
    try:
        yield [worker.start() for worker in made]
    finally:
        for worker in made:
            worker.kill()


def until_committed(
    kafka: KafkaSettings,
    running: Sequence[WorkerProcess],
    ends: Mapping[int, int],
    advance: Callable[[int], object] = lambda _: None,
) -> None:
    """Wait until the committed positions have reached the ends."""
    total, done = sum(ends.values()), 0
    group = kafka.group("indicators-shards")
    with closing(
        KafkaConsumer(bootstrap_servers=kafka.bootstrap, group_id=group, enable_auto_commit=False)
    ) as consumer:

        def at_end() -> bool:
            nonlocal done
            _check(running)
            now = committed(consumer, kafka)
            advance(now - done)
            done = now
            return done >= total

        eventually(at_end, PATIENCE_S, "the end of the events")


def ready(kafka: KafkaSettings, running: Sequence[WorkerProcess]) -> bool:
    """Whether every partition's shard has read its state."""
    _check(running)
    return sum(len(shards_ready(worker)) for worker in running) >= kafka.partitions


def shards_ready(worker: WorkerProcess) -> list[tuple[float, float]]:
    """When each of its shards was ready, in seconds since 1970, and how long it had read its state."""
    lines = [line for line in worker.log.read_text(errors="replace").splitlines() if '"shard_ready"' in line]
    said = [msgspec.json.decode(line[line.index("{") :]) for line in lines]
    return [(datetime.fromisoformat(one["timestamp"]).timestamp(), one["seconds"]) for one in said]


def _check_outcomes(running: Sequence[WorkerProcess]) -> None:
    """See that the workers did the work: they took almost all events in, and did not discard them."""
    found: Counter[str] = Counter()
    for worker in running:
        for outcome, number in _OUTCOME.findall(worker.metrics()):
            found[outcome] += int(float(number))
    events = sum(number for outcome, number in found.items() if not outcome.startswith("tick"))
    if not events or sum(found[outcome] for outcome in _TAKEN_IN) / events < _MOST:
        raise RuntimeError(f"The workers discarded too many events to be measured: {dict(found)}")


def _check(running: Sequence[WorkerProcess]) -> None:
    for worker in running:
        if not worker.running:
            raise RuntimeError(f"A worker has ended; the end of what it said:\n{worker.log.read_text()[-3000:]}")


def committed(consumer: KafkaConsumer, kafka: KafkaSettings) -> int:
    """How many records the shards have committed, in all partitions."""
    name = kafka.topic(ACTIVITY_EVENTS)
    return sum(consumer.committed(TopicPartition(name, number)) or 0 for number in range(kafka.partitions))
