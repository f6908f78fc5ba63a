"""Questions about the indicators: how well they tell, and what other thresholds would do."""

from __future__ import annotations

from pathlib import Path

import click

from services.cli.options import examples

_PLOT = click.option(
    "--plot", metavar="FILE", type=click.Path(dir_okay=False, path_type=Path), help="Draw it too: .svg, .png or .pdf."
)
_JSON = click.option("--json", "as_json", is_flag=True, help="For a program.")
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
@click.argument("folder", metavar="DIR", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option("--presentation", "presentations", multiple=True, metavar="MODULE/RUN", help="Only this one; repeatable.")
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

    from deploy.demo.outcomes.evaluation import DAYS, RULE, Evaluation
    from deploy.demo.outcomes.plot import draw
    from deploy.demo.outcomes.report import as_json as in_json
    from deploy.demo.outcomes.report import as_tables
    from deploy.demo.progress import progress
    from services.indicators.evaluation import pictures
    from services.kernel.register import load_register
    from services.kernel.settings import load_settings

    file = pictures.check(plot) if plot else None
    aside = Console(stderr=True, highlight=False)
    with progress(aside, "Clicks read", 100, "%") as step:
        found = Evaluation(
            folder,
            presentations,
            load_register(load_settings().register_file),
            lambda share: step(int(100 * share), ""),
        )
    wanted = set(days or DAYS)
    weekly = set(range(_WEEK, found.shortest + 1, _WEEK)) if file else set()
    with progress(aside, "Days judged", max(wanted | weekly), "days") as step:
        scored = list(found.days(sorted(wanted | weekly), step))
    asked = [day for day in scored if day.day in wanted]
    if as_json:
        click.echo(dumps(in_json(asked, RULE), indent=2, ensure_ascii=False))
    else:
        Console(highlight=False).print(*as_tables(asked, found.students.notes), sep="\n")
    if file:
        pictures.save(draw(scored, RULE), file)
        aside.print(f"Drawn to {file}.")
