"""The four services as processes of their own, as `signpost up` runs them, on topics of one test alone."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

import msgspec

from deploy.local import environment
from deploy.local.machine.ports import free_port
from deploy.local.machine.processes import Child, stop_all
from deploy.local.readiness import wait_ready
from deploy.local.state import Ports, RunFile, StateFolder
from services.ingest.adapters.sources import add_source
from services.kernel.settings import KafkaSettings


@contextmanager
def running_services(folder: StateFolder, kafka: KafkaSettings) -> Iterator[RunFile]:
    """Start them on free ports and wait until each is ready; stop them at the end."""
    folder.make()
    add_source(folder.sources, name="test", source="vle", scopes=("events", "clock"))
    run = _run(kafka)
    own = {"SIGNPOST_KAFKA__NAMESPACE": kafka.namespace, "SIGNPOST_KAFKA__SESSION_TIMEOUT_S": "3"}
    programs = [
        replace(program, environment={**program.environment, **own})
        for program in environment.services(folder, run, folder.secrets())
    ]
    children = [Child(program, folder.logs, folder.pids) for program in programs]
    try:
        for child in children:
            child.start()
        wait_ready(children, lambda _: None)
        yield run
    finally:
        stop_all(children, _fail)


def _run(kafka: KafkaSettings) -> RunFile:
    chosen: dict[str, int] = {}
    for field in msgspec.structs.fields(Ports):
        chosen[field.name] = free_port(exclude=chosen.values())
    ports = Ports(**chosen)
    return RunFile(
        bootstrap=kafka.bootstrap,
        cluster="test",
        clock="replay",
        services=environment.addresses(ports),
        mail=f"http://127.0.0.1:{ports.mail}",
        ports=ports,
        identity=f"http://127.0.0.1:{ports.identity}",
    )


def _fail(problem: str) -> None:
    raise AssertionError(problem)
