"""Showing how far something is: a bar on a terminal, now and then a plain line elsewhere."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

Step = Callable[[int, str], None]  # how many are done now, and a note
_LINES = 10


@contextmanager
def progress(console: Console, title: str, total: int, unit: str) -> Iterator[Step]:
    """Shows `title` and how many of `total` are done, whenever the function that it gives is called."""
    if console.is_terminal:
        with _bar(console, unit) as bar:
            task = bar.add_task(title, total=total, note="")

            def step(done: int, note: str = "") -> None:
                bar.update(task, completed=done, note=note)

            yield step
    else:
        yield _plain(console, title, total, unit)


def _bar(console: Console, unit: str) -> Progress:
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn(f"{unit}  {{task.fields[note]}}"),
        TimeRemainingColumn(),
        console=console,
    )


def _plain(console: Console, title: str, total: int, unit: str) -> Step:
    shown = 0

    def step(done: int, note: str = "") -> None:
        nonlocal shown
        if done * _LINES // max(total, 1) > shown:
            shown = done * _LINES // max(total, 1)
            console.print(f"{title}: {done}/{total} {unit}  {note}".rstrip(), highlight=False)

    return step
