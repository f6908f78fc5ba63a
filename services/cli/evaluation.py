"""Questions about the indicators: how well they tell, and what other thresholds would do."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from services.cli.options import STATE, examples

_PLOT = click.option(
    "--plot", metavar="FILE", type=click.Path(dir_okay=False, path_type=Path), help="Draw it too: .svg, .png or .pdf."
)
_JSON = click.option("--json", "as_json", is_flag=True, help="For a program.")
_PRESENTATIONS = click.option(
    "--presentation", "presentations", multiple=True, metavar="MODULE/RUN", help="Only this one; repeatable."
)
_FOLDER = click.Path(exists=True, file_okay=False, path_type=Path)
_WEEK = 7


@click.group()
def evaluate() -> None:
    """Score the index and the rules against outcomes."""


@evaluate.command(
    epilog=examples(
        "signpost evaluate oulad ~/oulad",
        "signpost evaluate oulad ~/oulad --presentation BBB/2013J --plot bbb.svg",
        "signpost evaluate oulad ~/oulad --day 21 --day 42 --json",
    )
)
@click.argument("folder", metavar="DIR", type=_FOLDER)
@_PRESENTATIONS
@click.option(
    "--day",
    "days",
    multiple=True,
    type=click.IntRange(1, 400),
    help="Score at the end of this day; repeatable.  [default: 28, 56, 84 and 112]",
)
@_JSON
@_PLOT
def oulad(
    folder: Path, presentations: tuple[str, ...], days: tuple[int, ...], *, as_json: bool, plot: Path | None
) -> None:
    """Score them on the Open University's public dataset in DIR.

    Needs no stack: the files of the Open University Learning Analytics Dataset, the official CSV or the same as
    Parquet, of any presentations. Signpost's own formulas, rules and index run over them as they would in the stream
    if everybody had consented, and meet the final results: flag rate, precision, recall, AUC, how early a rule spoke,
    and how far groups of students lie apart. No formula or rule reads what group a student is in.
    """
    from json import dumps

    from rich.console import Console

    from deploy.demo.outcomes.evaluation import DAYS, RULE
    from deploy.demo.outcomes.report import as_json as in_json
    from deploy.demo.outcomes.report import as_tables
    from deploy.demo.progress import progress
    from services.cli import histories
    from services.kernel.register import load_register
    from services.kernel.settings import load_settings

    _check(plot)
    aside = Console(stderr=True, highlight=False)
    found = histories.presentations(folder, presentations, load_register(load_settings().register_file), aside)
    wanted = set(days or DAYS)
    weekly = set(range(_WEEK, found.shortest + 1, _WEEK)) if plot else set()
    with progress(aside, "Days judged", max(wanted | weekly), "days") as step:
        scored = list(found.days(sorted(wanted | weekly), step))
    asked = [day for day in scored if day.day in wanted]
    if as_json:
        click.echo(dumps(in_json(asked, RULE), indent=2, ensure_ascii=False))
    else:
        Console(highlight=False).print(*as_tables(asked, RULE, found.notes), sep="\n")
    if plot:
        from deploy.demo.outcomes.plot import draw

        _save(draw(scored, RULE), plot)


@click.command(
    epilog=examples(
        "signpost simulate --thresholds earlier.toml",
        "signpost simulate --thresholds earlier.toml --plot loads.svg",
        "signpost simulate --thresholds earlier.toml --oulad ~/oulad --json",
    )
)
@click.option(
    "--thresholds",
    metavar="FILE",
    required=True,
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="What is to be different: [[indicators]], [[thresholds]], [[rules]], [[vacations]] as in the register (TOML).",
)
@click.option("--oulad", "folder", metavar="DIR", type=_FOLDER, help="Judge this public dataset, not a stack.")
@_PRESENTATIONS
@_JSON
@_PLOT
@STATE
def simulate(  # noqa: PLR0913 - each is an option
    thresholds: Path,
    folder: Path | None,
    presentations: tuple[str, ...],
    state: Path,
    *,
    as_json: bool,
    plot: Path | None,
) -> None:
    """Try other thresholds on the history there is.

    Needs a stack: the one that `signpost up` runs here or, where it never did, the broker and notify's database of
    the settings. Replays what its topics still hold twice in memory, by the present register and by the one with FILE
    in it, and prints the alerts per tutor and week of both. Nothing is written, and nobody is told. Only students who
    permit it now are in it, and numbers only come out.
    """
    from json import dumps

    from rich.console import Console

    from services.cli import histories
    from services.indicators.simulation.report import as_json as in_json
    from services.indicators.simulation.report import as_tables
    from services.kernel.amendments import amended
    from services.kernel.register import load_register
    from services.kernel.settings import load_settings

    _check(plot)
    aside = Console(stderr=True, highlight=False)
    settings = load_settings() if folder else histories.settings_of(state)
    registers = load_register(settings.register_file), amended(thresholds, settings.register_file)
    if folder:
        loads = histories.of_oulad(folder, presentations, *registers, aside)
    else:
        loads = histories.of_stack(settings, *registers, aside)
    if as_json:
        click.echo(dumps(in_json(loads), indent=2, ensure_ascii=False))
    else:
        Console(highlight=False).print(*as_tables(loads), sep="\n")
    if plot:
        from services.indicators.simulation.plot import draw

        _save(draw(loads), plot)


def _check(plot: Path | None) -> None:
    """Whether a picture can be written there, before anything takes long."""
    if plot:
        from services.indicators.evaluation.pictures import check

        check(plot)


def _save(figure: Any, plot: Path) -> None:
    from services.indicators.evaluation.pictures import save

    save(figure, plot)
    click.echo(f"Drawn to {plot}.", err=True)
