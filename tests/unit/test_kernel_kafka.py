"""A student's records meet in one partition, whichever client wrote them."""

from __future__ import annotations

from typing import Any

from aiokafka.partitioner import DefaultPartitioner as AiokafkaPartitioner
from hypothesis import given
from hypothesis import strategies as st
from kafka import KafkaProducer

from services.kernel.ids import Pseudonyms
from services.kernel.kafka import client_id, partition_of

STUDENTS = st.text(min_size=1).map(Pseudonyms("a secret").of)


class Cluster:
    """What kafka-python's partitioner asks about a topic."""

    def __init__(self, partitions: int) -> None:
        self._partitions = set(range(partitions))

    def topics(self) -> set[str]:
        """The topics that there are."""
        return {"any"}

    def partitions_for_topic(self, _topic: str) -> set[int]:
        """All partitions of a topic."""
        return self._partitions

    available_partitions_for_topic = partitions_for_topic


def by_kafka_python(student: str, partitions: int) -> Any:
    """The partition that kafka-python's producer chooses by default."""
    key = student.encode()
    return KafkaProducer.DEFAULT_CONFIG["partitioner"].partition("any", key, key, b"", b"", Cluster(partitions))


@given(student=STUDENTS, partitions=st.integers(1, 64))
def test_our_choice_is_that_of_both_clients(student: str, partitions: int) -> None:
    ours = partition_of(student, partitions)
    everywhere = list(range(partitions))
    assert ours == AiokafkaPartitioner()(student.encode(), everywhere, everywhere)
    assert ours == by_kafka_python(student, partitions)


def test_students_spread_over_all_partitions() -> None:
    of = Pseudonyms("a secret").of
    chosen = [partition_of(of(str(number)), 4) for number in range(4_000)]
    assert all(850 < chosen.count(partition) < 1_150 for partition in range(4))


def test_a_client_is_named_after_its_service_and_process() -> None:
    assert client_id("notify").startswith("signpost-notify-")
