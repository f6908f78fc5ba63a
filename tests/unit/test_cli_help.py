"""The command line explains itself, and says what went wrong in one message."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from services.cli import main
from services.kernel.errors import ConfigurationError, TransientError

COMMANDS = (
    "up",
    "serve consent",
    "serve ingest",
    "serve notify",
    "work indicators",
    "provision",
    "simulate-term",
    "replay oulad",
    "evaluate oulad",
    "simulate",
    "status",
    "consent import",
    "consent verify",
    "consent verify-receipt",
    "consent permitted",
    "consent anchor",
    "consent rotate-key",
    "consent reread-enrolments",
    "consent republish",
    "indicators explain",
)
WIDTH = 80


def _leaves(group: click.Group, path: tuple[str, ...] = ()) -> Iterator[tuple[str, click.Command]]:
    for name, command in group.commands.items():
        if isinstance(command, click.Group):
            yield from _leaves(command, (*path, name))
        else:
            yield " ".join((*path, name)), command


def test_the_commands_are_those_that_are_promised() -> None:
    assert sorted(name for name, _ in _leaves(main)) == sorted(COMMANDS)


@pytest.mark.parametrize("name", COMMANDS)
def test_each_command_says_what_it_does_what_it_needs_and_gives_an_example(name: str) -> None:
    shown = CliRunner().invoke(main, [*name.split(), "--help"], terminal_width=WIDTH)
    assert shown.exit_code == 0
    assert "Needs" in shown.output or "Asks" in shown.output
    assert f"signpost {name}" in shown.output.partition("Examples:")[2]
    assert [line for line in shown.output.splitlines() if len(line) > WIDTH] == []


@pytest.mark.parametrize("group", ["", "consent", "evaluate", "replay", "serve", "work"])
def test_no_command_is_cut_off_in_an_overview(group: str) -> None:
    shown = CliRunner().invoke(main, [*group.split(), "--help"], terminal_width=WIDTH)
    assert "..." not in shown.output.partition("Commands:")[2]


def test_help_imports_nothing_that_takes_long() -> None:
    code = (
        "import sys, services.cli; print([m for m in ('fastapi', 'kafka', 'faust', 'sqlalchemy') if m in sys.modules])"
    )
    assert subprocess.check_output([sys.executable, "-c", code], text=True).strip() == "[]"


@pytest.mark.parametrize(("error", "code"), [(ConfigurationError("Mend it"), 1), (TransientError("It is away"), 2)])
def test_an_error_that_a_person_can_mend_is_one_message_and_no_traceback(
    error: Exception, code: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(_settings: object) -> list[str]:
        raise error

    monkeypatch.setattr("services.kernel.kafka.provision", fail)
    done = CliRunner().invoke(main, ["provision"])
    assert done.exit_code == code
    assert done.output.startswith(f"Error: {error}")
    assert "Traceback" not in done.output


def test_a_wrong_setting_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SIGNPOST_KAFKA__PARTITIONS", "none")
    done = CliRunner().invoke(main, ["provision"])
    assert done.exit_code == 1
    assert "SIGNPOST_KAFKA__PARTITIONS" in done.output


def test_replaying_without_a_stack_says_how_to_start_one(tmp_path: Path) -> None:
    done = CliRunner().invoke(main, ["simulate-term", "--state", str(tmp_path / "none")])
    assert done.exit_code == 1
    assert "signpost up" in done.output
