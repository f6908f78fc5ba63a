"""The job in Quix Streams: a stateful function over a keyed stream, RocksDB with a changelog.

A state belongs to one key, and nothing happens to a key without a message of its own. So absence is seen only when a
student comes back: the rule is judged there, too late. The clock's ticks are passed over.
"""

from __future__ import annotations

from typing import Any

from quixstreams import Application, State

from tests.bench.peers.figures import ABSENT_DAYS, DAY_MS, LONGEST, figures
from tests.bench.peers.report import Job, Report, job


def count(event: dict[str, Any], state: State) -> dict[str, Any] | None:
    """Count an event; gives the student's figures on the module at the first event of a day."""
    module, day = event["module"], event["occurred_ms"] // DAY_MS
    place = state.get(module) or {"last": day, "days": {}}
    days, last = place["days"], place["last"]
    new = day > last or not days
    if new:
        days = {known: volume for known, volume in days.items() if int(known) > day - LONGEST}
    days[str(day)] = days.get(str(day), 0) + event.get("weight", 1)
    state.set(module, {"last": max(day, last), "days": days})
    if not new:
        return None
    said = figures({int(known): volume for known, volume in days.items()}, day, last)
    return {"student": event["student"], "module": module, "alert": day - last >= ABSENT_DAYS, **said}


def run(given: Job) -> None:
    """Read until told to stop."""
    report = Report(given.records)
    application = Application(
        broker_address=given.bootstrap,
        consumer_group=given.name,
        auto_offset_reset="earliest",
        state_dir=given.folder,
        loglevel="WARNING",
        consumer_extra_config={"queued.min.messages": 1_000_000, "fetch.message.max.bytes": 4 << 20},
    )
    events = application.topic(given.topic, key_deserializer="str", value_deserializer="json")
    written = application.topic(given.figures, key_serializer="str", value_serializer="json")

    def seen(event: dict[str, Any]) -> bool:
        report.taken()
        return bool(event.get("qualifying"))

    stream = application.dataframe(events)
    stream = stream.filter(seen).apply(count, stateful=True)
    stream.filter(lambda said: said is not None).to_topic(written)
    application.run()


if __name__ == "__main__":
    run(job())
