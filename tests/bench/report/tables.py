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


def comparison_text(figures: dict[str, Any]) -> str:
    """The table, and below it what the ratios are and on what it ran."""
    peers = {name: figures["events_per_s"][name] for name in ("quix", "faust") if name in figures["events_per_s"]}
    said = [
        (figures["ratio_to_bare"], "One worker: {} of the bare loop"),
        (figures["ratio_to_best_python_peer"], f"{{}} × the best Python peer ({_title(peers)})"),
        (figures["ratio_of_two_workers_to_one"], "two workers: {} × one"),
    ]
    ratios = "; ".join(text.format(f"{ratio:.2f}") for ratio, text in said if ratio is not None)
    read = (
        f"{figures['records']:,} records of {figures['students']:,} students and {figures['days']} days;"
        f" Faust read {figures['records_of_faust']:,} of the same kind."
    )
    return f"{markdown(*comparison(figures))}\n{ratios}. {read} {_ran_on(figures)}\n"


def profile_text(figures: dict[str, Any]) -> str:
    """The stages of a partition in memory, and the modules of a real worker."""
    text = f"{markdown(*stages(figures))}\n{figures['events']:,} events of {figures['students']:,} students. "
    text += f"{_ran_on(figures)}\n"
    if worker := figures.get("worker"):
        text += f"\n{markdown(*modules(worker))}\n{worker['records']:,} records, "
        text += f"{worker['cpu_us_per_event']:.1f} µs of processor time each.\n"
    return text


def scaling_text(figures: dict[str, Any]) -> str:
    """The sizes, and on what it ran."""
    nobody = figures["memory_without_students_bytes"] / 1e6
    return f"{markdown(*scaling(figures))}\nA worker without students has {nobody:.0f} MB. {_ran_on(figures)}\n"


def _title(peers: dict[str, int]) -> str:
    return VARIANTS[max(peers, key=peers.__getitem__)] if peers else "none was measured"


def _ran_on(figures: dict[str, Any]) -> str:
    ran_on = figures["machine"]
    return (
        f"Machine: {ran_on['cores']} cores ({ran_on['cpu']}), {ran_on['system']},"
        f" Python {ran_on['python']}, a load of {ran_on['load_1_min']:g} when it began."
    )
