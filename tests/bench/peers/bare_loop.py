"""The bare loop: confluent-kafka's consumer, one decode into the contract's struct, a count by student and day.

What everything else is measured against; it keeps nothing and writes nothing.
"""

from __future__ import annotations

from collections import Counter

import msgspec
from confluent_kafka import Consumer, TopicPartition

from services.kernel.events import ActivityRecorded, ClockTicked
from tests.bench.peers.figures import DAY_MS
from tests.bench.peers.report import Job, Report, job

_BATCH = 5_000


def run(given: Job) -> None:
    """Read everything once."""
    consumer = Consumer(
        {
            "bootstrap.servers": given.bootstrap,
            "group.id": given.name,
            "enable.auto.commit": False,
            "queued.min.messages": 1_000_000,
            "fetch.message.max.bytes": 4 << 20,
        }
    )
    partitions = consumer.list_topics(given.topic, timeout=30).topics[given.topic].partitions
    consumer.assign([TopicPartition(given.topic, number, 0) for number in partitions])
    decode = msgspec.json.Decoder(ActivityRecorded | ClockTicked).decode
    counts: Counter[tuple[str, int]] = Counter()
    report, taken = Report(given.records), 0
    while taken < given.records:
        messages = consumer.consume(_BATCH, 1.0)
        if messages and not taken:
            report.begin()
        for message in messages:
            event = decode(message.value())
            if type(event) is ActivityRecorded:
                counts[event.student, event.occurred_ms // DAY_MS] += event.weight
        taken += len(messages)
        report.taken(len(messages))
    input()  # until it has been looked at
    consumer.close()


if __name__ == "__main__":
    run(job())
