"""What the command line calls: seed a university, simulate its term, replay a real one. Each may be run again.

Every function speaks to a running stack over HTTP only, shows its progress on the target's console, and raises
`SignpostError`s whose messages are for a person.
"""

from __future__ import annotations

import asyncio
import datetime as dt
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from deploy.demo import oulad
from deploy.demo.events import ASSESSMENT, VLE, Span
from deploy.demo.oulad_work import work
from deploy.demo.replayer import Pace, Summary
from deploy.demo.session import Session, Target
from deploy.demo.term import simulate
from deploy.demo.university import Demo, University, demo_university, officers, people

_OULAD_SOURCES = (VLE, ASSESSMENT)  # all that the dataset tells of
FAST = Pace()


@dataclass(frozen=True, slots=True)
class Oulad:
    """Which real presentations to replay, such as "BBB/2013J" (all where none is named), and who consents."""

    folder: Path
    presentations: Sequence[str] = ()
    consenting: float = 0.8
    seed: int = 1


def sign_in_people(demo: Demo) -> list[dict[str, Any]]:
    """The people to choose from when signing in, each with roles."""
    tutors_and_students = [{"id": each.id, "name": each.name, "roles": [each.role]} for each in people(demo)]
    return tutors_and_students + [asdict(officer) for officer in officers(demo)]


def seed(target: Target, demo: Demo) -> None:
    """Tell the services about the demo university, and no more."""
    asyncio.run(_seed(target, demo))


def simulate_term(target: Target, demo: Demo, *, pace: Pace = FAST, again: bool = True) -> Summary | None:
    """Seed the demo university and replay its term, which ends at the last midnight.

    Where the whole term was replayed before: once more if `again`, which changes nothing, else give None.
    """
    return asyncio.run(_simulate_term(target, demo, pace, again=again))


def replay_oulad(target: Target, data: Oulad, *, pace: Pace = FAST) -> list[Summary]:
    """Replay real presentations one after the other, each with people and consents around it."""
    return asyncio.run(_replay_oulad(target, data, pace))


async def _seed(target: Target, demo: Demo) -> None:
    async with Session.open(target) as session:
        await _seeded(session, demo)


async def _seeded(session: Session, demo: Demo) -> tuple[University, Span]:
    today = dt.datetime.now(session.zone).date()
    first_day = await session.first_day(
        demo.term,
        today - dt.timedelta(days=demo.days),
        lambda day: f"The stack's clock has passed the term's start, so the term begins on {day}.",
    )
    span = Span(first_day, demo.days, session.zone)
    university = demo_university(demo, span)
    await session.seed(university, f"A university of {demo.students} students")
    return university, span


async def _simulate_term(target: Target, demo: Demo, pace: Pace, *, again: bool) -> Summary | None:
    async with Session.open(target) as session:
        if not again and await session.is_done(demo.term, demo.days):
            return None
        university, span = await _seeded(session, demo)
        return await session.send(simulate(university, demo, span), f"A term of {demo.weeks} weeks", pace)


async def _replay_oulad(target: Target, data: Oulad, pace: Pace) -> list[Summary]:
    chosen = oulad.presentations(data.folder, data.presentations)
    async with Session.open(target) as session:
        return [await _replay_presentation(session, data, presentation, pace) for presentation in chosen]


async def _replay_presentation(session: Session, data: Oulad, presentation: oulad.Presentation, pace: Pace) -> Summary:
    registered = oulad.registrations(data.folder, presentation)
    found, due = oulad.clicks(data.folder, presentation), work(data.folder, presentation.key)
    lead = dt.timedelta(days=-found.first_day)  # some clicks come before the presentation's day 0
    first_day = await session.first_day(
        presentation.term,
        presentation.start - lead,
        lambda day: (
            f"The stack's clock has passed {presentation.name}'s start, {presentation.start}: "
            f"it is replayed as if it began on {day + lead}."
        ),
    )
    placed = oulad.Placed(presentation, first_day + lead, session.zone)
    people = oulad.Invention(data.seed, data.consenting)
    university = oulad.university(placed, registered, found, due, people)
    await session.seed(university, f"The people of {presentation.name}", _OULAD_SOURCES)
    return await session.send(oulad.term(placed, found, due), f"Presentation {presentation.name}", pace)
