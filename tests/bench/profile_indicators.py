"""Where an indicators worker's processor time goes: by stage in memory, and by module in a real worker process.

    python -m tests.bench.profile_indicators --events 200000 --in-memory

In memory, one partition of the workload: the stages are measured by a stop-watch around the calls that a shard makes,
in a first run; the functions by looks at the stack, in a second one. Then a worker process on a real broker, by looks
at its stack. Figures go to build/bench/profile.json.
"""

from __future__ import annotations

import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import Any

import click
import msgspec
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from services.kernel.settings import KafkaSettings
from tests.bench.indicators.log import running_broker, write
from tests.bench.indicators.machine import cpu_seconds, machine
from tests.bench.indicators.worker import PATIENCE_S, ready, shards_ready, until_committed
from tests.bench.indicators.workload import Workload
from tests.bench.profiling.sampling import Place, Sampler
from tests.bench.profiling.stages import InMemory, Stages
from tests.bench.report.tables import modules, show, stages
from tests.support import CHECKOUT
from tests.support.waiting import eventually
from tests.support.workers import WorkerProcess

RESULT = CHECKOUT / "build" / "bench" / "profile.json"
_SHOWN = 25
_COLUMNS = TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn()


def in_memory(workload: Workload, progress: Progress) -> dict[str, Any]:
    """Both runs; gives the figures."""
    measuring = progress.add_task("in memory: stages", total=workload.events // workload.partitions)
    measured = InMemory(workload)
    measured.run(lambda number: progress.advance(measuring, number))
    looking = progress.add_task("in memory: functions", total=workload.events // workload.partitions)
    looked_at = InMemory(workload)
    with Sampler(within="services.indicators") as sampler:
        looked_at.run(lambda number: progress.advance(looking, number))
    taken = measured.stages
    return {
        "events": taken.events,
        "students": workload.students // workload.partitions,
        "us_per_event": by_stage(taken),
        "load_s": round(taken.seconds["load"], 3),
        "sweep_ms": round(sorted(taken.sweeps_s)[len(taken.sweeps_s) // 2] * 1e3, 3),
        "published": taken.published,
        "publish_us_per_student": round(taken.seconds["publish"] / max(1, taken.published) * 1e6, 1),
        "written_bytes_per_event": round(taken.written_bytes / taken.events, 1),
        "by_function": shares(sampler.seen),
    }


def by_stage(taken: Stages) -> dict[str, float]:
    """Microseconds of processor time for each event that was applied."""
    seconds = taken.seconds
    named = {
        "decode": seconds["decode"],
        "consent, duplicates, counting": seconds["count"] - seconds["decode"],
        "sweeps at ticks": seconds["sweep"],
        "states to write": seconds["states"],
        "figures of everybody, once": seconds["publish"],
    }
    return {name: round(taken_s / taken.events * 1e6, 3) for name, taken_s in named.items()}


def worker_process(workload: Workload, progress: Progress) -> dict[str, Any]:
    """A real worker over a real log; gives the figures."""
    writing = progress.add_task("worker: writing", total=workload.records)
    with tempfile.TemporaryDirectory(prefix="signpost-bench-") as name:
        folder = Path(name)
        with running_broker(folder) as bootstrap:
            kafka = KafkaSettings(bootstrap=bootstrap)
            ends = write(kafka, workload, lambda number: progress.advance(writing, number))
            reading = progress.add_task("worker: reading", total=sum(ends.values()))
            worker = WorkerProcess(kafka, folder, "sampled")
            worker.command = (sys.executable, "-m", "tests.bench.profiling.sampled_worker", str(folder / "seen.json"))
            worker.start()
            try:
                eventually(lambda: ready(kafka, [worker]), PATIENCE_S, "shards that are ready")
                cpu = cpu_seconds(worker.pid)
                until_committed(kafka, [worker], ends, lambda number: progress.advance(reading, number))
                seconds, cpu = time.time() - min(shards_ready(worker))[0], cpu_seconds(worker.pid) - cpu
            finally:
                worker.stop()
            seen = msgspec.json.decode((folder / "seen.json").read_bytes(), type=list[tuple[str, str, int]])
    counted = Counter({Place(module, function): number for module, function, number in seen})
    by_module: Counter[str] = Counter()
    for place, number in counted.items():
        by_module[place.module] += number
    total = counted.total()
    return {
        "records": sum(ends.values()),
        "seconds": round(seconds, 2),
        "cpu_us_per_event": round(cpu / sum(ends.values()) * 1e6, 2),
        "by_module": [(module, round(number / total, 4)) for module, number in by_module.most_common(_SHOWN)],
        "by_function": shares(counted),
    }


def shares(seen: Counter[Place]) -> list[tuple[str, str, float]]:
    """Module, function and share of the time, the largest first."""
    total = seen.total() or 1
    return [(place.module, place.function, round(number / total, 4)) for place, number in seen.most_common(_SHOWN)]


def show_profile(figures: dict[str, Any]) -> None:
    """Print them."""
    heads = ["Module", "Function", "Share"]
    show(f"{figures['events']:,} events of {figures['students']:,} students in memory", *stages(figures))
    show("In memory", heads, [[module, function, f"{share:.1%}"] for module, function, share in figures["by_function"]])
    if worker := figures.get("worker"):
        show(f"A worker process: {worker['cpu_us_per_event']} µs of the processor an event", *modules(worker))
        found = worker["by_function"]
        show("A worker process", heads, [[module, function, f"{share:.1%}"] for module, function, share in found])


@click.command(help=__doc__)
@click.option("--events", default=1_000_000, show_default=True, help="of all partitions; in memory a fourth is applied")
@click.option("--students", default=None, type=int, help="have so many students instead, with their term's events")
@click.option("--in-memory", "only_memory", is_flag=True, help="no broker, no worker process")
def main(events: int, students: int | None, *, only_memory: bool) -> None:
    """Measure, show, and write the figures down."""
    workload = Workload(students=students) if students else Workload.of_events(events)
    with Progress(*_COLUMNS) as progress:
        figures = in_memory(workload, progress) | {"machine": machine()}
        if not only_memory:
            figures["worker"] = worker_process(workload, progress)
    RESULT.parent.mkdir(parents=True, exist_ok=True)
    RESULT.write_bytes(msgspec.json.format(msgspec.json.encode(figures)) + b"\n")
    show_profile(figures)


if __name__ == "__main__":
    main()
