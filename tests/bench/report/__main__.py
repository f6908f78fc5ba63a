"""Put what the benchmarks wrote down into docs/measured.md, tables and pictures; the words around them stay.

    python -m tests.bench.report

Each table stands with its picture in the page between `<!-- NAME -->` and `<!-- /NAME -->`, and is written anew from
build/bench/NAME.json.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import click
import msgspec

from tests.bench.report import pictures, tables
from tests.support import CHECKOUT

_DOCS = CHECKOUT / "docs"


class Part(NamedTuple):
    """A benchmark's part of the page."""

    name: str
    text: Callable[[dict[str, Any]], str]
    draw: Callable[[dict[str, Any], Path], None]
    shows: str


_PARTS = (
    Part("indicators", tables.comparison_text, pictures.draw_comparison, "Events a second by variant"),
    Part("profile", tables.profile_text, pictures.draw_stages, "Processor time of an event by stage"),
    Part("scaling", tables.scaling_text, pictures.draw_scaling, "Speed, memory, daily tick and recovery by students"),
)


@click.command(help=__doc__)
@click.option("--figures", type=click.Path(path_type=Path), default=CHECKOUT / "build" / "bench", help="of NAME.json")
@click.option("--page", type=click.Path(path_type=Path), default=_DOCS / "measured.md")
@click.option("--images", type=click.Path(path_type=Path), default=_DOCS / "images")
def main(figures: Path, page: Path, images: Path) -> None:
    """Whatever was measured; what was not is left as it stands."""
    text = page.read_text()
    for part in _PARTS:
        file = figures / f"{part.name}.json"
        if not file.is_file():
            click.echo(f"{file} is not there: `make bench` writes it")
            continue
        found = msgspec.json.decode(file.read_bytes())
        picture = images / f"bench-{part.name}.svg"
        part.draw(found, picture)
        text = put(text, part.name, f"![{part.shows}](images/{picture.name})\n\n{part.text(found)}")
        click.echo(f"{part.name}: written into {page} and {picture}")
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
