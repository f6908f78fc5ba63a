"""The consent service in a test: settings, bodies, and a database of either kind."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import httpx2
import msgspec
from fastapi.testclient import TestClient

from services.kernel.codec import decoder
from services.kernel.events import ConsentStateChanged
from services.kernel.settings import (
    ConsentSettings,
    InstitutionSettings,
    KafkaSettings,
    SessionSettings,
    Settings,
)
from services.kernel.topics import CONSENT_STATE
from tests.support.kafka import read_topic

SECRET = "a secret of the tests"
TOKEN = "a registrar's token of the tests"
BEARER = {"Authorization": f"Bearer {TOKEN}"}
NOWHERE = KafkaSettings(bootstrap="127.0.0.1:1")
PEOPLE = [
    {"id": "s0000001", "name": "Ada Example", "role": "student"},
    {"id": "s0000002", "name": "Ben Example", "role": "student"},
    {"id": "t0000001", "name": "Tam Example", "role": "tutor"},
]


def settings(folder: Path, kafka: KafkaSettings = NOWHERE, database_url: str | None = None) -> Settings:
    """Settings of a service that keeps its data in `folder`."""
    people = folder / "people.json"
    people.write_bytes(msgspec.json.encode(PEOPLE))
    url = database_url or f"sqlite:///{folder}/consent.db"
    return Settings(
        kafka=kafka,
        institution=InstitutionSettings(pseudonym_secret=SECRET),
        session=SessionSettings(secret=SECRET, demo_people=people, secure_cookies=False),
        consent=ConsentSettings(database_url=url, registrar_token=TOKEN),
    )


def row(person: str = "s0000001", **changes: Any) -> dict[str, Any]:
    """A decision of a registration's body."""
    return {
        "person": person,
        "purpose": "individual-indicators",
        "source": "vle",
        "state": "given",
        "from": "2026-09-21T09:00:00+01:00",
        "notice": "2026-1",
        "language": "en",
    } | changes


class Visitor:
    """A browser with one session, without JavaScript."""

    def __init__(self, client: TestClient, person: str | None) -> None:
        self._client = client
        if person:
            self.post("/sign-in", person=person)

    def get(self, path: str) -> httpx2.Response:
        page: httpx2.Response = self._client.get(path, headers={"Accept": "text/html"})
        return page

    def post(self, path: str, **fields: Any) -> httpx2.Response:
        """Send a form with the session's token, and follow to where it leads."""
        page = self.get("/sign-in").text
        token = re.search(r'name="csrf" value="([^"]+)"', page)
        assert token
        answer: httpx2.Response = self._client.post(path, data={"csrf": token[1], **fields})
        return answer

    def stands(self) -> dict[tuple[str, str], str]:
        consents = self._client.get("/v1/me/consents").json()["consents"]
        return {(cell["purpose"], cell["source"]): cell["state"] for cell in consents}


def published(kafka: KafkaSettings) -> list[ConsentStateChanged]:
    """All that stands on the topic, by partition and offset."""
    read = decoder(CONSENT_STATE)
    return [read(record.value) for record in read_topic(kafka, CONSENT_STATE) if record.value is not None]
