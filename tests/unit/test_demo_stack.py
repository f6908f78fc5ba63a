"""What a replay knows of a stack is kept for its owner only, and mistakes say how to be mended."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import pytest

from deploy.demo.stack import Replay, Replays, Stack
from services.kernel.errors import ConfigurationError

STACK = Stack(
    ingest="http://127.0.0.1:1",
    consent="http://127.0.0.1:2",
    notify="http://127.0.0.1:3",
    indicators="http://127.0.0.1:4",
    source_key="key-of-the-source",
    registrar_token="token-of-the-registrar",
    directory_token="token-of-the-directory",
)


def test_a_stack_is_read_as_it_was_saved(tmp_path: Path) -> None:
    """Its folder is made where it is missing, and an older file replaced."""
    file = tmp_path / "state" / "stack.json"
    STACK.save(file)
    STACK.save(file)
    assert Stack.load(file) == STACK


def test_credentials_are_for_the_owner_only(tmp_path: Path) -> None:
    """Not readable by others, and not shown in messages."""
    file = tmp_path / "stack.json"
    STACK.save(file)
    assert file.stat().st_mode & 0o777 == 0o600
    assert "key-of" not in repr(STACK)
    assert "token-of" not in repr(STACK)


def test_a_missing_or_broken_stack_says_what_to_do(tmp_path: Path) -> None:
    """Nobody has to guess that the stack has to run first."""
    file = tmp_path / "stack.json"
    with pytest.raises(ConfigurationError, match="signpost up"):
        Stack.load(file)
    file.write_text('{"ingest": 1}')
    with pytest.raises(ConfigurationError, match="signpost up"):
        Stack.load(file)


def test_replays_are_remembered(tmp_path: Path) -> None:
    """Each by its name, the latest word about it."""
    file = tmp_path / "replays.json"
    replays = Replays(file)
    assert replays.get("a term") is None
    replays.put("a term", Replay(dt.date(2026, 9, 28)))
    replays.put("another", Replay(dt.date(2013, 10, 1)))
    replays.put("a term", Replay(dt.date(2026, 9, 28), completed=True))
    assert Replays(file).get("a term") == Replay(dt.date(2026, 9, 28), completed=True)
    assert Replays(file).get("another") == Replay(dt.date(2013, 10, 1))


def test_a_broken_list_of_replays_says_so(tmp_path: Path) -> None:
    """Rather than replaying at other dates than before."""
    file = tmp_path / "replays.json"
    file.write_text("nonsense")
    with pytest.raises(ConfigurationError, match=r"replays\.json"):
        Replays(file).get("a term")
