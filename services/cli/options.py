"""What several commands share: an option, the form of their examples."""

from __future__ import annotations

from pathlib import Path

import click

STATE = click.option(
    "--state",
    type=click.Path(file_okay=False, path_type=Path),
    default=Path(".signpost"),
    show_default=True,
    help="The folder that the local run keeps everything in.",
)


def examples(*lines: str) -> str:
    """A command's examples, which click must not wrap."""
    return "\b\nExamples:\n" + "\n".join(f"  {line}" for line in lines)
