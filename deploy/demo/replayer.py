"""Drives a term through the front door: each day's events, then, all of them acknowledged, the tick that ends it.

With a tick it says when each source's systems had last sent anything, in the term's own time. A replay may be broken
off and begun again, or given twice: the events keep their ids and the clock is never asked to go back. The events of
one student and source are sent in order, one batch after the other; students run side by side in lanes.
"""

from __future__ import annotations

import asyncio
import datetime as dt
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Literal, TypeVar
from zlib import crc32

import httpx2
import msgspec

from deploy.demo.events import VLE, Day, Event, Term
from deploy.demo.posting import Service, expect
from services.kernel.clock import midnight_ms
from services.kernel.errors import ConfigurationError

_NDJSON = {"Content-Type": "application/x-ndjson"}
_T = TypeVar("_T")
_lines = msgspec.json.Encoder().encode_lines


@dataclass(frozen=True, slots=True)
class Pace:
    """How fast to send.

    Attributes:
        days_per_second: at most so fast; None is as fast as the door takes it.
        lanes: requests under way at the same time.
        batch: events in one request.
    """

    days_per_second: float | None = None
    lanes: int = 4
    batch: int = 500


@dataclass(slots=True)
class Summary:
    """What a replay came to.

    Attributes:
        refused: numbers by the door's reason.
        details: the door's words for the first of each reason.
        waits: how often the door said "not now".
    """

    term: str
    first_day: dt.date
    days: int = 0
    sent: int = 0
    accepted: int = 0
    refused: Counter[str] = field(default_factory=Counter)
    details: dict[str, str] = field(default_factory=dict)
    waits: int = 0
    seconds: float = 0.0

    @property
    def events_per_second(self) -> float:
        """Sent, over the whole replay."""
        return self.sent / self.seconds if self.seconds else 0.0

    def count(self, answer: Answer) -> None:
        """Add what the door said to one batch."""
        self.accepted += answer.accepted
        for refusal in answer.refused:
            self.refused[refusal.reason] += 1
            self.details.setdefault(refusal.reason, refusal.detail)


class Refusal(msgspec.Struct, frozen=True):
    """Why the door did not take one event."""

    reason: str
    detail: str = ""


class Answer(msgspec.Struct, frozen=True):
    """What the door says to a batch."""

    accepted: int
    refused: tuple[Refusal, ...]


class Clock(msgspec.Struct, frozen=True):
    """Where the stack's clock stands: the last tick, or None before the first."""

    mode: Literal["live", "replay"]
    at_ms: int | None = None


Progress = Callable[[Summary], None]  # told of the summary so far after each day


class Door:
    """The ingest service, as source systems of each kind see it; the learning environment's may also set the clock."""

    def __init__(self, services: Mapping[str, Service]) -> None:
        self._services = services
        self._service = services[VLE]

    @property
    def waits(self) -> int:
        """How often it said "not now"."""
        return sum(service.waits for service in self._services.values())

    async def clock(self) -> Clock:
        """Where the clock stands.

        Raises:
            ConfigurationError: it is the machine's own, so that nothing can be replayed.
        """
        answer = expect(await self._service.get("/v1/clock"), HTTPStatus.OK)
        clock = _decoded(answer, Clock)
        if clock.mode == "live":
            raise ConfigurationError(
                "This stack runs by the machine's clock, and a replay would have to move it: "
                "start one with SIGNPOST_CLOCK=replay, as `signpost up` does"
            )
        return clock

    async def send(self, source: str, events: Sequence[Event]) -> Answer:
        """Have a batch acknowledged."""
        answer = await self._services[source].post("/v1/events", content=_lines(events), headers=_NDJSON)
        expect(answer, HTTPStatus.ACCEPTED, HTTPStatus.MULTI_STATUS, HTTPStatus.UNPROCESSABLE_ENTITY)
        return _decoded(answer, Answer)

    async def tick(self, at_ms: int, heard: Mapping[str, int]) -> None:
        """Bring the clock to a moment, and say when each source was last heard by then.

        Raises:
            ConfigurationError: somebody else has brought it further meanwhile.
        """
        answer = await self._service.post("/v1/clock", json={"at_ms": at_ms, "heard": heard})
        if answer.status_code == HTTPStatus.CONFLICT and (await self.clock()).at_ms == at_ms:
            return  # an earlier try had come through
        if answer.status_code == HTTPStatus.CONFLICT:
            raise ConfigurationError(f"Somebody else moves this stack's clock: {answer.text[:300]}")
        expect(answer, HTTPStatus.OK, HTTPStatus.ACCEPTED, HTTPStatus.NO_CONTENT)


async def replay(term: Term, door: Door, *, pace: Pace, progress: Progress) -> Summary:
    """Send the whole term, and say what came of it."""
    summary = Summary(term.name, term.span.first_day)
    clock, zone = (await door.clock()).at_ms or 0, term.span.zone
    started, waits = time.monotonic(), door.waits
    if (dawn := midnight_ms(term.span.first_day, zone)) > clock:
        await door.tick(dawn, {})
    heard: dict[str, int] = {}
    for day in term.days:
        await _replay_day(day, door, pace, summary)
        heard |= day.heard_ms
        if (end := midnight_ms(day.date + dt.timedelta(days=1), zone)) > clock:
            await door.tick(end, heard)
        summary.days += 1
        summary.waits, summary.seconds = door.waits - waits, time.monotonic() - started
        progress(summary)
        if pace.days_per_second:
            await asyncio.sleep(max(0.0, summary.days / pace.days_per_second - summary.seconds))
    return summary


def _decoded(answer: httpx2.Response, kind: type[_T]) -> _T:
    try:
        return msgspec.json.decode(answer.content, type=kind)
    except msgspec.DecodeError as error:
        raise ConfigurationError(f"{answer.request.url} answered what a door does not: {error}") from error


async def _replay_day(day: Day, door: Door, pace: Pace, summary: Summary) -> None:
    try:
        async with asyncio.TaskGroup() as lanes:
            for lane in _split(day, pace.lanes):
                lanes.create_task(_send_lane(lane, door, pace, summary))
    except ExceptionGroup as failed:  # the first lane that failed has ended the others
        raise failed.exceptions[0] from None


async def _send_lane(lane: Mapping[str, Sequence[Event]], door: Door, pace: Pace, summary: Summary) -> None:
    for source, events in lane.items():
        for start in range(0, len(events), pace.batch):
            batch = events[start : start + pace.batch]
            answer = await door.send(source, batch)
            summary.sent += len(batch)
            summary.count(answer)


def _split(day: Day, lanes: int) -> Iterator[Mapping[str, Sequence[Event]]]:
    split: list[dict[str, list[Event]]] = [defaultdict(list) for _ in range(lanes)]
    for source, events in day.by_source.items():
        for event in events:
            split[crc32(event.student.encode()) % lanes][source].append(event)
    return filter(None, split)
