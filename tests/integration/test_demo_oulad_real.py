"""The real dataset, where it is at hand: read to the row, and the simulated term beside it."""

from __future__ import annotations

import os
from collections import Counter
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from deploy.demo import oulad
from deploy.demo.compare import figures, real
from deploy.demo.events import VLE
from deploy.demo.oulad_work import work
from services.kernel.register import load_register

DATA = os.environ.get("SIGNPOST_TEST_DATA", "")
pytestmark = pytest.mark.skipif(not DATA, reason="SIGNPOST_TEST_DATA names no folder with real data sets")


@pytest.fixture(scope="module")
def presentation() -> oulad.Presentation:
    (found,) = oulad.presentations(Path(DATA) / "oulad", ["BBB/2013J"])
    return found


def test_bbb_2013j_is_read_to_the_row(presentation: oulad.Presentation) -> None:
    """452,638 rows, each an event of its own within its day; every type of activity is known."""
    folder = Path(DATA) / "oulad"
    placed = oulad.Placed(presentation, presentation.start, ZoneInfo("Europe/London"))
    ids: set[str] = set()
    activities: Counter[str] = Counter()
    for day in oulad.term(placed, oulad.clicks(folder, presentation), work(folder, presentation.key)).days:
        ids.update(event.id for event in day.by_source[VLE])
        activities.update(event.activity for event in day.by_source[VLE])
        assert all(event.at.startswith(day.date.isoformat()) for event in day.events)
    assert len(ids) == activities.total() == 452_638
    assert set(activities) <= set(load_register().activity)
    assert len(oulad.registrations(folder, presentation)) == 2_237


def test_its_figures_are_those_that_were_published_here(presentation: oulad.Presentation) -> None:
    """What docs/measured.md says of real terms can be computed again."""
    found = figures(real(Path(DATA) / "oulad", presentation, 70))
    assert found["rows a place"] == pytest.approx(92.0, abs=0.05)
    assert found["never active"] == pytest.approx(0.064, abs=0.0005)
    assert found["clicks an active day, 50 %"] == 10
