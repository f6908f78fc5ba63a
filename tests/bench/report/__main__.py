"""Put what the benchmarks wrote down into docs/measured.md, tables and pictures; the words around them stay.

    python -m tests.bench.report

Each table stands in the page between `<!-- NAME -->` and `<!-- /NAME -->`, and is written anew from
build/bench/NAME.json.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click
import msgspec

from tests.bench.report import pictures, tables
from tests.support import CHECKOUT

_DOCS = CHECKOUT / "docs"
_PARTS: tuple[tuple[str, Callable[[dict[str, Any]], str], Callable[[dict[str, Any], Path], None]], ...] = (
    ("indicators", tables.comparison_text, pictures.draw_comparison),
    ("profile", tables.profile_text, pictures.draw_stages),
    ("scaling", tables.scaling_text, pictures.draw_scaling),
)


@click.command(help=__doc__)
@click.option("--figures", type=click.Path(path_type=Path), default=CHECKOUT / "build" / "bench", help="of NAME.json")
@click.option("--page", type=click.Path(path_type=Path), default=_DOCS / "measured.md")
@click.option("--images", type=click.Path(path_type=Path), default=_DOCS / "images")
def main(figures: Path, page: Path, images: Path) -> None:
    """Whatever was measured; what was not is left as it stands."""
    text = page.read_text()
    for name, written, draw in _PARTS:
        file = figures / f"{name}.json"
        if not file.is_file():
            click.echo(f"{file} is not there: `make bench` writes it")
            continue
        found = msgspec.json.decode(file.read_bytes())
        draw(found, images / f"bench-{name}.svg")
        text = put(text, name, written(found))
        click.echo(f"{name}: written into {page} and {images}")
    page.write_text(text)


def put(page: str, name: str, text: str) -> str:
    """The page with another text between the marks of that name.

    Raises:
        ClickException: the marks are not there.
    """
    marks = f"<!-- {name} -->", f"<!-- /{name} -->"
    found = re.compile(f"{marks[0]}.*?{marks[1]}", re.DOTALL)
    if not found.search(page):
        raise click.ClickException(f"There is no {marks[0]} … {marks[1]} in the page: put them where the table belongs")
    return found.sub(lambda _: f"{marks[0]}\n{text}{marks[1]}", page)


if __name__ == "__main__":
    main()
