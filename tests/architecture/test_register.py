"""Code uses nothing that the published register does not declare (R8), and names only requirements that there are."""

from __future__ import annotations

import ast
from collections.abc import Iterator

import pytest

from services.indicators.domain.engagement import FORMULAS
from services.kernel import consents, topics
from services.kernel.register import load_register
from tests.support.requirements import REQUIREMENTS, marked_tests, register_entries
from tests.support.source import Module, modules

REGISTER = load_register()
# An argument of this name, wherever a call has it, says what the register must declare.
DECLARED = {
    "purpose": set(REGISTER.purpose),
    "source": set(REGISTER.source),
    "rule": set(REGISTER.rule),
    "indicator": set(REGISTER.indicator),
    "activity": set(REGISTER.activity),
}

pytestmark = pytest.mark.requirement("R8")


def literal_arguments(module: Module) -> Iterator[tuple[str, str]]:
    """Name and value of every keyword argument that is written out as a text."""
    for node in ast.walk(module.tree):
        if isinstance(node, ast.keyword) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str):
            yield node.arg or "", node.value.value


def roles_let_in(module: Module) -> set[str]:
    """The roles that a page of the module lets in."""
    calls = [n for n in ast.walk(module.tree) if isinstance(n, ast.Call) and isinstance(n.func, ast.Name)]
    arguments = [a for call in calls if call.func.id == "signed_in_as" for a in call.args]  # type: ignore[attr-defined]  # a Name, see above
    return {str(a.value) for a in arguments if isinstance(a, ast.Constant)}


def test_every_purpose_that_code_asks_consent_for_is_declared() -> None:
    asked = {value for name, value in vars(consents).items() if name.isupper() and isinstance(value, str)}
    assert asked
    assert asked <= set(REGISTER.purpose)


def test_every_indicator_has_its_formula_and_every_formula_its_indicator() -> None:
    assert set(FORMULAS) == set(REGISTER.indicator)


def test_whatever_code_names_in_writing_is_declared() -> None:
    code = [module for module in modules("services", "deploy") if module.name != "services.kernel.topics"]
    undeclared = [  # a topic's purpose is a sentence
        f"{module.place}: {name}={value!r}"
        for module in code
        for name, value in literal_arguments(module)
        if name in DECLARED and value not in DECLARED[name]
    ]
    assert undeclared == []


def test_pages_let_in_declared_roles_only() -> None:
    let_in = {role for module in modules("services") for role in roles_let_in(module)}
    assert let_in
    assert let_in <= {role.name for role in REGISTER.roles}


def test_events_are_kept_as_long_as_the_register_says() -> None:
    declared = {entry.name: entry.days for entry in REGISTER.retention}
    retention = topics.ACTIVITY_EVENTS.retention
    assert retention is not None
    assert retention.days == declared[topics.ACTIVITY_EVENTS.name]


def test_register_and_tests_name_only_requirements_that_there_are() -> None:
    named = {number for number, _ in [*register_entries(), *marked_tests()]}
    assert named <= set(REQUIREMENTS)
