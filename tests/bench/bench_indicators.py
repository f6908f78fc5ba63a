"""How fast an indicators worker takes a backlog of events, beside a loop that only decodes and counts.

One broker, one log of events. Each round reads all of it with the bare loop, then with a real worker process that
begins without any state and is done when the positions that it committed have reached the end. Both are timed from the
moment at which they could begin to read, so the start of a process does not count.
"""

from __future__ import annotations

import asyncio
import os
import platform
import statistics
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from contextlib import closing
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any

import msgspec
from aiokafka import AIOKafkaConsumer
from aiokafka import TopicPartition as Partition
from kafka import KafkaConsumer, TopicPartition
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from deploy.local.kafka.broker import Broker
from deploy.local.machine.ports import free_port
from services.kernel.clock import DAY_MS
from services.kernel.codec import decoder
from services.kernel.events import ActivityRecorded
from services.kernel.kafka import provision
from services.kernel.settings import KafkaSettings
from services.kernel.topics import ACTIVITY_EVENTS, ENGAGEMENT_INDICATORS, INDICATORS_STATE, SUPPORT_TRIGGERS
from tests.support import CHECKOUT
from tests.support.brokers import JARS
from tests.support.kafka import admin_client
from tests.support.students import Writer, consent, enrolled, student_of, term
from tests.support.waiting import eventually
from tests.support.workers import WorkerProcess

STUDENTS, DAYS, EVENTS_A_DAY = 4_000, 28, 14_300
ROUNDS = 3
RESULT = CHECKOUT / "build" / "bench" / "indicators.json"
_STATE = (INDICATORS_STATE, ENGAGEMENT_INDICATORS, SUPPORT_TRIGGERS)
_PATIENCE_S = 600.0

Advance = Callable[[int], object]


class Measured(msgspec.Struct, frozen=True):
    """What one reading took; the processor's time hardly depends on what else the machine had to do."""

    events_per_s: float
    cpu_s: float
    peak_memory_bytes: int = 0


def write_term(kafka: KafkaSettings, advance: Advance) -> None:
    """Consents and enrolments of all students, then their events with a tick a day."""
    students = [student_of(f"bench-{number}") for number in range(STUDENTS)]
    with closing(Writer(kafka)) as writer:
        writer.consents(consent(student) for student in students)
        writer.enrolments(enrolled(student) for student in students)
        for day in term(students, DAYS, EVENTS_A_DAY, seed=1, slices_a_day=1):
            writer.slice(day)
            advance(len(day.events))


def ends_of_events(kafka: KafkaSettings) -> dict[int, int]:
    """The end of each partition of the events."""
    with closing(KafkaConsumer(bootstrap_servers=kafka.bootstrap)) as consumer:
        name = kafka.topic(ACTIVITY_EVENTS)
        ends = consumer.end_offsets([TopicPartition(name, number) for number in range(kafka.partitions)])
    return {partition.partition: end for partition, end in ends.items()}


async def bare_loop(kafka: KafkaSettings, ends: dict[int, int], advance: Advance) -> Measured:
    """Decode every record, and count each student's events by day."""
    decode, total = decoder(ACTIVITY_EVENTS), sum(ends.values())
    counts: Counter[tuple[str, int]] = Counter()
    consumer = AIOKafkaConsumer(bootstrap_servers=kafka.bootstrap, enable_auto_commit=False)
    await consumer.start()
    try:
        partitions = [Partition(kafka.topic(ACTIVITY_EVENTS), number) for number in ends]
        consumer.assign(partitions)
        await consumer.seek_to_beginning(*partitions)
        started, cpu_started, done = time.monotonic(), time.process_time(), 0
        while done < total:
            for records in (await consumer.getmany(timeout_ms=1_000)).values():
                for record in records:
                    event = decode(record.value)
                    if type(event) is ActivityRecorded:
                        counts[event.student, event.occurred_ms // DAY_MS] += event.weight
                done += len(records)
                advance(len(records))
        return Measured(total / (time.monotonic() - started), time.process_time() - cpu_started)
    finally:
        await consumer.stop()


def worker_from_empty_state(kafka: KafkaSettings, folder: Path, ends: dict[int, int], advance: Advance) -> Measured:
    """Start a worker, and wait until it has committed the end of the events."""
    forget_state(kafka)
    worker = WorkerProcess(kafka, folder, f"worker-{time.monotonic_ns()}").start()
    group = kafka.group("indicators-shards")
    done, cpu_started = 0, None
    try:
        with closing(
            KafkaConsumer(bootstrap_servers=kafka.bootstrap, group_id=group, enable_auto_commit=False)
        ) as consumer:

            def at_end() -> bool:
                nonlocal done, cpu_started
                assert worker.running, worker.log.read_text()
                if cpu_started is None and worker.said('"shard_ready"'):
                    cpu_started = cpu_seconds(worker.pid)
                now = committed(consumer, kafka)
                advance(now - done)
                done = now
                return done >= sum(ends.values())

            eventually(at_end, _PATIENCE_S, "the end of the events")
            ended = time.time()
        speed = sum(ends.values()) / (ended - could_begin(worker))
        return Measured(speed, cpu_seconds(worker.pid) - (cpu_started or 0), peak_memory(worker.pid))
    finally:
        worker.stop()


def forget_state(kafka: KafkaSettings) -> None:
    """Make the worker's own topics anew, and let its groups forget where they were."""
    with admin_client(kafka) as admin:
        admin.delete_topics([kafka.topic(topic) for topic in _STATE])
        groups = {found["group_id"] for found in admin.list_groups()}
        admin.delete_groups(sorted(groups & {kafka.group("indicators"), kafka.group("indicators-shards")}))
    made: list[str] = []

    def all_made() -> bool:
        made.extend(provision(kafka))
        return len(made) == len(_STATE)

    eventually(all_made, what="the worker's own topics")


def committed(consumer: KafkaConsumer, kafka: KafkaSettings) -> int:
    """How many records the shards have committed, in all partitions."""
    name = kafka.topic(ACTIVITY_EVENTS)
    return sum(consumer.committed(TopicPartition(name, number)) or 0 for number in range(kafka.partitions))


def could_begin(worker: WorkerProcess) -> float:
    """When the first of its shards was ready, in seconds since 1970."""
    line = next(line for line in worker.log.read_text().splitlines() if '"shard_ready"' in line)
    return datetime.fromisoformat(msgspec.json.decode(line[line.index("{") :])["timestamp"]).timestamp()


def peak_memory(pid: int) -> int:
    """The most memory that a process ever had resident, in bytes; 0 where the system does not say."""
    status = Path(f"/proc/{pid}/status")
    lines = status.read_text().splitlines() if status.is_file() else []
    return next((int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM:")), 0)


def cpu_seconds(pid: int) -> float:
    """The processor's time that a process has used; 0 where the system does not say."""
    stat = Path(f"/proc/{pid}/stat")
    if not stat.is_file():
        return 0
    user, system = stat.read_text().rpartition(")")[2].split()[11:13]
    return (int(user) + int(system)) / os.sysconf("SC_CLK_TCK")


def machine() -> dict[str, Any]:
    """What it ran on, and what else the machine had to do."""
    file = Path("/proc/cpuinfo")
    lines = file.read_text().splitlines() if file.is_file() else []
    model = next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), "")
    return {
        "cores": os.cpu_count(),
        "cpu": model or platform.processor(),
        "python": platform.python_version(),
        "system": platform.system(),
        "load_1_min": round(os.getloadavg()[0], 1),
    }


def measure(kafka: KafkaSettings, folder: Path, progress: Progress) -> tuple[int, list[Measured], list[Measured]]:
    """Write the log and read it in rounds; gives its length, and what the loop and the worker made of it."""
    writing = progress.add_task("writing events", total=DAYS * EVENTS_A_DAY)
    write_term(kafka, lambda number: progress.advance(writing, number))
    ends = ends_of_events(kafka)
    bare, signpost = [], []
    for number in range(1, ROUNDS + 1):
        loop = progress.add_task(f"round {number}: bare loop", total=sum(ends.values()))
        bare.append(asyncio.run(bare_loop(kafka, ends, partial(progress.advance, loop))))
        worker = progress.add_task(f"round {number}: worker", total=sum(ends.values()))
        signpost.append(worker_from_empty_state(kafka, folder, ends, partial(progress.advance, worker)))
    return sum(ends.values()), bare, signpost


def result(events: int, bare: list[Measured], signpost: list[Measured], ran_on: dict[str, Any]) -> dict[str, Any]:
    """The figures: medians, and each round's beside them."""
    rounds = {name: [round(m.events_per_s) for m in found] for name, found in _named(bare, signpost)}
    medians = {name: round(statistics.median(m.events_per_s for m in found)) for name, found in _named(bare, signpost)}
    return {
        "events_per_s": medians,
        "ratio_to_bare": round(medians["signpost"] / medians["bare_aiokafka"], 3),
        "peak_memory_bytes": max(m.peak_memory_bytes for m in signpost),
        "machine": ran_on,
        "events": events,
        "students": STUDENTS,
        "rounds": rounds,
        "cpu_us_per_event": {
            name: round(statistics.median(m.cpu_s for m in found) / events * 1e6, 1)
            for name, found in _named(bare, signpost)
        },
    }


def show(figures: dict[str, Any]) -> None:
    """Print the figures."""
    table = Table(title=f"{figures['events']:,} events of {STUDENTS:,} students, medians of {ROUNDS} rounds")
    table.add_column("")
    table.add_column("events/s", justify="right")
    table.add_column("CPU µs an event", justify="right")
    for name, speed in figures["events_per_s"].items():
        table.add_row(name, f"{speed:,}", f"{figures['cpu_us_per_event'][name]:g}")
    table.add_row("of the bare loop", f"{figures['ratio_to_bare']:.2f}")
    table.add_row("peak memory, MB", f"{figures['peak_memory_bytes'] / 1e6:.0f}")
    Console().print(table)


def _named(bare: list[Measured], signpost: list[Measured]) -> list[tuple[str, list[Measured]]]:
    return [("bare_aiokafka", bare), ("signpost", signpost)]


def main() -> None:
    """Measure, show, and write the figures down."""
    ran_on = machine()
    columns = TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn()
    with tempfile.TemporaryDirectory(prefix="signpost-bench-") as name, Progress(*columns) as progress:
        port = free_port()
        broker = Broker(Path(name) / "broker", JARS, port, free_port(exclude=[port]))
        broker.start()
        try:
            kafka = KafkaSettings(bootstrap=broker.bootstrap)
            provision(kafka)
            figures = result(*measure(kafka, Path(name), progress), ran_on)
        finally:
            broker.stop()
    RESULT.parent.mkdir(parents=True, exist_ok=True)
    RESULT.write_bytes(msgspec.json.format(msgspec.json.encode(figures)) + b"\n")
    show(figures)


if __name__ == "__main__":
    main()
