"""Running one of the peers' programs over a log, and what it took."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import msgspec
from kafka.admin import NewTopic

from services.kernel.settings import KafkaSettings
from services.kernel.topics import ACTIVITY_EVENTS
from tests.bench.indicators.machine import peak_memory
from tests.bench.indicators.measured import Measured
from tests.bench.peers import streams
from tests.support import CHECKOUT
from tests.support.kafka import admin_client

_PYTHON = CHECKOUT / ".signpost" / "cache" / "peers" / "bin" / "python"
_PATIENCE_S = 120.0  # for a fiftieth of the log, and for its start


class Line(msgspec.Struct):
    """What a program says: records taken, when, and its processor's time until then."""

    records: int
    at: float
    cpu_s: float


def commands(say: Callable[[str], None]) -> dict[str, Sequence[str]]:
    """The peers' programs; where there is no Java development kit, without Kafka Streams.

    Raises:
        SystemExit: their environment is not there.
    """
    if not _PYTHON.is_file():
        raise SystemExit(
            f"The peers' environment is missing ({_PYTHON.parent.parent}): run `make bench`, which makes it"
        )
    found: dict[str, Sequence[str]] = {
        "bare_confluent": [str(_PYTHON), "-m", "tests.bench.peers.bare_loop"],
        "faust": [sys.executable, "-m", "tests.bench.peers.faust_way"],
        "quix": [str(_PYTHON), "-m", "tests.bench.peers.quix_way"],
    }
    if kit := streams.development_kit():
        found["kafka_streams"] = streams.command(kit, say)
    else:
        say("Kafka Streams is left out: there is no javac here (install a Java development kit, or set JAVA_HOME)")
    return found


def run_peer(  # noqa: PLR0913 - the last is for those who want to see what it wrote
    kafka: KafkaSettings,
    command: Sequence[str],
    folder: Path,
    records: int,
    advance: Callable[[int], object],
    *,
    look: Callable[[str], None] | None = None,
) -> Measured:
    """Read the whole log with it from nothing; gives what it took from its first record to its last.

    `look` is called with the name of the topic that it wrote to, once it has ended in good order.
    """
    name = f"peer-{time.time_ns()}"
    place = folder / name
    place.mkdir()
    arguments = [kafka.bootstrap, kafka.topic(ACTIVITY_EVENTS), str(records), name, str(place)]
    log = folder / f"{name}.log"
    with _topics(kafka, name), _running([*command, *arguments], log) as process:
        lines = _lines(process, log, records, advance)
        memory = peak_memory(process.pid)
        if look:
            process.terminate()
            process.wait(_PATIENCE_S)
            look(f"{name}-figures")
    shutil.rmtree(place)
    taken, seconds = lines[-1].records - lines[0].records, lines[-1].at - lines[0].at
    return Measured(taken / seconds, (lines[-1].cpu_s - lines[0].cpu_s) / taken * 1e6, memory)


def _lines(process: subprocess.Popen[bytes], log: Path, records: int, advance: Callable[[int], object]) -> list[Line]:
    """What it says until it is done; a silent one is ended."""
    found: list[Line] = []
    while text := _next_line(process):
        if text.startswith(b"{"):
            found.append(msgspec.json.decode(text, type=Line))
            advance(found[-1].records - (found[-2].records if len(found) > 1 else 0))
            if found[-1].records >= records:
                return found
    said = log.read_text(errors="replace")[-3000:]
    raise RuntimeError(
        f"It ended, or was ended, after {found[-1].records if found else 0} of {records} records:\n{said}"
    )


def _next_line(process: subprocess.Popen[bytes]) -> bytes:
    assert process.stdout
    patience = threading.Timer(_PATIENCE_S, process.kill)
    patience.start()
    try:
        return process.stdout.readline()
    finally:
        patience.cancel()


@contextmanager
def _running(command: Sequence[str], log: Path) -> Iterator[subprocess.Popen[bytes]]:
    """The program, which is ended afterwards."""
    environment: Mapping[str, str] = {"PATH": os.environ["PATH"], "PYTHONUNBUFFERED": "1"}
    with (
        log.open("wb") as errors,
        subprocess.Popen(
            command, cwd=CHECKOUT, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=errors
        ) as process,
    ):
        try:
            yield process
        finally:
            process.kill()  # nothing of it is needed any more


@contextmanager
def _topics(kafka: KafkaSettings, name: str) -> Iterator[None]:
    """The topic to write to; it and what the program made for itself are removed afterwards."""
    with admin_client(kafka) as admin:
        admin.create_topics([NewTopic(f"{name}-figures", kafka.partitions, 1)])
    try:
        yield
    finally:
        with admin_client(kafka) as admin:
            admin.delete_topics([topic for topic in admin.list_topics() if name in topic])
