"""Which Java runs the broker."""

from __future__ import annotations

from pathlib import Path

import pytest

from deploy.local.kafka import java
from services.kernel.errors import ConfigurationError


@pytest.fixture
def no_java(monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine that has no Java at all."""
    monkeypatch.setattr(java, "_wheel", lambda: None)
    monkeypatch.delenv("JAVA_HOME", raising=False)
    monkeypatch.setenv("PATH", "/nonexistent")


def install(home: Path, version: str) -> Path:
    """A program that says what `java -version` of that version says."""
    program = home / "bin" / "java"
    program.parent.mkdir(parents=True)
    program.write_text(f"#!/bin/sh\necho 'openjdk version \"{version}\" 2025-01-01' >&2\n")
    program.chmod(0o755)
    return program


@pytest.mark.usefixtures("no_java")
def test_without_any_the_message_says_how_to_get_one() -> None:
    with pytest.raises(
        ConfigurationError, match=r"(?s)needs Java 17 or later.*no Java was found.*make setup.*JAVA_HOME"
    ):
        java.find_java()


@pytest.mark.usefixtures("no_java")
def test_one_that_is_too_old_is_passed_over_and_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    old = install(tmp_path / "old", "1.8.0_402")
    monkeypatch.setenv("JAVA_HOME", str(tmp_path / "old"))
    with pytest.raises(ConfigurationError, match=f"{old}: is Java 8"):
        java.find_java()
    new = install(tmp_path / "new", "17.0.15")
    monkeypatch.setenv("PATH", str(new.parent))
    assert java.find_java() == new


@pytest.mark.usefixtures("no_java")
def test_one_that_does_not_run_is_passed_over_and_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    broken = install(tmp_path, "21")
    broken.write_text("not a program")
    monkeypatch.setenv("JAVA_HOME", str(tmp_path))
    with pytest.raises(ConfigurationError, match=f"{broken}: does not run"):
        java.find_java()
