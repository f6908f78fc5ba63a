"""Bring in what students decided at registration, from a spreadsheet's CSV file."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from services.cli.options import examples

if TYPE_CHECKING:
    from services.cli.consent.chunks import Chunk
    from services.kernel.settings import Settings

_SHOWN = 50
_WHERE = "--url says which service it is, SIGNPOST_CONSENT__REGISTRAR_TOKEN its token."
_COUNTED = ("recorded", "unchanged", "overtaken", "students")
_AGAIN = "Run the same command again: what is recorded stays, and is not recorded twice."


@dataclass(slots=True)
class _Found:
    """What the service said of the whole file.

    Attributes:
        totals: of all requests together.
        errors: rows that are wrong, each with its line in the file.
        not_shown: how many more there are.
    """

    totals: Counter[str] = field(default_factory=Counter)
    states: Counter[str] = field(default_factory=Counter)
    errors: list[dict[str, Any]] = field(default_factory=list)
    not_shown: int = 0

    def add(self, chunk: Chunk, status: int, answer: dict[str, Any]) -> None:
        """Add what was answered to a chunk."""
        if status == 422:  # noqa: PLR2004 - it names rows
            self.not_shown += answer["not_shown"]
            self.errors += [_in_file(error, chunk.lines) for error in answer["errors"]]
        else:
            self.totals.update({name: answer[name] for name in _COUNTED})
            self.states.update(answer["states"])

    def as_json(self, *, dry_run: bool) -> dict[str, Any]:
        """For a program."""
        shown = sorted(self.errors, key=lambda error: error["line"])
        return {
            "dry_run": dry_run,
            **{name: self.totals[name] for name in _COUNTED},
            "states": dict(sorted(self.states.items())),
            "errors": shown,
            "not_shown": self.not_shown,
        }


@click.command(
    "import",
    epilog=examples(
        "signpost consent import registration.csv",
        "signpost consent import registration.csv --commit",
        "signpost consent import registration.csv --commit \\",
        "    --url https://consent.example",
    ),
)
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--url", help="Of the consent service.  [default: as the settings say]")
@click.option("--commit", is_flag=True, help="Record the decisions; without it nothing is recorded.")
@click.option("--json", "as_json", is_flag=True, help="For a program.")
@click.option(
    "--patience",
    type=click.FloatRange(min=0),
    default=180.0,
    show_default=True,
    help="Seconds to wait for a service that is busy or away.",
)
def import_(file: Path, url: str | None, patience: float, *, commit: bool, as_json: bool) -> None:
    """Import decisions made at registration from a CSV file.

    Needs a running consent service and its SIGNPOST_CONSENT__REGISTRAR_TOKEN. First the whole file is checked: without
    --commit that is all, and what would be recorded is said exactly. With --commit it is recorded only when every row
    can be used. It can be run again at any time: what is recorded already changes nothing.

    The columns: person, purpose, source, state (given, refused, withdrawn, requested), from, until (may be empty: one
    year), notice, language. docs/registration.md explains each.
    """
    from asyncio import run
    from json import dumps

    from services.cli.consent.chunks import chunks
    from services.kernel.errors import ConfigurationError, InvalidMessage, TransientError
    from services.kernel.settings import load_settings

    settings = load_settings()
    try:
        found = chunks(file.read_bytes())
    except InvalidMessage as error:
        raise ConfigurationError(f"{file} cannot be used. {error}") from error
    session = _Session(settings, url or settings.consent.url, patience, quiet=as_json)
    try:
        checked = run(session.post(found, dry_run=True))
        done = run(session.post(found, dry_run=False)) if commit and not checked.errors else checked
    except TransientError as error:
        raise TransientError(f"{error}\n{_AGAIN}") from error
    except ConfigurationError as error:
        raise ConfigurationError(f"{error}\n{_WHERE}") from error
    recorded = commit and not done.errors
    click.echo(dumps(done.as_json(dry_run=not recorded), indent=2)) if as_json else _show(done, recorded=recorded)
    raise SystemExit(1 if done.errors else 0)


@dataclass(frozen=True, slots=True)
class _Session:
    """Posts chunks, one after the other, with patience."""

    settings: Settings
    url: str
    patience_s: float
    quiet: bool

    async def post(self, found: list[Chunk], *, dry_run: bool) -> _Found:
        """What comes of all chunks.

        Raises:
            TransientError: the service was away for too long.
            ConfigurationError: it does not know the token, or is none of ours.
        """
        import httpx2

        from deploy.demo.posting import Service, expect
        from services.cli.consent.progress import progress
        from services.kernel.settings import required

        token = required(self.settings.consent.registrar_token, "SIGNPOST_CONSENT__REGISTRAR_TOKEN")
        headers = {"Authorization": f"Bearer {token}", "Content-Type": "text/csv"}
        path = f"/v1/registration?dry_run={str(dry_run).lower()}"
        rows = sum(len(chunk.lines) for chunk in found)
        result, done = _Found(), 0
        async with httpx2.AsyncClient(base_url=self.url, timeout=60) as client:
            service = Service(client, patience_s=self.patience_s)
            with progress("Rows checked" if dry_run else "Rows recorded", quiet=self.quiet) as told:
                for chunk in found:
                    told(done, rows)
                    answer = await service.post(path, content=chunk.body, headers=headers)
                    expect(answer, 200, 422)
                    result.add(chunk, answer.status_code, answer.json())
                    done += len(chunk.lines)
        return result


def _in_file(error: dict[str, Any], lines: list[int]) -> dict[str, Any]:
    """The error of a row, with lines of the file instead of places in the request."""
    other = error["other"]
    also = "" if other is None else f" (line {lines[other]})"
    return {
        "line": lines[error["index"]],
        "field": error["field"],
        "problem": error["problem"] + also,
        "mend": error["mend"],
    }


def _show(done: _Found, *, recorded: bool) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    console = Console(highlight=False)
    if done.errors:
        table = Table("Line", "Column", "What is wrong", "How to mend it", title="Rows that cannot be used")
        for error in sorted(done.errors, key=lambda error: error["line"])[:_SHOWN]:
            table.add_row(str(error["line"]), *(Text(error[name]) for name in ("field", "problem", "mend")))
        console.print(table)
        more = len(done.errors) + done.not_shown
        console.print(f"{more} rows cannot be used, and nothing was recorded. Mend them and run the command again.")
        return
    table = Table("Decisions", "Number", title="Recorded" if recorded else "What would be recorded")
    for state, count in sorted(done.states.items()):
        table.add_row(f"new: {state}", f"{count:,}")
    table.add_row("already known, nothing changes", f"{done.totals['unchanged']:,}")
    table.add_row("overtaken: the student has said something since", f"{done.totals['overtaken']:,}")
    table.add_row("students with something new", f"{done.totals['students']:,}")
    console.print(table)
    console.print("Done." if recorded else "Nothing was recorded: this was a dry run. Add --commit to record it.")
