"""A real Apache Kafka broker of one node (KRaft) on this machine, in a folder of its own.

It listens on 127.0.0.1 only. `signpost up` runs one; the tests run one for all and, where they kill it, one each.
"""

from __future__ import annotations

import base64
import os
import socket
import subprocess
import time
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from kafka import KafkaAdminClient
from kafka.errors import KafkaError

from deploy.local.kafka import jars, java
from deploy.local.machine.folder_lock import FolderLock
from deploy.local.machine.ports import free_port_from
from deploy.local.machine.processes import Child, Program, end_left_behind
from services.kernel.errors import ConfigurationError

LOG4J = Path(__file__).with_name("log4j2.properties")
START_TIMEOUT_S = 90.0
_PORTS_TRIED = 5
_PATIENCE_S = 40.0

# One node keeps one copy of everything; the internal topics have few partitions, so that it starts soon.
_SETTINGS: Mapping[str, str] = {
    "process.roles": "broker,controller",
    "node.id": "1",
    "controller.listener.names": "CONTROLLER",
    "listener.security.protocol.map": "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT",
    "auto.create.topics.enable": "false",
    "group.initial.rebalance.delay.ms": "0",
    "log.cleaner.dedupe.buffer.size": "33554432",
    "offsets.topic.num.partitions": "8",
    "offsets.topic.replication.factor": "1",
    "transaction.state.log.num.partitions": "8",
    "transaction.state.log.replication.factor": "1",
    "transaction.state.log.min.isr": "1",
    "share.coordinator.state.topic.num.partitions": "1",
    "share.coordinator.state.topic.replication.factor": "1",
    "share.coordinator.state.topic.min.isr": "1",
}


@dataclass
class Broker:
    """The broker of a folder; nothing runs before `start`.

    Attributes:
        folder: data, configuration, log and pid; made where it is missing. Another run continues with it.
        jars_folder: where the broker's jars are, or are fetched to.
        port: for clients. Where it or `controller_port` is taken at the start, the next free one is used, and `say`
            is told.
        settings: the broker's own settings, on top of those for one node.
        jvm: options of the Java machine.
    """

    folder: Path
    jars_folder: Path
    port: int = 9092
    controller_port: int = 9093
    settings: Mapping[str, str] = field(default_factory=dict)
    jvm: Sequence[str] = ("-Xmx512m",)
    say: Callable[[str], None] = print
    _child: Child | None = field(default=None, init=False)
    _lock: FolderLock | None = field(default=None, init=False)

    @property
    def bootstrap(self) -> str:
        """The address for clients."""
        return f"127.0.0.1:{self.port}"

    @property
    def pid(self) -> int | None:
        """The process id while it runs."""
        return self._child.pid if self._child else None

    @property
    def log(self) -> Path:
        """The broker's log file; what it says of errors is also in `broker.log` beside it."""
        return self.folder / "server.log"

    def start(self, timeout_s: float = START_TIMEOUT_S) -> None:
        """Start it and wait until it answers.

        Raises:
            ConfigurationError: Java or the jars cannot be had, the folder is in use, or the broker does not start.
        """
        if self.pid:
            return
        self.folder.mkdir(parents=True, exist_ok=True)
        self._lock = self._lock or FolderLock(self.folder)
        try:
            end_left_behind(self.folder, self.say)
            self._launch(self._program(), time.monotonic() + timeout_s)
        except BaseException:
            self._end(kill=True)
            self._release()
            raise

    def stop(self) -> None:
        """Stop it in good order and wait until it has ended; nothing happens where it does not run."""
        self._end(kill=False)
        self._release()

    def kill(self) -> None:
        """Kill it (-9), as a machine's failure would; `start` starts it again on the same ports."""
        self._end(kill=True)

    def restart(self, *, kill: bool = False) -> None:
        """Stop or kill it, and start it again."""
        self._end(kill=kill)
        self.start()

    def _program(self) -> list[str]:
        logging = [f"-Dsignpost.broker.log={self.log}", f"-Dlog4j2.configurationFile={LOG4J}"]
        classpath = ["-cp", jars.classpath(self.jars_folder, self.say)]
        return [str(java.find_java()), "-XX:+UseSerialGC", *self.jvm, *logging, *classpath]

    def _launch(self, program: list[str], deadline: float) -> None:
        problem = ""
        for _ in range(_PORTS_TRIED):
            self._move_ports()
            self._write_config()
            self._format(program)
            command = [*program, "kafka.Kafka", str(self._config_file)]
            self._child = child = Child(
                Program("broker", command, os.environ, self.bootstrap), self.folder, self.folder
            )
            child.start()
            if self._wait(child, deadline):
                return
            problem = child.said()
            if child.running or "Address already in use" not in problem:
                break
        raise ConfigurationError(
            f"The broker did not start; the end of what it said:\n{problem}\nMend what it names ({self.log} says"
            f" more), or remove {self.folder} to begin with an empty broker."
        )

    def _move_ports(self) -> None:
        port = free_port_from(self.port)
        controller_port = free_port_from(self.controller_port, exclude=[port])
        for what, wanted, given in (
            ("for clients", self.port, port),
            ("of the controller", self.controller_port, controller_port),
        ):
            if wanted != given:
                self.say(f"Port {wanted} is taken: the broker's port {what} is {given}")
        self.port, self.controller_port = port, controller_port

    def _write_config(self) -> None:
        listeners = f"PLAINTEXT://127.0.0.1:{self.port},CONTROLLER://127.0.0.1:{self.controller_port}"
        own = {
            "listeners": listeners,
            "controller.quorum.voters": f"1@127.0.0.1:{self.controller_port}",
            "log.dirs": str(self._data),
        }
        lines = [f"{name}={value}\n" for name, value in ({**_SETTINGS, **own, **self.settings}).items()]
        self._config_file.write_text("".join(lines))

    def _format(self, program: list[str]) -> None:
        if (self._data / "meta.properties").is_file():
            return
        cluster = base64.urlsafe_b64encode(b"\x01" + uuid.uuid4().bytes[1:]).decode().rstrip("=")
        tool = ["kafka.tools.StorageTool", "format", "-t", cluster, "-c", str(self._config_file)]
        done = subprocess.run([*program, *tool], capture_output=True, text=True, check=False)
        if done.returncode:
            raise ConfigurationError(
                f"The broker's folder {self.folder} could not be prepared:\n{done.stdout}{done.stderr}"
            )

    def _wait(self, child: Child, deadline: float) -> bool:
        while child.running and time.monotonic() < deadline:
            if answers(self.bootstrap):
                return True
            time.sleep(0.1)
        return False

    def _end(self, *, kill: bool) -> None:
        if self._child is None:
            return
        if not kill:
            self._child.ask_to_stop()
        self._child.end(time.monotonic() + (0 if kill else _PATIENCE_S))
        self._child = None

    def _release(self) -> None:
        if self._lock:
            self._lock.release()
            self._lock = None

    @property
    def _data(self) -> Path:
        return self.folder / "data"

    @property
    def _config_file(self) -> Path:
        return self.folder / "server.properties"


def answers(bootstrap: str) -> bool:
    """Whether a broker answers there and takes part in its cluster."""
    host, port = bootstrap.split(",", maxsplit=1)[0].rsplit(":", 1)
    try:
        socket.create_connection((host, int(port)), timeout=1).close()
        admin = KafkaAdminClient(bootstrap_servers=bootstrap, request_timeout_ms=5000)
    except (OSError, KafkaError):
        return False
    try:
        return bool(admin.describe_cluster()["brokers"])
    except KafkaError:
        return False
    finally:
        admin.close()
