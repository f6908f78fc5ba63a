"""The project's own source, as the architecture tests and `make trace` read it."""

from __future__ import annotations

import ast
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from tests.support import CHECKOUT


@dataclass(frozen=True, slots=True)
class Module:
    """A Python file of the project.

    Attributes:
        imports: dotted names of all that it imports: `import a.b` gives a.b, `from a import b` gives a.b.
    """

    path: Path
    text: str
    tree: ast.Module
    imports: frozenset[str]

    @property
    def place(self) -> str:
        """Its path in the checkout."""
        return self.path.relative_to(CHECKOUT).as_posix()

    @property
    def name(self) -> str:
        """Its dotted name."""
        return self.place.removesuffix(".py").removesuffix("/__init__").replace("/", ".")


@cache
def modules(*folders: str) -> tuple[Module, ...]:
    """Every module below the folders of the checkout."""
    files = sorted(file for folder in folders for file in (CHECKOUT / folder).rglob("*.py"))
    return tuple(_read(file) for file in files)


@cache
def project_files() -> tuple[Path, ...]:
    """Every file that is in the repository, or would be with the next `git add`."""
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard"]
    listed = subprocess.run(command, cwd=CHECKOUT, capture_output=True, text=True, check=True).stdout
    return tuple(file for line in sorted(listed.splitlines()) if (file := CHECKOUT / line).is_file())


@cache
def _read(file: Path) -> Module:
    text = file.read_text()
    tree = ast.parse(text)
    return Module(file, text, tree, frozenset(_imports(tree)))


def _imports(tree: ast.Module) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield from (f"{node.module}.{alias.name}" for alias in node.names)
