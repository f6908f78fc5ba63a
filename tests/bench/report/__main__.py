"""Print the tables of docs/measured.md from what the benchmarks wrote down, and draw its pictures.

    python -m tests.bench.report

Only the tables' text goes into the page by hand, below the words about what was run; the pictures are put in place.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import click
import msgspec

from tests.bench.report import pictures, tables
from tests.support import CHECKOUT

_FIGURES = CHECKOUT / "build" / "bench"
_IMAGES = CHECKOUT / "docs" / "images"
Rows = tuple[list[str], list[list[str]]]
_PARTS: tuple[tuple[str, Callable[[dict[str, Any]], Rows], Callable[[dict[str, Any], Path], None]], ...] = (
    ("indicators", tables.comparison, pictures.draw_comparison),
    ("profile", tables.stages, pictures.draw_stages),
    ("scaling", tables.scaling, pictures.draw_scaling),
)


@click.command(help=__doc__)
@click.option("--figures", type=click.Path(path_type=Path), default=_FIGURES, help="folder of NAME.json")
@click.option("--images", type=click.Path(path_type=Path), default=_IMAGES, help="folder for the pictures")
def main(figures: Path, images: Path) -> None:
    """Whatever was measured."""
    for name, rows, draw in _PARTS:
        file = figures / f"{name}.json"
        if not file.is_file():
            click.echo(f"{file} is not there: `make bench` writes it")
            continue
        found = msgspec.json.decode(file.read_bytes())
        draw(found, images / f"bench-{name}.svg")
        click.echo(f"{name}, on {found.get('machine')}\n\n{tables.markdown(*rows(found))}")


if __name__ == "__main__":
    main()
