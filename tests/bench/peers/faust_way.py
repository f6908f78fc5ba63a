"""The job in the ordinary Faust manner: a Record model, an agent, a windowed table of days and two plain tables.

At a tick, the agent looks at every place of the tick's partition, as a timer could not in a replay. Settings are those
that were found fastest: state in memory, large buffers, no wait for an empty stream.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import faust
from faust.types import EventT, StreamT

from tests.bench.peers.figures import ABSENT_DAYS, DAY_MS, LONGEST, figures
from tests.bench.peers.report import Job, Report, job

_DAY_S = DAY_MS // 1000


class Activity(faust.Record):
    """An event or a tick: what the job needs of either."""

    student: str = ""
    module: str = ""
    qualifying: bool = False
    occurred_ms: int = 0
    weight: int = 1
    at_ms: int = 0


class Counting:
    """The agent and its tables."""

    def __init__(self, app: faust.App, given: Job) -> None:
        self._report = Report(given.records)
        self._figures = app.topic(given.figures, key_type=str, value_type=bytes, value_serializer="json")
        self._volumes = (
            app.Table("volumes", default=int)
            .tumbling(timedelta(days=1), key_index=False)
            .relative_to(lambda event: event.value.occurred_ms / 1000)  # type: ignore[attr-defined]  # its interface lacks it
        )
        self._last_days = app.Table("last-days", default=int)
        self._absent = app.Table("absent", default=int)
        self._places: defaultdict[int, set[str]] = defaultdict(set)
        app.agent(app.topic(given.topic, key_type=bytes, value_type=Activity), name="count")(self._run)

    async def _run(self, stream: StreamT[Activity]) -> None:
        async for event in stream.events():
            if event.value.at_ms:
                await self._tick(event.message.partition, event.value.at_ms // DAY_MS)
            elif event.value.qualifying:
                await self._count(event, event.value)
            self._report.taken()

    async def _count(self, event: EventT[Activity], activity: Activity) -> None:
        place, day = f"{activity.student}/{activity.module}", activity.occurred_ms // DAY_MS
        self._volumes[place] += activity.weight
        last = self._last_days.get(place, 0)
        if day <= last:
            return
        self._last_days[place] = day
        self._places[event.message.partition].add(place)
        if place in self._absent:
            del self._absent[place]
        await self._say(place, figures(dict(self._days(place, day)), day, last or day))

    async def _tick(self, partition: int, today: int) -> None:
        for place in self._places[partition]:
            if today - self._last_days[place] >= ABSENT_DAYS and place not in self._absent:
                self._absent[place] = today
                await self._say(place, {"alert": ABSENT_DAYS})

    def _days(self, place: str, today: int) -> Iterator[tuple[int, int]]:
        """Volumes by day of the longest window."""
        table = self._volumes.table
        for day in range(today - LONGEST + 1, today + 1):
            window = (place, table.window.current(day * _DAY_S))
            if window in table:
                yield day, table[window]

    async def _say(self, place: str, said: dict[str, Any]) -> None:
        student, _, module = place.partition("/")
        await self._figures.send(key=student, value={"student": student, "module": module, **said})


def run(given: Job) -> None:
    """Read until told to stop."""
    app = faust.App(
        given.name,
        broker=f"kafka://{given.bootstrap}",
        datadir=given.folder,
        topic_partitions=4,
        topic_replication_factor=1,
        topic_disable_leader=True,
        stream_buffer_maxsize=16_384,
        stream_wait_empty=False,
        producer_linger=0.05,
        producer_max_batch_size=1 << 20,
        web_enabled=False,
        autodiscover=False,
        store="memory://",
    )
    Counting(app, given)
    app.Worker(override_logging=False, redirect_stdouts=False, quiet=True).execute_from_commandline()


if __name__ == "__main__":
    run(job())
