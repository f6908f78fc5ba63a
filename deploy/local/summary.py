"""What is said when everything runs: where to look, and what came through."""

from __future__ import annotations

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
        ("Tutors", f"{notify}/tutor", "whom to talk to, and why; sign in as a tutor"),
        ("Students", f"{consent}/", "see and change consent; sign in as a student"),
        ("Mail", f"{run.mail}/", "what tutors would have received"),
        ("Sign-in", f"{notify}/sign-in", "choose who to be; one sign-in serves both pages"),
        ("Events", f"{run.services['ingest']}/docs", "the door for source systems"),
        ("Kafka", run.bootstrap, "topics and records"),
        *((f"Metrics, {name}", f"{url}/metrics", "") for name, url in run.services.items()),
        ("Logs", str(folder.logs), "one file for each program"),
        ("State", "signpost status", "in another terminal, from the same folder"),
    ]
    for row in rows:
        table.add_row(*row)
    return table
