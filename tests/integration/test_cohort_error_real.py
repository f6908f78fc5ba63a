"""Cohort norms of real presentations, where they are at hand: no further from the exact values than is stated."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

from deploy.demo.cohort_error import CENTILE, INDEX, ROBUST_Z, weeks

DATA = os.environ.get("SIGNPOST_TEST_DATA", "")
pytestmark = pytest.mark.skipif(not DATA, reason="SIGNPOST_TEST_DATA names no folder with real data sets")


def test_real_cohorts_are_within_the_stated_error() -> None:
    """Each student's centile, z and index in each week; so near that hardly anybody is judged otherwise by it."""
    found = list(weeks(Path(DATA) / "oulad", ["AAA/2013J", "EEE/2013J"]))
    assert len(found) > 60
    for week in found:
        assert week.errors[CENTILE].max() <= week.widest / 2 + 1e-4
        assert week.errors[INDEX].max() <= 5 / 4 * week.widest / 100 + 1e-3
        said = ~np.isnan(week.errors[ROBUST_Z])
        assert (week.errors[ROBUST_Z][said] <= week.allowed[said] + 1e-3).all()
    assert max(week.errors[CENTILE].max() for week in found) < 1  # of 100
    assert max(np.nanmax(week.errors[ROBUST_Z]) for week in found) < 0.1
    assert sum(week.swayed for week in found) < sum(week.students for week in found) / 1_000
