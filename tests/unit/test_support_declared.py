"""The check that services use only what the register declares finds an offender."""

from __future__ import annotations

import ast

import pytest

from services.kernel.register import load_register
from tests.support import CHECKOUT
from tests.support.declared import SPECIAL, admitted, undeclared
from tests.support.source import Module

REGISTER = load_register()

pytestmark = pytest.mark.requirement("R8")


def module(text: str) -> Module:
    """A module of the services with this text."""
    return Module(CHECKOUT / "services" / "offender.py", text, ast.parse(text), frozenset())


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ('permitting(consent, purpose="grading", source=source)', "purpose 'grading'"),
        ('permitting(consent, purpose=purpose, source="wifi")', "source 'wifi'"),
        ('permitting(consent, "grading", source, at_ms=0)', "purpose 'grading'"),
        ('if event.source == "wifi": pass', "source 'wifi'"),
        ('if purpose in ("tutor-notify", "grading"): pass', "purpose 'grading'"),
        ('raise_trigger(rule="mood")', "rule 'mood'"),
        ('Indicator(indicator="iq")', "indicator 'iq'"),
        ('Claim(activity="sleeping")', "activity 'sleeping'"),
        ('Dean = Annotated[SignedIn, Depends(signed_in_as("tutor", "dean"))]', "role 'dean'"),
        ('Dean = Depends(session.signed_in_as("dean"))', "role 'dean'"),
        ('NAVIGATION = (Link("Marks", "/marks", ("examiner",)),)', "role 'examiner'"),
        ('Link("Marks", "/marks", roles=("examiner",))', "role 'examiner'"),
        ('Link("Marks", "/marks", whoever_sees("marks"))', "view 'marks'"),
        ('self.metrics.accepted.labels("finance").inc()', "source 'finance'"),
        ('metrics.stripped.labels("wealth").inc()', "category 'wealth'"),
        (f'ASKED = "{SPECIAL}wealth"', "category 'wealth'"),
        (f'permitting(consent, purpose="{SPECIAL}health")', f"purpose '{SPECIAL}health'"),
    ],
)
def test_an_offending_module_is_found_with_its_line(text: str, found: str) -> None:
    assert undeclared(module(f"import os\n{text}\n"), REGISTER) == [f"services/offender.py:2: {found}"]


@pytest.mark.parametrize(
    "text",
    [
        'permitting(consent, purpose="tutor-notify", source="vle")',
        'Depends(signed_in_as("student"))',
        'Decision(*cell, "requested", 0)',
        'metrics.accepted.labels("vle").inc()',
        'metrics.refused.labels("excluded").inc()',
        f"name = f'{SPECIAL}{{category}}'",
        'Topic(purpose=f"Everything {x}")',
    ],
)
def test_an_honest_module_passes(text: str) -> None:
    assert undeclared(module(text), REGISTER) == []


def test_the_roles_that_a_module_lets_in_are_found() -> None:
    assert admitted(module('A = signed_in_as("student")\nB = [Depends(signed_in_as("tutor", role))]')) == {
        "student",
        "tutor",
    }
