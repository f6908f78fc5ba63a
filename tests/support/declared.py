"""Finds what a module of the services uses of the policy register, to compare with what the register declares (R8)."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import takewhile

from prometheus_client.metrics import MetricWrapperBase

from services.kernel import metrics
from services.kernel.register import Register
from tests.support.source import Module

SPECIAL = "special-category:"
_NAMED_SPECIAL = re.compile(f"{SPECIAL}([a-z0-9-]+)")
# Calls whose texts are roles: everything given to the first; of a link in the navigation, its third argument. The last
# is asked for the roles that see a view.
_ADMITS, _LINK, _SEES = "signed_in_as", "Link", "whoever_sees"
_NAMED = frozenset({"purpose", "source", "rule", "indicator", "activity"})
# Which argument of which function, by its place, is what.
_PLACED = {"permitting": {1: "purpose", 2: "source"}, "Decision": {0: "purpose", 1: "source"}}


@dataclass(frozen=True, slots=True)
class Use:
    """That a module writes out a name of a kind of entry."""

    kind: str
    name: str
    line: int


def declared(register: Register) -> dict[str, set[str]]:
    """The names that a register declares, by kind; a purpose is also what an approved special category asks."""
    return {
        "purpose": set(register.askable),
        "source": set(register.source),
        "rule": set(register.rule),
        "indicator": set(register.indicator),
        "activity": set(register.activity),
        "role": {role.name for role in register.roles},
        "view": {view.name for view in register.views},
        "category": {category.name for category in register.special_categories},
    }


def undeclared(module: Module, register: Register) -> list[str]:
    """What a module uses that the register does not declare, with its place."""
    known = declared(register)
    return [
        f"{module.place}:{use.line}: {use.kind} {use.name!r}" for use in uses(module) if use.name not in known[use.kind]
    ]


def uses(module: Module) -> Iterator[Use]:
    """All names that a module writes out: in arguments, in what pages let in, in labels of metrics."""
    for node in ast.walk(module.tree):
        if isinstance(node, ast.Call):
            yield from _arguments(node)
            yield from _roles(node)
            yield from _labels(node, LABELS)
        elif isinstance(node, ast.Compare):
            yield from _comparison(node)
        elif isinstance(node, ast.Constant) and (named := _NAMED_SPECIAL.fullmatch(str(node.value))):
            yield Use("category", named[1], node.lineno)


def admitted(module: Module) -> set[str]:
    """The roles that a page or an interface of the module lets in."""
    calls = [node for node in ast.walk(module.tree) if isinstance(node, ast.Call) and _name(node.func) == _ADMITS]
    return {name for call in calls for argument in call.args for name, _ in _texts(argument)}


def _arguments(call: ast.Call) -> Iterator[Use]:
    """An argument of the name of a kind, wherever a call has it, is a name of that kind."""
    placed = _PLACED.get(_name(call.func), {})
    certain = takewhile(lambda argument: not isinstance(argument, ast.Starred), call.args)
    given = [(placed[place], argument) for place, argument in enumerate(certain) if place in placed]
    given += [(keyword.arg, keyword.value) for keyword in call.keywords if keyword.arg in _NAMED]
    for kind, argument in given:
        if isinstance(argument, ast.Constant) and isinstance(argument.value, str):
            yield Use(kind, argument.value, call.lineno)


def _comparison(node: ast.Compare) -> Iterator[Use]:
    """What something of the name of a kind is compared with is a name of that kind."""
    if (kind := _name(node.left)) in _NAMED:
        yield from (Use(kind, name, line) for with_ in node.comparators for name, line in _texts(with_))


def _roles(call: ast.Call) -> Iterator[Use]:
    given = {_ADMITS: call.args, _LINK: call.args[2:]}.get(_name(call.func), [])
    given = [*given, *(k.value for k in call.keywords if k.arg == "roles")]
    yield from (Use("role", name, line) for argument in given for name, line in _listed(argument))
    if _name(call.func) == _SEES:
        yield from (Use("view", name, line) for argument in call.args for name, line in _listed(argument))


def _labels(call: ast.Call, labels: Mapping[str, tuple[str, ...]]) -> Iterator[Use]:
    """Texts given to `….METRIC.labels(…)` for a label that is a kind of entry."""
    if not (isinstance(call.func, ast.Attribute) and call.func.attr == "labels"):
        return
    names = labels.get(_name(call.func.value), ())
    for label, argument in zip(names, call.args, strict=False):
        if label in {"source", "category", "rule", "purpose"}:
            yield from (Use(label, name, line) for name, line in _texts(argument))


def _texts(node: ast.expr) -> Iterator[tuple[str, int]]:
    """The texts that are written out in an expression."""
    for part in ast.walk(node):
        if isinstance(part, ast.Constant) and isinstance(part.value, str):
            yield part.value, part.lineno


def _listed(node: ast.expr) -> Iterator[tuple[str, int]]:
    """A text, or the texts of a tuple or list."""
    for part in node.elts if isinstance(node, ast.Tuple | ast.List) else [node]:
        if isinstance(part, ast.Constant) and isinstance(part.value, str):
            yield part.value, part.lineno


def _name(node: ast.expr) -> str:
    """The last part of a dotted name."""
    return node.attr if isinstance(node, ast.Attribute) else node.id if isinstance(node, ast.Name) else ""


def _metric_labels() -> dict[str, tuple[str, ...]]:
    """The label names of every metric, by the name of its attribute."""
    sets = [value() for name, value in vars(metrics).items() if name.endswith("Metrics") and not name.startswith("_")]
    return {
        name: metric._labelnames  # noqa: SLF001 - the library tells them in no other way
        for of in sets
        for name, metric in vars(of).items()
        if isinstance(metric, MetricWrapperBase)
    }


LABELS = _metric_labels()
