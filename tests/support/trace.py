"""`make trace`: each requirement of the policy → the register's entries → code → the tests that prove it."""

from __future__ import annotations

from rich.console import Console
from rich.table import Table

from tests.support.requirements import REQUIREMENTS, Trace, trace

_TESTS_SHOWN = 6
_WIDTH_WITHOUT_TERMINAL = 160


def table(traces: dict[str, Trace]) -> Table:
    """The requirements as rows."""
    shown = Table(title="From the policy to its proofs", show_lines=True)
    shown.add_column("Requirement", ratio=3)
    for title in ("Register", "Code"):
        shown.add_column(title, ratio=2, overflow="fold")
    shown.add_column("Tests", ratio=4, overflow="fold")
    for number, found in traces.items():
        cells = (found.entries, found.code, [test.split("/", 1)[1] for test in found.tests])
        title = f"[bold]{number}[/bold]  {REQUIREMENTS.get(number, 'no such requirement')}"
        shown.add_row(title, *(_cell(cell) for cell in cells))
    return shown


def summary(traces: dict[str, Trace]) -> list[str]:
    """One line for each requirement that lacks something, the ones without any test first."""
    lacking = sorted((t for t in traces.items() if t[1].lacks), key=lambda t: "tests" not in t[1].lacks)
    return [f"{number} has no {', no '.join(found.lacks)}" for number, found in lacking]


def _cell(lines: list[str]) -> str:
    more = [f"… and {len(lines) - _TESTS_SHOWN} more"] if len(lines) > _TESTS_SHOWN else []
    return "\n".join(lines[:_TESTS_SHOWN] + more) or "[dim]none[/dim]"


def main() -> None:
    """Print the table and what is lacking."""
    console = Console(highlight=False)
    if not console.is_terminal:
        console.width = _WIDTH_WITHOUT_TERMINAL
    traces = trace()
    console.print(table(traces))
    lacking = summary(traces)
    console.print("\n".join(lacking) or "Every requirement has register entries, code and tests.")


if __name__ == "__main__":
    main()
