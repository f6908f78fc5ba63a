"""Real indicators workers as processes of their own, and what a run without any fault would have left behind."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import httpx2
import msgspec
from kafka import KafkaConsumer, TopicPartition

from deploy.local.machine.ports import free_port
from services.indicators.domain.cohort import INDEX_PARTS, merge
from services.indicators.handlers import Partition
from services.indicators.handlers.cohorts import KEY as COHORT_KEY
from services.indicators.ports import Changes
from services.kernel.clock import iso_day
from services.kernel.dead_letters import RawRecord
from services.kernel.events import CohortCounted, SupportTriggered
from services.kernel.kafka import provision
from services.kernel.register import load_register
from services.kernel.settings import KafkaSettings, Settings
from services.kernel.topics import (
    ACTIVITY_EVENTS,
    COHORT_NORMS,
    CONSENT_STATE,
    ENGAGEMENT_INDICATORS,
    ENROLMENTS,
    INDICATORS_STATE,
    SUPPORT_TRIGGERS,
    Topic,
)
from tests.support.kafka import Record, admin_client, read_topic
from tests.support.waiting import eventually


class WorkerProcess:
    """`signpost work indicators` on a port of its own; its log stands in `folder`.

    More settings go by their names after `SIGNPOST_INDICATORS__`, in lower case.

    Attributes:
        command: what is run.
    """

    command: Sequence[str] = (sys.executable, "-m", "services.cli", "work", "indicators")

    def __init__(self, kafka: KafkaSettings, folder: Path, name: str, **more: str) -> None:
        self._environment = {
            "PATH": os.environ["PATH"],
            "SIGNPOST_KAFKA__BOOTSTRAP": kafka.bootstrap,
            "SIGNPOST_KAFKA__NAMESPACE": kafka.namespace,
            "SIGNPOST_KAFKA__PARTITIONS": str(kafka.partitions),
            "SIGNPOST_KAFKA__SESSION_TIMEOUT_S": str(kafka.session_timeout_s),
        } | {f"SIGNPOST_INDICATORS__{name.upper()}": value for name, value in more.items()}
        self.url = ""
        self.log = folder / f"{name}.log"
        self.log.touch()
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> WorkerProcess:
        """Start it, or start it again."""
        port = free_port()
        self.url = f"http://127.0.0.1:{port}"
        environment = self._environment | {"SIGNPOST_INDICATORS__PORT": str(port)}
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                self.command, env=environment, stdout=log, stderr=log, start_new_session=True
            )
        return self

    @property
    def pid(self) -> int:
        """Its process id."""
        assert self._process is not None
        return self._process.pid

    @property
    def running(self) -> bool:
        """Whether the process lives."""
        return self._process is not None and self._process.poll() is None

    def signal(self, number: int) -> None:
        """Send a signal."""
        assert self._process is not None
        self._process.send_signal(number)

    def kill(self) -> None:
        """Kill it with -9."""
        self.signal(signal.SIGKILL)
        self.wait()

    def stop(self) -> int:
        """Ask it to end, and give its exit code."""
        if self.running:
            self.signal(signal.SIGTERM)
        return self.wait()

    def wait(self, timeout_s: float = 30) -> int:
        """Wait for its end."""
        assert self._process is not None
        return self._process.wait(timeout_s)

    def ready(self) -> bool:
        """Whether it says that it is ready."""
        try:
            return httpx2.get(f"{self.url}/health/ready").is_success
        except httpx2.TransportError:
            return False

    def metrics(self) -> str:
        """What it tells Prometheus."""
        return httpx2.get(f"{self.url}/metrics").text

    def owns(self) -> list[int]:
        """The partitions whose shards it last took up, by its log."""
        lines = [line for line in self.log.read_text(errors="replace").splitlines() if '"shards_owned"' in line]
        return list(msgspec.json.decode(lines[-1][lines[-1].index("{") :])["partitions"]) if lines else []

    def said(self, words: str) -> int:
        """How often the words stand in its log."""
        return self.log.read_text(errors="replace").count(words)


@contextmanager
def workers(kafka: KafkaSettings, folder: Path, number: int, **more: str) -> Iterator[list[WorkerProcess]]:
    """Workers that are not started yet; whatever happens, none is left running."""
    made = [WorkerProcess(kafka, folder, f"worker-{n}", **more) for n in range(number)]
    try:
        yield made
    finally:
        for worker in made:
            if worker.running:
                worker.kill()


@contextmanager
def a_shard_is_taken(worker: WorkerProcess) -> Iterator[None]:
    """Wait until the worker, whatever the block does to it, has taken up a shard."""
    before = worker.said("shard_ready")
    yield
    eventually(lambda: worker.said("shard_ready") > before, 60, "a shard in the worker's hands")


def forget_what_workers_made(kafka: KafkaSettings) -> None:
    """Make the workers' own topics anew, and let their groups forget where they were: they will read all again."""
    own = (INDICATORS_STATE, ENGAGEMENT_INDICATORS, SUPPORT_TRIGGERS, COHORT_NORMS)
    with admin_client(kafka) as admin:
        admin.delete_topics([kafka.topic(topic) for topic in own])
        groups = {found["group_id"] for found in admin.list_groups()}
        admin.delete_groups(sorted(groups & {kafka.group("indicators"), kafka.group("indicators-shards")}))
    made: list[str] = []

    def all_made() -> bool:
        made.extend(provision(kafka))
        return len(made) == len(own)

    eventually(all_made, what="the workers' own topics")


def last_values(kafka: KafkaSettings, topic: Topic) -> dict[str, bytes]:
    """The committed last value of each key, without those that were taken away."""
    values: dict[str, bytes] = {}
    for record in read_topic(kafka, topic):
        if not record.key or record.key.startswith(COHORT_KEY):  # the shard's own, of no student
            continue
        key = record.key.decode()
        if record.value is None:
            values.pop(key, None)
        else:
            values[key] = record.value
    return values


def position_reached(kafka: KafkaSettings) -> bool:
    """Whether every shard has committed the end of its events."""
    consumer = KafkaConsumer(
        bootstrap_servers=kafka.bootstrap, group_id=kafka.group("indicators-shards"), enable_auto_commit=False
    )
    try:
        partitions = [TopicPartition(kafka.topic(ACTIVITY_EVENTS), n) for n in range(kafka.partitions)]
        ends = consumer.end_offsets(partitions)
        return all((consumer.committed(partition) or 0) >= ends[partition] for partition in partitions)
    finally:
        consumer.close()


def triggers(kafka: KafkaSettings) -> list[SupportTriggered]:
    """Every trigger, in a fixed order."""
    read = [msgspec.json.decode(r.value or b"", type=SupportTriggered) for r in read_topic(kafka, SUPPORT_TRIGGERS)]
    return sorted(read, key=lambda t: (t.student, t.raised_ms, t.id, t.state))


class Undisturbed:
    """What one reader that nobody disturbs makes of the same log: the states, published indicators and triggers."""

    def __init__(self, kafka: KafkaSettings) -> None:
        self.states: dict[str, bytes] = {}
        self.indicators: dict[str, bytes] = {}
        self.triggers: list[SupportTriggered] = []
        partitions = [_prepared(kafka, number) for number in range(kafka.partitions)]
        apply_together(partitions, [_of_partition(kafka, ACTIVITY_EVENTS, n) for n in range(kafka.partitions)])
        for partition in partitions:
            self._take(partition.changes())
        self.triggers.sort(key=lambda t: (t.student, t.raised_ms, t.id, t.state))

    def _take(self, changes: Changes) -> None:
        self.states |= {s: v for s, v in changes.states.items() if v is not None}
        self.indicators |= {s: v for s, v in changes.indicators.items() if v is not None}
        self.triggers += changes.triggers


def apply_together(partitions: Sequence[Partition], logs: Sequence[Sequence[RawRecord]]) -> None:
    """Apply whole logs to partitions that wait for each other where they must, and nowhere else."""
    done = [0] * len(partitions)
    while True:
        for number, partition in enumerate(partitions):
            done[number] += partition.apply(logs[number][done[number] :], consent_is_complete=True)
        weeks = {partition.waiting for partition in partitions} - {None}
        if not weeks:
            return
        (week,) = weeks
        said = [said for partition in partitions for said in partition.counted if isinstance(said, CohortCounted)]
        norms = merge(week or 0, [of for of in said if of.day == iso_day(week or 0)], INDEX_PARTS)
        for partition in partitions:
            partition.compare(norms)


def _prepared(kafka: KafkaSettings, number: int) -> Partition:
    """A partition that knows its consents and enrolments."""
    partition = Partition(load_register(), Settings(kafka=kafka), number=number)
    for topic, take in ((CONSENT_STATE, partition.consent), (ENROLMENTS, partition.enrolments)):
        for record in _of_partition(kafka, topic, number):
            take(record)
    partition.reconcile()
    return partition


def _of_partition(kafka: KafkaSettings, topic: Topic, number: int) -> list[Record]:
    return [record for record in read_topic(kafka, topic) if record.partition == number]


def assert_same_as_undisturbed(kafka: KafkaSettings, but_triggers_of: Collection[str] = ()) -> None:
    """Compare the committed state, indicators and triggers with an undisturbed run's, byte for byte.

    Triggers of students who withdrew on the way are left out: the undisturbed run knows of it from the beginning.
    """
    expected = Undisturbed(kafka)
    assert expected.states
    assert expected.indicators
    assert last_values(kafka, INDICATORS_STATE) == expected.states
    assert last_values(kafka, ENGAGEMENT_INDICATORS) == expected.indicators
    said = [trigger for trigger in triggers(kafka) if trigger.student not in but_triggers_of]
    assert said == expected.triggers
