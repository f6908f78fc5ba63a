"""A stack's whole history once more, through the very code that the shards run, in memory."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from services.indicators.handlers import Partition
from services.indicators.simulation.history import History
from services.indicators.simulation.loads import Alert
from services.kernel.clock import day_number
from services.kernel.register import Register
from services.kernel.settings import Settings


@dataclass(frozen=True, slots=True)
class Run:
    """What a register would have raised, and the last tick that it judged."""

    alerts: Sequence[Alert]
    end_ms: int


def rerun(history: History, register: Register, settings: Settings, told: Callable[[int], None]) -> Run:
    """Replay all partitions by a register; `told` is given the number of records of each batch.

    Raises:
        ConfigurationError: the register declares what there is no code for.
        TransientError: the broker does not answer.
    """
    alerts: list[Alert] = []
    end_ms = 0
    for number in history.partitions:
        partition = _begun(history, number, Partition(register, settings))
        for batch in history.events(number):
            partition.apply(batch, consent_is_complete=True)
            told(len(batch))
        alerts += _opened(partition)
        end_ms = max(end_ms, partition.clock_ms)
    return Run(alerts, end_ms)


def _begun(history: History, number: int, partition: Partition) -> Partition:
    for record in history.consents(number):
        partition.consent(record)
    for record in history.enrolments(number):
        partition.enrolments(record)
    partition.reconcile()
    return partition


def _opened(partition: Partition) -> list[Alert]:
    triggers = partition.changes().triggers
    return [Alert(t.student, t.rule, day_number(t.day)) for t in triggers if t.state == "opened"]
