"""How fast one indicators worker takes a backlog of events, beside a loop that only counts and other frameworks.

One broker, one log: a simulated term of many students. In each round every variant reads all of it, from nothing to
its end, one process each; medians count. The worker is done when the positions that it committed with its figures have
reached the end; the others when they have taken their last record, whether or not it is committed. The ordinary Faust
way is too slow for all of it and reads a smaller log of the same kind. The state of each stays on the broker.
"""

from __future__ import annotations

import tempfile
from collections import defaultdict
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import click
import msgspec
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from services.kernel.settings import KafkaSettings
from tests.bench.indicators import agreement
from tests.bench.indicators.log import Advance, running_broker, write
from tests.bench.indicators.machine import machine, warn_if_busy
from tests.bench.indicators.measured import Measured, medians
from tests.bench.indicators.peer import commands, run_peer
from tests.bench.indicators.worker import run_workers
from tests.bench.indicators.workload import Workload
from tests.bench.report.tables import show_comparison
from tests.support import CHECKOUT

RESULT = CHECKOUT / "build" / "bench" / "indicators.json"
BARE, SIGNPOST, TWO_WORKERS, SLOW = "bare_confluent", "signpost", "signpost_two_workers", "faust"
_GATHER_S = 4.0  # in which two workers have both started
PYTHON_PEERS = (SLOW, "quix")

Reading = Callable[[Advance], Measured]


class Log:
    """A log that was written: its settings, and what stands in it."""

    def __init__(self, kafka: KafkaSettings, workload: Workload, progress: Progress) -> None:
        self.kafka, self.workload = kafka, workload
        writing = progress.add_task(
            f"{workload.events:,} events of {workload.students:,} students", total=workload.records
        )
        self.ends = write(kafka, workload, lambda number: progress.advance(writing, number))
        self.records = sum(self.ends.values())


def readings(log: Log, small: Log, folder: Path, say: Callable[[str], None]) -> dict[str, tuple[Log, Reading]]:
    """Every variant, with the log that it reads."""
    found: dict[str, tuple[Log, Reading]] = {
        SIGNPOST: (log, partial(run_workers, log.kafka, folder, log.ends)),
        TWO_WORKERS: (log, partial(run_workers, log.kafka, folder, log.ends, number=2)),
    }
    for name, command in commands(say).items():
        read = small if name == SLOW else log
        found[name] = read, partial(run_peer, read.kafka, command, folder, read.records)
    return {BARE: found.pop(BARE), **found}


def check_peers(small: Log, folder: Path, progress: Progress) -> None:
    """Let each peer read the small log, and compare what it wrote with what is right."""
    wanted = agreement.expected(small.workload)
    for name, command in commands(progress.console.print).items():
        if name != BARE:
            checking = progress.add_task(f"check: {name}", total=small.records)

            def look(topic: str, name: str = name) -> None:
                agreement.check(name, agreement.said_by(small.kafka, topic), wanted)

            run_peer(small.kafka, command, folder, small.records, partial(progress.advance, checking), look=look)


def measure(variants: dict[str, tuple[Log, Reading]], rounds: int, progress: Progress) -> dict[str, list[Measured]]:
    """Let all read in turn, as often as there are rounds."""
    found: dict[str, list[Measured]] = defaultdict(list)
    for number in range(1, rounds + 1):
        for name, (log, read) in variants.items():
            reading = progress.add_task(f"round {number}: {name}", total=log.records)
            found[name].append(read(partial(progress.advance, reading)))
            progress.update(reading, completed=log.records)
    return found


def result(measured: dict[str, list[Measured]], log: Log, small: Log, ran_on: dict[str, Any]) -> dict[str, Any]:
    """The figures that are written down."""
    figures = medians(measured)
    speed = figures["events_per_s"]
    peers = {name: speed[name] for name in PYTHON_PEERS if name in speed}
    ratios = {
        "ratio_to_bare": _ratio(speed, SIGNPOST, speed.get(BARE)),
        "ratio_to_best_python_peer": _ratio(speed, SIGNPOST, max(peers.values(), default=None)),
        "ratio_of_two_workers_to_one": _ratio(speed, TWO_WORKERS, speed.get(SIGNPOST)),
    }
    read = {"records": log.records, "students": log.workload.students, "days": log.workload.days}
    return {**figures, **ratios, **read, "records_of_faust": small.records, "machine": ran_on}


def _ratio(speed: dict[str, int], name: str, other: int | None) -> float | None:
    return round(speed[name] / other, 3) if other and name in speed else None


@click.command(help=__doc__)
@click.option("--events", default=2_000_000, show_default=True, help="at least, in the log")
@click.option(
    "--small-events", default=40_000, show_default=True, help="at least, in the log for the ordinary Faust way"
)
@click.option("--rounds", default=3, show_default=True)
@click.option("--unchecked", is_flag=True, help="do not check first that the peers do the job")
@click.option("--only", multiple=True, help="a variant, as in the table; may be repeated")
def main(events: int, small_events: int, rounds: int, only: Sequence[str], *, unchecked: bool) -> None:
    """Measure, show, and write the figures down."""
    ran_on = machine()
    columns = TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn()
    with tempfile.TemporaryDirectory(prefix="signpost-bench-") as name, Progress(*columns) as progress:
        warn_if_busy(ran_on, progress.console.print)
        folder = Path(name)
        with running_broker(folder, gather_s=_GATHER_S) as bootstrap:
            log = Log(KafkaSettings(bootstrap=bootstrap), Workload.of_events(events), progress)
            small = Log(
                KafkaSettings(bootstrap=bootstrap, namespace="small-"), Workload.of_events(small_events), progress
            )
            if not unchecked:
                check_peers(small, folder, progress)
            variants = readings(log, small, folder, progress.console.print)
            chosen = {name: variant for name, variant in variants.items() if not only or name in only}
            figures = result(measure(chosen, rounds, progress), log, small, ran_on)
    RESULT.parent.mkdir(parents=True, exist_ok=True)
    RESULT.write_bytes(msgspec.json.format(msgspec.json.encode(figures)) + b"\n")
    show_comparison(figures)


if __name__ == "__main__":
    main()
