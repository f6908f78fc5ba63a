"""Where an indicators worker's processor time goes, by stage and by function, without Kafka: one partition in memory.

    python -m tests.bench.profile_indicators --events 200000

The stages are measured by a stop-watch around the calls that a shard makes, in a first run; the functions by looks at
the stack, in a second one. Figures go to build/bench/profile.json.
"""

from __future__ import annotations

from collections import Counter
from typing import Any

import click
import msgspec
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from tests.bench.indicators.workload import Workload
from tests.bench.profiling.sampling import Place, Sampler
from tests.bench.profiling.stages import InMemory, Stages
from tests.support import CHECKOUT

RESULT = CHECKOUT / "build" / "bench" / "profile.json"
_SHOWN = 25
_COLUMNS = TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn()


def by_stage(stages: Stages) -> dict[str, float]:
    """Microseconds of processor time for each event that was applied."""
    seconds = stages.seconds
    named = {
        "decode": seconds["decode"],
        "consent, duplicates, counting": seconds["count"] - seconds["decode"],
        "sweeps at ticks": seconds["sweep"],
        "figures and states to write": seconds["publish"],
    }
    return {name: round(taken / stages.events * 1e6, 3) for name, taken in named.items()}


def profile(workload: Workload, progress: Progress) -> dict[str, Any]:
    """Both runs; gives the figures."""
    measuring = progress.add_task("stages", total=workload.events // workload.partitions)
    measured = InMemory(workload)
    measured.run(lambda number: progress.advance(measuring, number))
    looking = progress.add_task("functions", total=workload.events // workload.partitions)
    looked_at = InMemory(workload)
    with Sampler(within="services.indicators") as sampler:
        looked_at.run(lambda number: progress.advance(looking, number))
    stages = measured.stages
    return {
        "events": stages.events,
        "students": workload.students // workload.partitions,
        "us_per_event": by_stage(stages),
        "load_s": round(stages.seconds["load"], 3),
        "sweep_ms": round(sorted(stages.sweeps_s)[len(stages.sweeps_s) // 2] * 1e3, 3),
        "written_bytes_per_event": round(stages.written_bytes / stages.events, 1),
        "by_function": shares(sampler.seen),
    }


def shares(seen: Counter[Place]) -> list[tuple[str, str, float]]:
    """Module, function and share of the time, the largest first."""
    total = sum(seen.values()) or 1
    return [(place.module, place.function, round(number / total, 4)) for place, number in seen.most_common(_SHOWN)]


def show(figures: dict[str, Any]) -> None:
    """Print them."""
    console = Console()
    stages = Table(title=f"{figures['events']:,} events of {figures['students']:,} students, one partition in memory")
    stages.add_column("stage")
    stages.add_column("µs an event", justify="right")
    for name, taken in figures["us_per_event"].items():
        stages.add_row(name, f"{taken:.2f}")
    stages.add_row("all", f"{sum(figures['us_per_event'].values()):.2f}", style="bold")
    console.print(stages)
    functions = Table(title="By function")
    for column in ("module", "function", "share"):
        functions.add_column(column, justify="right" if column == "share" else "left")
    for module, function, share in figures["by_function"]:
        functions.add_row(module, function, f"{share:.1%}")
    console.print(functions)


@click.command(help=__doc__)
@click.option("--events", default=1_000_000, show_default=True, help="of all partitions; a fourth of them is applied")
@click.option("--students", default=None, type=int, help="have so many students instead, with their term's events")
def main(events: int, students: int | None) -> None:
    workload = Workload(students=students) if students else Workload.of_events(events)
    with Progress(*_COLUMNS) as progress:
        figures = profile(workload, progress)
    RESULT.parent.mkdir(parents=True, exist_ok=True)
    RESULT.write_bytes(msgspec.json.format(msgspec.json.encode(figures)) + b"\n")
    show(figures)


if __name__ == "__main__":
    main()
