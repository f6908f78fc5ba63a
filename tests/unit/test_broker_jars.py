"""The broker's jars: only those of the lock are ever used."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from deploy.local.kafka import jars
from services.kernel.errors import ConfigurationError

CONTENT = b"a jar"


class Repository:
    """Gives every jar the same bytes, and counts."""

    def __init__(self, content: bytes = CONTENT) -> None:
        self.content = content
        self.fetched: list[str] = []

    def __call__(self, jar: jars.Jar, download: Path) -> Path:
        self.fetched.append(jar.file_name)
        file = download / jar.file_name
        file.write_bytes(self.content)
        return file


def get(folder: Path, fetch: jars.Fetch) -> list[str]:
    """The names of the jars, by a lock of two, in a folder `jars` beside it."""
    lock = folder / "kafka.lock"
    sha256 = hashlib.sha256(CONTENT).hexdigest()
    lock.write_text(f"# two jars\norg.one:one:1.0 {sha256}\norg.two:two:2.0 {sha256}\n")
    return [jar.name for jar in jars.broker_jars(folder / "jars", lambda _: None, fetch, lock)]


def test_what_is_missing_is_fetched_once(tmp_path: Path) -> None:
    repository = Repository()
    for _ in range(2):
        assert get(tmp_path, repository) == ["one-1.0.jar", "two-2.0.jar"]
    assert sorted(repository.fetched) == ["one-1.0.jar", "two-2.0.jar"]
    assert sorted(file.name for file in (tmp_path / "jars").iterdir()) == ["one-1.0.jar", "two-2.0.jar"]


def test_a_jar_that_is_not_the_one_in_the_lock_is_refused_and_not_kept(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"(?s)one-1\.0\.jar is not the file.*SHA-256.*It was not used"):
        get(tmp_path, Repository(b"something else"))
    assert list((tmp_path / "jars").iterdir()) == []


def test_a_jar_that_was_changed_on_disk_is_fetched_again(tmp_path: Path) -> None:
    get(tmp_path, Repository())
    (tmp_path / "jars" / "two-2.0.jar").write_bytes(b"tampered")
    repository = Repository()
    get(tmp_path, repository)
    assert repository.fetched == ["two-2.0.jar"]


def test_an_unreachable_repository_is_said_with_what_to_do(tmp_path: Path) -> None:
    def unreachable(*_: object) -> Path:
        raise OSError("no route to host")

    with pytest.raises(ConfigurationError, match=r"(?s)one-1\.0\.jar: no route to host.*HTTPS_PROXY.*KAFKA_HOME"):
        get(tmp_path, unreachable)


def test_an_installation_is_used_where_kafka_home_names_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "libs").mkdir()
    (tmp_path / "libs" / "kafka_2.13-4.4.0.jar").touch()
    monkeypatch.setenv("KAFKA_HOME", str(tmp_path))
    assert jars.classpath(tmp_path / "unused") == str(tmp_path / "libs" / "*")


def test_a_kafka_home_without_a_server_is_an_error_that_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KAFKA_HOME", str(tmp_path))
    with pytest.raises(ConfigurationError, match="there is no Kafka server in"):
        jars.classpath(tmp_path / "unused")


def test_the_committed_lock_names_each_jar_once_with_a_whole_hash() -> None:
    locked = jars.read_lock()
    assert len({jar.file_name for jar in locked}) == len(locked)
    assert all(len(jar.sha256) == 64 for jar in locked)
    assert {"kafka_2.13-4.4.0.jar", "kafka-clients-4.4.0.jar"} <= {jar.file_name for jar in locked}
