"""One visit to a running stack: settles when a term begins, seeds its university and sends it."""

from __future__ import annotations

import datetime as dt
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self
from zoneinfo import ZoneInfo

import httpx2
from rich.console import Console

from deploy.demo.bodies import Asked
from deploy.demo.events import SOURCES, VLE, Term
from deploy.demo.posting import Service
from deploy.demo.progress import progress
from deploy.demo.replayer import Door, Pace, Summary, replay
from deploy.demo.seeding import Services, seed_university
from deploy.demo.stack import Replay, Replays, Stack
from deploy.demo.university import Cell, University
from services.consent.notices import FOLDER, load_notices
from services.kernel.clock import midnight_ms
from services.kernel.register import load_register
from services.kernel.settings import Settings

_TIMEOUT_S = 60.0


@dataclass(frozen=True, slots=True)
class Target:
    """What to replay into, and where to show it.

    Attributes:
        replays: the file that remembers which term began when.
    """

    settings: Settings
    stack: Stack
    replays: Path
    console: Console


class Session:
    """Open with `open`; it closes its connections at the end."""

    def __init__(self, target: Target, services: Services, door: Door) -> None:
        self._services, self._door, self._settings = services, door, target.settings
        self._replays, self._console = Replays(target.replays), target.console
        self._register = load_register(target.settings.register_file)
        self.zone: ZoneInfo = target.settings.institution.zone

    @classmethod
    @asynccontextmanager
    async def open(cls, target: Target) -> AsyncIterator[Self]:
        """A session with the stack.

        Raises:
            ConfigurationError: the stack runs by the machine's clock.
        """
        stack = target.stack
        async with AsyncExitStack() as opened:

            async def service(base: str, **credentials: Any) -> Service:
                return Service(await opened.enter_async_context(_client(base, **credentials)))

            doors = {kind: await service(stack.ingest, auth=stack.credentials(kind)) for kind in SOURCES}
            consent = await service(stack.consent, token=stack.registrar_token)
            notify = await service(stack.notify, token=stack.directory_token)
            session = cls(target, Services(consent, notify, doors[VLE]), Door(doors))
            await session._door.clock()
            yield session

    async def first_day(self, term: str, wanted: dt.date, shifted: Callable[[dt.date], str]) -> dt.date:
        """The date of the term's first day on this stack, settled once and remembered.

        It is the wanted one unless the stack's clock has passed it: then it is the day after the clock's, and what
        `shifted` makes of it is printed.
        """
        if known := self._replays.get(term):
            return known.first_day
        clock = await self._door.clock()
        chosen = wanted
        if clock.at_ms is not None and midnight_ms(wanted, self.zone) < clock.at_ms:
            today = dt.datetime.fromtimestamp(clock.at_ms / 1000, self.zone).date()
            chosen = today + dt.timedelta(days=1)
            self._console.print(shifted(chosen), highlight=False)
        self._replays.put(term, Replay(chosen))
        return chosen

    async def is_done(self, term: str, length: int) -> bool:
        """Whether all of the term, of so many days, was replayed into this stack."""
        known, at_ms = self._replays.get(term), (await self._door.clock()).at_ms
        if known is None or not known.completed or at_ms is None:
            return False
        return at_ms >= midnight_ms(known.first_day + dt.timedelta(days=length), self.zone)

    async def seed(self, university: University, title: str, sources: Sequence[str] = ()) -> None:
        """Tell the services about a university; consents are for these sources, or for all that the register has."""
        cells: list[Cell] = [
            (purpose, source) for purpose in self._register.purpose for source in sources or self._register.source
        ]
        with progress(self._console, title, 2 * len(university.students), "told") as step:
            await seed_university(university, Asked(cells, self._notice()), self._services, step)

    def _notice(self) -> str:
        """The version of the notice that students are shown now."""
        folder = self._settings.consent.notices_folder or FOLDER
        notices = load_notices(self._register, folder, zone=self.zone)
        return notices.in_force(notices.languages[0]).version

    async def send(self, term: Term, title: str, pace: Pace) -> Summary:
        """Replay the term, and remember that it arrived."""
        with progress(self._console, title, term.span.days, "days") as step:

            def show(so_far: Summary) -> None:
                step(so_far.days, f"{so_far.sent:,} events, {so_far.events_per_second:,.0f}/s")

            summary = await replay(term, self._door, pace=pace, progress=show)
        self._replays.put(term.name, Replay(term.span.first_day, completed=True))
        _show_summary(self._console, summary)
        return summary


def _show_summary(console: Console, summary: Summary) -> None:
    console.print(
        f"Sent {summary.sent:,} events of {summary.days} days from {summary.first_day} on: "
        f"{summary.accepted:,} accepted, {sum(summary.refused.values()):,} refused, in {summary.seconds:.1f} s "
        f"({summary.events_per_second:,.0f}/s); the door asked to wait {summary.waits} times.",
        highlight=False,
    )
    for reason, count in summary.refused.most_common():
        console.print(f"  refused {count:,} × {reason}: {summary.details[reason]}", highlight=False)


def _client(base: str, *, token: str | None = None, auth: tuple[str, str] | None = None) -> httpx2.AsyncClient:
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    return httpx2.AsyncClient(base_url=base, headers=headers, auth=auth, timeout=_TIMEOUT_S, trust_env=False)
