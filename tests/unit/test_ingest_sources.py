"""The list of source systems: keys, credentials, and clear words for what is wrong with it."""

from __future__ import annotations

import base64
import json
import stat
from pathlib import Path
from typing import Any

import pytest

from services.ingest.adapters.sources import add_source, load_sources
from services.kernel.errors import ConfigurationError
from services.kernel.register import load_register

REGISTER = load_register()
HASH = "0" * 64


def basic(name: str, key: str) -> str:
    """An Authorization header."""
    return "Basic " + base64.b64encode(f"{name}:{key}".encode()).decode()


def test_a_fresh_key_opens_by_either_scheme(tmp_path: Path) -> None:
    key = add_source(tmp_path / "new" / "sources.json", name="moodle", source="vle")
    sources = load_sources(tmp_path / "new" / "sources.json", REGISTER)
    for header in (basic("moodle", key), f"Bearer moodle.{key}", f"bearer  moodle.{key} "):
        found = sources.authenticate(header)
        assert found is not None
        assert (found.name, found.source, found.scopes) == ("moodle", "vle", ("events",))


def test_the_file_holds_no_key_and_is_its_owners_alone(tmp_path: Path) -> None:
    file = tmp_path / "sources.json"
    key = add_source(file, name="moodle", source="vle")
    assert key not in file.read_text()
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert [path.name for path in tmp_path.iterdir()] == ["sources.json"]


def test_adding_a_name_again_replaces_its_key(tmp_path: Path) -> None:
    file = tmp_path / "sources.json"
    old, other = add_source(file, name="moodle", source="vle"), add_source(file, name="gate", source="attendance")
    new = add_source(file, name="moodle", source="vle")
    sources = load_sources(file, REGISTER)
    assert sources.authenticate(basic("moodle", old)) is None
    assert sources.authenticate(basic("moodle", new)) is not None
    assert sources.authenticate(basic("gate", other)) is not None


@pytest.mark.parametrize(
    "header",
    [
        None,
        "",
        "Bearer",
        "Bearer moodle",
        "Bearer moodle.",
        "Bearer nobody.KEY",
        "Basic !",
        "Basic ä",
        "Basic /w==",
        "Digest KEY",
        basic("moodle", "wrong"),
        basic("", ""),
        basic("nobody", "KEY"),
    ],
)
def test_wrong_credentials_open_nothing(tmp_path: Path, header: str | None) -> None:
    file = tmp_path / "sources.json"
    key = add_source(file, name="moodle", source="vle")
    assert load_sources(file, REGISTER).authenticate(header and header.replace("KEY", key)) is None


@pytest.mark.parametrize(
    ("entries", "words"),
    [
        ([{"name": "moodle", "key_sha256": HASH, "source": "telepathy"}], "'moodle'.*'telepathy'.*declares vle"),
        ([{"name": "moodle", "key_sha256": HASH}], "'moodle'.*no 'source'"),
        ([{"name": "moodle", "key_sha256": "KEY", "source": "vle"}], "key_sha256"),
        ([{"name": "moodle", "key_sha256": HASH, "source": "vle", "scope": []}], "scope"),
        ([{"name": "moodle", "key_sha256": HASH, "source": "vle"}] * 2, "'moodle'.*twice"),
        ({}, "array"),
    ],
)
def test_a_wrong_list_says_what_is_wrong_where(tmp_path: Path, entries: Any, words: str) -> None:
    file = tmp_path / "sources.json"
    file.write_text(json.dumps(entries))
    with pytest.raises(ConfigurationError, match=words):
        load_sources(file, REGISTER)


@pytest.mark.requirement("R5")
@pytest.mark.parametrize("source", ["finance", "counselling", "wellbeing"])
def test_an_excluded_source_cannot_be_let_in(tmp_path: Path, source: str) -> None:
    add_source(tmp_path / "sources.json", name="other", source=source)
    with pytest.raises(ConfigurationError, match="policy excludes"):
        load_sources(tmp_path / "sources.json", REGISTER)


def test_a_missing_list_says_how_to_name_one(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="SIGNPOST_INGEST__SOURCES_FILE"):
        load_sources(tmp_path / "none.json", REGISTER)


def test_a_replayer_needs_no_source(tmp_path: Path) -> None:
    key = add_source(tmp_path / "sources.json", name="replayer", source=None, scopes=("clock",))
    found = load_sources(tmp_path / "sources.json", REGISTER).authenticate(f"Bearer replayer.{key}")
    assert found is not None
    assert found.scopes == ("clock",)
