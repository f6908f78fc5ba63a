"""Get the broker's jars: each by its exact coordinates, each checked against the committed lock.

The lock (`kafka.lock`) lists every jar with its SHA-256, so nothing is resolved at run time and a jar that was
changed on its way, or afterwards on this disk, is never started. jgo fetches them; it needs no Java and no Maven.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import tempfile
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import truststore

from services.kernel.errors import ConfigurationError

LOCK = Path(__file__).with_name("kafka.lock")
_AT_ONCE = 8

Fetch = Callable[["Jar", Path], Path]


@dataclass(frozen=True, slots=True)
class Jar:
    """One line of the lock."""

    group: str
    artifact: str
    version: str
    sha256: str

    @property
    def file_name(self) -> str:
        """The jar's name in the folder of jars."""
        return f"{self.artifact}-{self.version}.jar"

    def is_intact(self, file: Path) -> bool:
        """Whether the file is there and is this very jar."""
        return file.is_file() and _sha256(file) == self.sha256


def read_lock(lock: Path = LOCK) -> list[Jar]:
    """The jars that the broker consists of."""
    lines = lock.read_text().splitlines()
    return [_read_line(line) for line in lines if line and not line.startswith("#")]


def fetch_jar(jar: Jar, download: Path) -> Path:
    """Download one jar into the folder `download` and return the file."""
    from jgo.maven import MavenContext  # noqa: PLC0415 - takes long to import, and is needed once

    context = MavenContext(repo_cache=download, timeout=60)
    file: Path = context.project(jar.group, jar.artifact).at_version(jar.version).artifact().resolve()
    return file


def broker_jars(
    folder: Path, say: Callable[[str], None] = print, fetch: Fetch = fetch_jar, lock: Path = LOCK
) -> list[Path]:
    """All jars of the broker, in `folder`; what is missing or not intact there is fetched first.

    Raises:
        ConfigurationError: a jar cannot be had or is not the one in the lock; the message says what to do.
    """
    jars = read_lock(lock)
    missing = [jar for jar in jars if not jar.is_intact(folder / jar.file_name)]
    if missing:
        say(f"Fetching Apache Kafka: {len(missing)} jars, into {folder}")
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder) as download, machine_trust():
            _get_all(missing, folder, Path(download), fetch)
    return [folder / jar.file_name for jar in jars]


def classpath(folder: Path, say: Callable[[str], None] = print) -> str:
    """The broker's class path: of the installation that `KAFKA_HOME` names, else of the fetched jars.

    Raises:
        ConfigurationError: as `broker_jars`, or `KAFKA_HOME` names no installation.
    """
    home = os.environ.get("KAFKA_HOME")
    if not home:
        return os.pathsep.join(str(jar) for jar in broker_jars(folder, say))
    libs = Path(home) / "libs"
    if not list(libs.glob("kafka_2.1*.jar")):
        raise ConfigurationError(
            f"KAFKA_HOME is {home}, but there is no Kafka server in {libs}.\nSet it to the folder of an unpacked"
            " Apache Kafka 4, or unset it to have the broker fetched."
        )
    return str(libs / "*")


def _read_line(line: str) -> Jar:
    coordinates, sha256 = line.split()
    group, artifact, version = coordinates.split(":")
    return Jar(group, artifact, version, sha256)


@contextmanager
def machine_trust() -> Iterator[None]:
    """Within it, TLS trusts what the machine trusts: behind an institution's proxy that is more than the usual."""
    truststore.inject_into_ssl()
    try:
        yield
    finally:
        truststore.extract_from_ssl()


def _get_all(jars: Iterable[Jar], folder: Path, download: Path, fetch: Fetch) -> None:
    pool = ThreadPoolExecutor(_AT_ONCE)
    try:
        for getting in [pool.submit(_get, jar, folder, download, fetch) for jar in jars]:
            getting.result()
    finally:
        pool.shutdown(cancel_futures=True)  # after a failure the rest would only fail likewise, each in its time


def _get(jar: Jar, folder: Path, download: Path, fetch: Fetch) -> None:
    try:
        file = fetch(jar, download)
    except Exception as error:  # whatever the resolver or the network raises, the remedy is the same
        raise ConfigurationError(
            f"Could not fetch {jar.file_name}: {error}\nCheck that this machine reaches Maven Central (a proxy goes"
            " into HTTPS_PROXY) and run it again; what was fetched is kept.\nOr set KAFKA_HOME to an unpacked Apache"
            " Kafka 4, or SIGNPOST_KAFKA__BOOTSTRAP to a broker that runs."
        ) from error
    if not jar.is_intact(file):
        raise ConfigurationError(
            f"{jar.file_name} is not the file that {LOCK.name} names: its SHA-256 is {_sha256(file)}, not"
            f" {jar.sha256}.\nIt was not used. Run it again; if it stays so, whatever stands between here and Maven"
            " Central changes files: fetch from another network, or set KAFKA_HOME to an unpacked Apache Kafka 4."
        )
    # Another process may fetch the same jar: the last one to put it in place wins, and both are intact.
    shutil.move(file, folder / f"{jar.file_name}.{os.getpid()}")
    (folder / f"{jar.file_name}.{os.getpid()}").replace(folder / jar.file_name)


def _sha256(file: Path) -> str:
    with file.open("rb") as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest()
