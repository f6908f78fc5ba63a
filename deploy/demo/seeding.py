"""Tells the services about a university, and waits until all of them have heard it.

Only then may events be sent: the door lets go of an event whose student's consent it does not know of yet.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import partial
from http import HTTPStatus

from prometheus_client.parser import text_string_to_metric_families

from deploy.demo.bodies import Asked, directory_bodies, registration_bodies
from deploy.demo.posting import Service, expect
from deploy.demo.progress import Step
from deploy.demo.university import University
from services.kernel.errors import TransientError

_PATIENCE_S, _PAUSE_S = 120.0, 0.5


@dataclass(frozen=True, slots=True)
class Services:
    """Those that take part in seeding."""

    consent: Service
    notify: Service
    door: Service


async def seed_university(
    university: University, asked: Asked, services: Services, step: Step, *, pause_s: float = _PAUSE_S
) -> None:
    """Post directory and registration; a second time changes nothing.

    `step` is told how many students are done, counting each once for the directory and once for their consents.
    """
    done = 0
    for body in directory_bodies(university):
        await _post(services.notify, "/v1/directory", body)
        done += sum(person["role"] == "student" for person in body["people"])
        step(done, "people")
    for body in registration_bodies(university, asked):
        await _post(services.consent, "/v1/registration", body)
        done += len({decision["person"] for decision in body["decisions"]})
        step(done, "consents")
    await _heard(services, sum(consent.choice != "undecided" for consent in university.consents), pause_s)
    step(2 * len(university.students), "known everywhere")


async def _post(service: Service, path: str, body: object) -> None:
    expect(await service.post(path, json=body), HTTPStatus.OK, HTTPStatus.CREATED, HTTPStatus.ACCEPTED)


async def _heard(services: Services, students: int, pause_s: float) -> None:
    """The outboxes are empty, and the door's view of consent was up to date at a moment after that."""
    await asyncio.sleep(pause_s)  # let the relays notice, so that an empty outbox is not the one of before
    for name, service in (("consent", services.consent), ("notify", services.notify)):
        await _until(f"{name} to publish what it was told", partial(_published, service), pause_s)
    since = time.monotonic()
    await _until("the door to read the consents", partial(_read, services.door, students, since), pause_s)


async def _until(what: str, holds: Callable[[], Awaitable[bool]], pause_s: float) -> None:
    give_up = time.monotonic() + _PATIENCE_S
    while not await holds():
        if time.monotonic() > give_up:
            raise TransientError(f"Waited {_PATIENCE_S:.0f} s in vain for {what}: see its log and `signpost status`")
        await asyncio.sleep(pause_s)


async def _published(service: Service) -> bool:
    return await _metric(service, "signpost_outbox_backlog") == 0


async def _read(door: Service, students: int, since: float) -> bool:
    known = await _metric(door, "signpost_door_consent_students")
    age = await _metric(door, "signpost_door_consent_age_seconds")
    return known is not None and known >= students and age is not None and age < time.monotonic() - since


async def _metric(service: Service, name: str) -> float | None:
    answer = expect(await service.get("/metrics"), HTTPStatus.OK)
    families = text_string_to_metric_families(answer.text)
    return next((sample.value for family in families for sample in family.samples if sample.name == name), None)
