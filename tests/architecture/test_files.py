"""What every file of the project keeps to."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support import CHECKOUT
from tests.support.source import Module, modules, project_files

LONGEST_FILE = 300
LONGEST_FUNCTION = 50
# Written so that this file does not match them itself.
FOREIGN = {
    "a path of one machine": r"(?<![\w.])/(w[o]rk|ro[o]t|h[o]me|Us[e]rs)/[\w.]",
    "the address of a package registry": (
        r"pypi\.[o]rg|pythonhosted\.[o]rg|maven\.apache\.[o]rg|repo1\.m[a]ven|npmjs\.[o]rg|npmjs\.c[o]m"
        r"|deb\.debian\.[o]rg|crates\.i[o]|proxy\.golang\.[o]rg"
    ),
    "the folder beside the checkout": r"\.\./sh[a]red",
    "work that is left for later": r"\bT[O]DO\b|\bFI[X]ME\b",
}
CODE = modules("services", "deploy", "tests")


def functions(module: Module) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    """Every function and method of a module."""
    for node in ast.walk(module.tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node


def test_every_module_opens_with_why_it_exists() -> None:
    silent = [m.place for m in CODE if m.text.strip() and not ast.get_docstring(m.tree)]
    assert silent == []


def test_no_file_is_too_long_to_take_in() -> None:
    lengths = {m.place: len(m.text.splitlines()) for m in CODE}
    assert {place: lines for place, lines in lengths.items() if lines > LONGEST_FILE} == {}


def test_no_function_is_too_long_to_take_in() -> None:
    lengths = {f"{m.place}:{f.name}": (f.end_lineno or 0) - f.lineno + 1 for m in CODE for f in functions(m)}
    assert {place: lines for place, lines in lengths.items() if lines > LONGEST_FUNCTION} == {}


@pytest.mark.parametrize("what", FOREIGN)
def test_no_file_holds(what: str) -> None:
    exempt = {CHECKOUT / ".ci" / "run"} if what == "the folder beside the checkout" else set()
    found = [
        f"{file.relative_to(CHECKOUT)}: {match[0]}"
        for file in project_files()
        if file not in exempt and (match := re.search(FOREIGN[what], _text(file)))
    ]
    assert found == []


def test_names_say_what_things_are() -> None:
    vague = {"utils", "util", "helper", "helpers", "manager", "misc", "common"}
    assert [m.place for m in CODE if vague & set(m.name.split("."))] == []


def _text(file: Path) -> str:
    try:
        return file.read_text()
    except UnicodeDecodeError:
        return ""  # a picture or the like
