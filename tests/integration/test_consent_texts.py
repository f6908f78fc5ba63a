"""The texts that students are shown, over time: which count, which end what was said by older ones, which must stay."""

from __future__ import annotations

from pathlib import Path

import pytest
from sqlalchemy import Engine

from services.consent.handlers.life_cycle import CHUNK
from services.kernel.clock import DAY_MS
from services.kernel.errors import ConfigurationError
from services.kernel.topics import CONSENT_STATE
from tests.support.consent_life import (
    Service,
    another_notice,
    assert_sealed,
    published,
    states,
    students,
)


@pytest.mark.requirement("R2")
def test_a_material_change_takes_the_old_grants_from_the_gates_and_asks_again(
    consent_engine: Engine, tmp_path: Path
) -> None:
    folder = another_notice(tmp_path, "2027-1", "2027-03-01", material=True)
    service, names = Service(consent_engine, folder=folder), students(CHUNK + 10)
    service.give(names)
    in_force_ms = service.notices(folder).since_ms("2027-1")

    assert service.settle(in_force_ms - 1) == {}
    assert service.settle(in_force_ms) == {"notice-changed": len(names)}
    latest = {state.student: state for state in published(consent_engine, CONSENT_STATE.name)}
    assert all(state.grants == () for state in latest.values())
    assert states(consent_engine) == {kind: 2 * len(names) for kind in ("given", "invalidated", "requested")}
    assert service.settle(in_force_ms + DAY_MS) == {}
    assert_sealed(consent_engine)


@pytest.mark.requirement("R2")
def test_an_immaterial_change_leaves_everything_as_it_is(consent_engine: Engine, tmp_path: Path) -> None:
    folder = another_notice(tmp_path, "2027-1", "2027-03-01", material=False)
    service = Service(consent_engine, folder=folder)
    service.give(students(3))

    assert service.settle(service.notices(folder).since_ms("2027-1") + DAY_MS) == {}
    assert states(consent_engine) == {"given": 6}


def test_a_text_that_students_were_shown_cannot_be_changed(consent_engine: Engine, tmp_path: Path) -> None:
    folder = another_notice(tmp_path, "2027-1", "2027-03-01", material=False)
    Service(consent_engine, folder=folder).life.keep_texts()
    coming, shown = folder / "2027-1.en.toml", folder / "2026-1.en.toml"
    coming.write_text(coming.read_text("utf-8") + "\n# better\n", "utf-8")
    Service(consent_engine, folder=folder).life.keep_texts()
    shown.write_text(shown.read_text("utf-8") + "\n# better\n", "utf-8")

    with pytest.raises(ConfigurationError, match=r"2026-1\.en\.toml"):
        Service(consent_engine, folder=folder).life.keep_texts()


def test_a_text_that_came_into_force_while_the_service_ran_cannot_be_changed(
    consent_engine: Engine, tmp_path: Path
) -> None:
    folder = another_notice(tmp_path, "2027-1", "2027-03-01", material=False)
    service = Service(consent_engine, folder=folder)
    in_force_ms = service.notices(folder).since_ms("2027-1")
    service.life.keep_texts()
    service.settle(in_force_ms)
    shown = folder / "2027-1.en.toml"
    shown.write_text(shown.read_text("utf-8") + "\n# better\n", "utf-8")

    with pytest.raises(ConfigurationError, match=r"2027-1\.en\.toml"):
        Service(consent_engine, now_ms=in_force_ms, folder=folder).life.keep_texts()


@pytest.mark.requirement("R2")
def test_a_text_that_students_were_shown_stays(consent_engine: Engine, tmp_path: Path) -> None:
    """Without it nobody could tell that a newer one asks for something else, and no receipt could say what it said."""
    folder = another_notice(tmp_path, "2027-1", "2026-03-01", material=True)
    Service(consent_engine, folder=folder).life.keep_texts()
    for file in folder.glob("2026-1.*"):
        file.unlink()

    with pytest.raises(ConfigurationError, match=r"2026-1\.en\.toml"):
        Service(consent_engine, folder=folder).life.keep_texts()
