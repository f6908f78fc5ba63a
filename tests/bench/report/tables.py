"""The figures as tables: on a terminal, and as Markdown for docs/measured.md."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from rich.console import Console
from rich.table import Table

_WIDEST = 130
VARIANTS = {
    "bare_confluent": "Bare confluent-kafka loop",
    "signpost": "Signpost, one worker",
    "signpost_two_workers": "Signpost, two workers",
    "kafka_streams": "Kafka Streams (Java)",
    "quix": "Quix Streams",
    "faust": "Ordinary Faust",
}


def comparison(figures: dict[str, Any]) -> tuple[list[str], list[list[str]]]:
    """Heads and rows: every variant that was measured."""
    speed, rounds = figures["events_per_s"], figures["rounds"]
    bare = speed.get("bare_confluent")
    heads = ["", "Events/s", "Of the bare loop", "CPU µs an event", "Most memory, MB", "Rounds, thousand/s"]
    rows = [
        [
            title,
            f"{speed[name]:,}",
            f"{speed[name] / bare:.2f}" if bare else "–",
            f"{figures['cpu_us_per_event'][name]:.1f}",
            f"{figures['peak_memory_bytes'][name] / 1e6:.0f}",
            " · ".join(f"{one / 1000:.0f}" for one in rounds[name]),
        ]
        for name, title in VARIANTS.items()
        if name in speed
    ]
    return heads, rows


def show(title: str, heads: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Print a table; all columns but the first are figures."""
    table = Table(title=title)
    for number, head in enumerate(heads):
        table.add_column(head, justify="right" if number else "left")
    for row in rows:
        table.add_row(*row)
    console = Console()
    (console if console.is_terminal else Console(width=_WIDEST)).print(table)


def markdown(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table in Markdown."""
    lines = [heads, ["---", *["---:"] * (len(heads) - 1)], *rows]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def show_comparison(figures: dict[str, Any]) -> None:
    """Print the variants and the ratios."""
    title = f"{figures['records']:,} records of {figures['students']:,} students, {figures['days']} days"
    show(title, *comparison(figures))
    for name in ("ratio_to_bare", "ratio_to_best_python_peer", "ratio_of_two_workers_to_one"):
        Console().print(f"{name}: {figures[name]}")


def scaling(figures: dict[str, Any]) -> tuple[list[str], list[list[str]]]:
    """Heads and rows: every size."""
    heads = [
        "Students",
        "Events read",
        "Events/s",
        "CPU µs an event",
        "Memory, MB",
        "Bytes a student",
        "Daily tick, s",
        "Weekly tick, s",
        "Start to ready, s",
        "Of it reading, s",
    ]
    rows = [
        [
            f"{size['students']:,}",
            f"{size['records']:,}",
            f"{size['events_per_s']:,.0f}",
            f"{size['cpu_us_per_event']:.1f}",
            f"{size['memory_bytes'] / 1e6:,.0f}",
            f"{size['memory_bytes_per_student']:,.0f}",
            f"{size['tick_s']:.2f}",
            f"{size['cohort_tick_s']:.2f}",
            f"{size['recovery_s']:.1f}",
            f"{size['state_read_s']:.2f}",
        ]
        for size in figures["sizes"]
    ]
    return heads, rows


def show_scaling(figures: dict[str, Any]) -> None:
    """Print the sizes."""
    show(f"{figures['days']} days of one worker", *scaling(figures))


def stages(figures: dict[str, Any]) -> tuple[list[str], list[list[str]]]:
    """Heads and rows: every stage of a partition in memory."""
    taken = figures["us_per_event"]
    total = sum(taken.values())
    rows = [[name, f"{one:.2f}", f"{one / total:.0%}"] for name, one in taken.items()]
    return ["Stage", "µs an event", "Share"], [*rows, ["all", f"{total:.2f}", ""]]


def modules(figures: dict[str, Any]) -> tuple[list[str], list[list[str]]]:
    """Heads and rows: the modules that a worker's main thread spends its time in."""
    return ["Module", "Share"], [[module, f"{share:.1%}"] for module, share in figures["by_module"]]
