"""Terms to replay into a run on this machine: simulated and real ones."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from services.cli.options import STATE, examples

_PACE = click.option(
    "--days-per-second", type=click.FloatRange(min=0.001), help="At most so fast.  [default: as fast as it goes]"
)


@click.command(
    "simulate-term",
    epilog=examples("signpost simulate-term", "signpost simulate-term --weeks 4 --students 1000 --seed 2"),
)
@click.option("--students", type=click.IntRange(10, 50_000), help="In the demo university.  [default: as it is]")
@click.option("--seed", type=int, help="The same seed gives the same people and term.  [default: as it is]")
@click.option("--weeks", type=click.IntRange(1, 52), help="Length of the term, which ends today.  [default: as it is]")
@_PACE
@STATE
def simulate_term(state: Path, days_per_second: float | None, **university: int | None) -> None:
    """Replay a simulated term through the running stack.

    Needs a stack that `signpost up` runs; the events go in by its front door. The same university, seed and length
    give the same events, so a second replay changes nothing; others begin where the stack's clock stands.
    """
    from dataclasses import replace

    from deploy.demo.commands import simulate_term as run
    from deploy.demo.replayer import Pace
    from deploy.demo.university import Demo
    from deploy.local.state import StateFolder

    known = StateFolder(state).demo() or Demo()
    chosen = {name: value for name, value in university.items() if value is not None}
    run(_target(state), replace(known, **chosen), pace=Pace(days_per_second))


@click.group()
def replay() -> None:
    """Replay real activity through the running stack."""


@replay.command(
    epilog=examples(
        "signpost replay oulad ~/oulad --presentation BBB/2013J",
        "signpost replay oulad ~/oulad --days-per-second 2 --consenting 0.6",
    )
)
@click.argument("folder", metavar="DIR", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option("--presentation", "presentations", multiple=True, metavar="MODULE/RUN", help="Only this one; repeatable.")
@click.option(
    "--consenting", type=click.FloatRange(0, 1), default=0.8, show_default=True, help="The share of the students."
)
@click.option("--seed", type=int, default=1, show_default=True, help="Chooses who consents.")
@_PACE
@STATE
def oulad(state: Path, days_per_second: float | None, **data: Any) -> None:
    """Replay the Open University's public dataset from DIR.

    Needs a stack that `signpost up` runs, best one of its own (--state), and the files of the Open University Learning
    Analytics Dataset: the official CSV, or the same as Parquet. People and consents are made up around it. A second
    replay changes nothing.
    """
    from deploy.demo.commands import Oulad, replay_oulad
    from deploy.demo.replayer import Pace

    replay_oulad(_target(state), Oulad(**data), pace=Pace(days_per_second))


def _target(state: Path) -> Any:
    from rich.console import Console

    from deploy.demo.session import Target
    from deploy.demo.stack import Stack
    from deploy.local.state import StateFolder
    from services.kernel.settings import load_settings

    folder = StateFolder(state)
    return Target(load_settings(), Stack.load(folder.stack), folder.replays, Console(highlight=False))
