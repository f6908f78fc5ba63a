"""Write `kafka.lock` anew: for whoever raises the broker's version, as `python -m deploy.local.kafka.lock`."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path

from deploy.local.kafka.jars import LOCK, Jar, machine_trust

KAFKA = "4.4.0"
LOG4J = "2.25.5"
# kafka-clients is named although the server needs it anyway: left to itself, the resolver takes an old one.
WANTED = (
    f"org.apache.kafka:kafka_2.13:{KAFKA}",
    f"org.apache.kafka:kafka-clients:{KAFKA}",
    f"org.apache.logging.log4j:log4j-core:{LOG4J}",
    f"org.apache.logging.log4j:log4j-slf4j-impl:{LOG4J}",
)
HEADER = "# {what} and all that it needs: group:artifact:version SHA-256. Made by `python -m {maker}`.\n"


def resolve(folder: Path, wanted: Sequence[str]) -> list[Jar]:
    """Every jar that the wanted ones need, with the hash of what was downloaded into `folder`."""
    from jgo.env import EnvironmentBuilder  # noqa: PLC0415 - takes long to import, and only this needs it
    from jgo.maven import MavenContext  # noqa: PLC0415 - the same

    builder = EnvironmentBuilder(context=MavenContext(repo_cache=folder / "repo"), cache_dir=folder / "cache")
    found = builder.from_endpoint("+".join(wanted)).lockfile
    if found is None:
        raise RuntimeError("The resolver wrote no lock: see its own messages above")
    return [Jar(d.groupId, d.artifactId, d.version, str(d.sha256)) for d in found.dependencies]


def write_lock(lock: Path, wanted: Sequence[str], header: str) -> None:
    """Resolve the wanted jars, and write all that they need."""
    with tempfile.TemporaryDirectory() as folder, machine_trust():
        jars = resolve(Path(folder), wanted)
    lines = sorted(f"{jar.group}:{jar.artifact}:{jar.version} {jar.sha256}\n" for jar in jars)
    lock.write_text(header + "".join(lines))
    print(f"{lock}: {len(lines)} jars")


def main() -> None:
    """Write the broker's lock."""
    write_lock(LOCK, WANTED, HEADER.format(what="Apache Kafka's server", maker="deploy.local.kafka.lock"))


if __name__ == "__main__":
    main()
