"""What is said when everything runs: where to look, and what came through."""

from __future__ import annotations

from pathlib import Path

from rich.console import Console
from rich.table import Table

from deploy.local.state import RunFile, StateFolder
from deploy.local.status import Status

READY = "Signpost is up. Press Ctrl-C to stop."


def show(console: Console, run: RunFile, folder: StateFolder, status: Status) -> None:
    """Print the addresses to open and the figures of the path; the last line says that it is up."""
    console.print()
    console.print(_addresses(run, folder))
    console.print(*status.as_tables()[1:])
    console.print()
    console.print(f"[bold]{READY}[/]")


def _addresses(run: RunFile, folder: StateFolder) -> Table:
    table = Table(box=None, pad_edge=False, show_header=False)
    table.add_column(style="bold", no_wrap=True)
    table.add_column(no_wrap=True, overflow="ignore")
    table.add_column(overflow="fold")
    consent, notify = run.services["consent"], run.services["notify"]
    rows = [
        ("Tutors", f"{notify}/tutor", "cases; sign in as a tutor"),
        ("Students", f"{consent}/", "consent; as a student"),
        ("Officer", f"{consent}/oversight", "do we keep our word? as data protection officer"),
        ("Register", f"{consent}/register", "what is done here; public"),
        ("Sign in", f"{notify}/sign-in", "choose who to be; every page leads there"),
        ("Mail", f"{run.mail}/", "what tutors were sent"),
        ("Source systems", f"{run.services['ingest']}/docs", "how to send events"),
        *((f"Metrics, {name}", f"{url}/metrics", "") for name, url in run.services.items()),
        ("Kafka", run.bootstrap, "topics and records"),
        ("Logs", _short(folder.logs), "a file for each program"),
        ("State", _status_command(folder), "in another terminal"),
    ]
    for row in rows:
        table.add_row(*row)
    return table


def _status_command(folder: StateFolder) -> str:
    short = _short(folder.path)
    return "signpost status" + ("" if short == ".signpost" else f" --state {short}")


def _short(path: Path) -> str:
    """As it would be typed here."""
    return str(path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path)
