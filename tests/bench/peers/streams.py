"""Kafka Streams' program, compiled where there is a Java development kit; run it to write its jars' lock anew."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

from deploy.local.kafka.jars import broker_jars
from deploy.local.kafka.lock import HEADER, write_lock
from tests.support import CHECKOUT

SOURCE = Path(__file__).with_name("StreamsWay.java")
LOCK = Path(__file__).with_name("streams.lock")
STREAMS = "4.3.1"
_WANTED = (f"org.apache.kafka:kafka-streams:{STREAMS}", f"org.apache.kafka:kafka-clients:{STREAMS}")
_JARS = CHECKOUT / ".signpost" / "cache" / "kafka-streams"
_CLASSES = _JARS / "classes"
_MEMORY = "-Xmx2g"


def development_kit() -> Path | None:
    """The folder with `javac` and its `java`, of JAVA_HOME or else of the path; None where there is none."""
    home, on_path = os.environ.get("JAVA_HOME"), shutil.which("javac")
    places = [Path(home) / "bin" if home else None, Path(on_path).resolve().parent if on_path else None]
    return next((place for place in places if place and (place / "javac").is_file()), None)


def command(kit: Path, say: Callable[[str], None]) -> list[str]:
    """Fetch the jars, compile, and give the command that runs it."""
    classpath = os.pathsep.join(map(str, broker_jars(_JARS, say, lock=LOCK)))
    _CLASSES.mkdir(parents=True, exist_ok=True)
    compiler = [str(kit / "javac"), "--release", "17", "-cp", classpath, "-d", str(_CLASSES), str(SOURCE)]
    done = subprocess.run(compiler, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"{SOURCE.name} does not compile with {kit / 'javac'}:\n{done.stdout}{done.stderr}")
    return [str(kit / "java"), _MEMORY, "-cp", f"{classpath}{os.pathsep}{_CLASSES}", SOURCE.stem]


if __name__ == "__main__":
    write_lock(LOCK, _WANTED, HEADER.format(what="Kafka Streams", maker="tests.bench.peers.streams"))
