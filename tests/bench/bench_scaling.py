"""What one indicators worker costs as the university grows: speed, memory, time to recover, time of a day's tick.

For each size, four weeks of the simulated term with that many students, one worker process that reads it from nothing;
then single ticks, each timed until every student was judged and what changed is committed; then the worker is stopped
and started again, and reads its state from Kafka. A large university's events are thinned out to a number that can be
read in some seconds, evenly over students and days: so its speed is with more ticks an event than there would be.
"""

from __future__ import annotations

import statistics
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click
import msgspec
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from services.kernel.settings import KafkaSettings
from tests.bench.indicators.log import append_tick, running_broker, write
from tests.bench.indicators.machine import cpu_seconds, machine, peak_memory, resident_memory, warn_if_busy
from tests.bench.indicators.worker import PATIENCE_S, ready, shards_ready, until_committed, workers
from tests.bench.indicators.workload import Workload
from tests.bench.report.tables import show_scaling
from tests.support import CHECKOUT
from tests.support.kafka import delete_topics
from tests.support.waiting import eventually
from tests.support.workers import WorkerProcess

RESULT = CHECKOUT / "build" / "bench" / "scaling.json"
DAYS = 28
_TICKS, _COHORT_TICK = (1, 2, 3), 7  # days after the term; the last is a Monday, when cohorts are counted


class Size(msgspec.Struct, frozen=True):
    """What one size took; seconds and bytes. Recovery is from a process's start, reading what one shard does of it."""

    students: int
    records: int
    events_per_s: float
    cpu_us_per_event: float
    memory_bytes: int
    memory_bytes_per_student: float
    tick_s: float
    tick_cpu_s: float
    cohort_tick_s: float
    recovery_s: float
    state_read_s: float
    recovery_peak_bytes: int


class Measuring:
    """One size on a broker, in topics of its own."""

    def __init__(self, bootstrap: str, folder: Path, workload: Workload, progress: Progress) -> None:
        self._kafka = KafkaSettings(bootstrap=bootstrap, namespace=f"students-{workload.students}-")
        self._folder, self._workload, self._progress = folder, workload, progress

    def measure(self, without_students: int) -> Size:
        """All of it; `without_students` is the memory of a worker that has none."""
        workload = self._workload
        title = f"{workload.students:,} students"
        writing = self._progress.add_task(f"{title}: writing", total=workload.records)
        ends = write(self._kafka, workload, lambda number: self._progress.advance(writing, number))
        reading = self._progress.add_task(f"{title}: reading", total=sum(ends.values()))
        with workers(self._kafka, self._folder) as (worker,):
            eventually(lambda: ready(self._kafka, [worker]), PATIENCE_S, "shards that are ready")
            cpu = cpu_seconds(worker.pid)
            until_committed(self._kafka, [worker], ends, lambda number: self._progress.advance(reading, number))
            seconds, cpu = time.time() - min(shards_ready(worker))[0], cpu_seconds(worker.pid) - cpu
            memory = resident_memory(worker.pid)
            ticks = [self._tick(worker, days) for days in _TICKS]
            cohort_s, _ = self._tick(worker, _COHORT_TICK)
            worker.stop()  # and not killed: else the next would wait until the group has missed it
        recovery_s, state_read_s, recovery_peak = self.recover()
        delete_topics(self._kafka)
        return Size(
            students=workload.students,
            records=sum(ends.values()),
            events_per_s=round(sum(ends.values()) / seconds),
            cpu_us_per_event=round(cpu / sum(ends.values()) * 1e6, 2),
            memory_bytes=memory,
            memory_bytes_per_student=round((memory - without_students) / workload.students),
            tick_s=round(statistics.median(taken for taken, _ in ticks), 3),
            tick_cpu_s=round(statistics.median(cpu for _, cpu in ticks), 3),
            cohort_tick_s=round(cohort_s, 3),
            recovery_s=round(recovery_s, 3),
            state_read_s=round(state_read_s, 3),
            recovery_peak_bytes=recovery_peak,
        )

    def recover(self) -> tuple[float, float, int]:
        """Start a worker on the state that is there.

        Gives the seconds until all shards are ready, those of the slowest shard's reading, and the most memory.
        """
        began = time.time()
        with workers(self._kafka, self._folder) as (worker,):
            eventually(lambda: ready(self._kafka, [worker]), PATIENCE_S, "shards that are ready")
            at, took = zip(*shards_ready(worker), strict=True)
            return max(at) - began, max(took), peak_memory(worker.pid)

    def _tick(self, worker: WorkerProcess, days: int) -> tuple[float, float]:
        """Seconds, and of the processor, from a tick's append until all that it changed is committed."""
        cpu = cpu_seconds(worker.pid)
        began, ends = append_tick(self._kafka, self._workload.tick_after(days))
        until_committed(self._kafka, [worker], ends)
        return time.monotonic() - began, cpu_seconds(worker.pid) - cpu


def memory_without_students(bootstrap: str, folder: Path) -> int:
    """Of a worker that has nothing to read."""
    kafka = KafkaSettings(bootstrap=bootstrap, namespace="nobody-")
    write(kafka, Workload(students=1, days=0), lambda _: None)
    with workers(kafka, folder) as (worker,):
        eventually(lambda: ready(kafka, [worker]), PATIENCE_S, "shards that are ready")
        return resident_memory(worker.pid)


@click.command(help=__doc__)
@click.option("--students", multiple=True, type=int, default=(1_000, 10_000, 100_000, 500_000), show_default=True)
@click.option("--most-events", default=2_000_000, show_default=True, help="of a size; more are thinned out")
def main(students: Sequence[int], most_events: int) -> None:
    """Measure, show, and write the figures down."""
    ran_on = machine()
    columns = TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn()
    sizes = []
    with tempfile.TemporaryDirectory(prefix="signpost-bench-") as name, Progress(*columns) as progress:
        warn_if_busy(ran_on, progress.console.print)
        folder = Path(name)
        with running_broker(folder) as bootstrap:
            nobody = memory_without_students(bootstrap, folder)
            for number in students:
                workload = Workload(students=number, days=DAYS, most_events=most_events)
                sizes.append(Measuring(bootstrap, folder, workload, progress).measure(nobody))
    figures: dict[str, Any] = {
        "days": DAYS,
        "memory_without_students_bytes": nobody,
        "sizes": msgspec.to_builtins(sizes),
        "machine": ran_on,
    }
    RESULT.parent.mkdir(parents=True, exist_ok=True)
    RESULT.write_bytes(msgspec.json.format(msgspec.json.encode(figures)) + b"\n")
    show_scaling(figures)


if __name__ == "__main__":
    main()
