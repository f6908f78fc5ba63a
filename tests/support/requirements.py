"""The requirements R1 to R13 of the policy, and where each is seen: register, code, tests."""

from __future__ import annotations

import ast
import re
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass, field

from services.kernel.register import SHIPPED
from tests.support.source import Module, modules

REQUIREMENTS = {
    "R1": "Informed, refusable consent to combining data; without it no indicator and no alert",
    "R2": "The implications of refusal are made clear; the notice that was shown is recorded",
    "R3": "Consent and data are updated yearly or at any time, and answered in reasonable time",
    "R4": "Special-category data only with demonstrated benefit and an explicit grant",
    "R5": "Fees, debt, counselling and wellbeing are never used",
    "R6": "No decision on progression, assessment or award on analytics alone",
    "R7": "A student is not defined by the data",
    "R8": "Open about sources, analyses and access: a register that the services obey",
    "R9": "Staff see derived analyses only; students see those about them",
    "R10": "Students can see, export and erase their data",
    "R11": "Students are active agents: feedback, contest, representatives",
    "R12": "An annual report on use and effectiveness, small numbers suppressed",
    "R13": "Aggregates that inform improvement, with the share of students covered",
}


@dataclass
class Trace:
    """Where one requirement is seen.

    Attributes:
        entries: of the register, as "kind/name".
        code: modules that name it.
        tests: tests that say that they prove it.
    """

    entries: list[str] = field(default_factory=list)
    code: list[str] = field(default_factory=list)
    tests: list[str] = field(default_factory=list)

    @property
    def lacks(self) -> list[str]:
        """What it has none of."""
        parts = {"register": self.entries, "code": self.code, "tests": self.tests}
        return [name for name, found in parts.items() if not found]


def trace() -> dict[str, Trace]:
    """All requirements, in order."""
    traces = {number: Trace() for number in REQUIREMENTS}
    for number, entry in register_entries():
        traces[number].entries.append(entry)
    for number, name in _code():
        traces[number].code.append(name)
    for number, test in marked_tests():
        traces.setdefault(number, Trace()).tests.append(test)
    return traces


def register_entries() -> Iterator[tuple[str, str]]:
    """Requirement and "kind/name" of each entry of the register that names one."""
    for kind, entries in tomllib.loads(SHIPPED.read_text()).items():
        if isinstance(entries, list):
            yield from ((e["requirement"], f"{kind}/{e['name']}") for e in entries if "requirement" in e)


def marked_tests() -> Iterator[tuple[str, str]]:
    """Requirement and name of each test that is marked to prove one."""
    for module in modules("tests"):
        everywhere = set(_named(module.tree, "pytestmark"))
        for function in ast.walk(module.tree):
            if isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef) and function.name.startswith("test_"):
                own = {number for mark in function.decorator_list for number in _of_mark(mark)}
                yield from ((number, f"{module.place}::{function.name}") for number in sorted(everywhere | own))


def _code() -> Iterator[tuple[str, str]]:
    for module in modules("services", "deploy"):
        for number in sorted(set(re.findall(r"\bR(?:1[0-3]|[1-9])\b", _prose(module)))):
            yield number, module.name


def _prose(module: Module) -> str:
    """A module's docstrings and comments: what code calls R1 is no requirement."""
    nodes = ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef
    docstrings = [ast.get_docstring(node) or "" for node in ast.walk(module.tree) if isinstance(node, nodes)]
    return "\n".join(docstrings + re.findall(r"#(.*)", module.text))


def _named(tree: ast.Module, variable: str) -> Iterator[str]:
    for node in tree.body:
        if isinstance(node, ast.Assign) and any(isinstance(t, ast.Name) and t.id == variable for t in node.targets):
            yield from _of_mark(node.value)


def _of_mark(expression: ast.expr) -> Iterator[str]:
    """The arguments of every `…requirement("R1")` in an expression."""
    for node in ast.walk(expression):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "requirement":
            yield from (str(a.value) for a in node.args if isinstance(a, ast.Constant))
