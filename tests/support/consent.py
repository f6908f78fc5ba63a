"""The consent service in a test: settings, bodies, and a database of either kind."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import httpx2
import pytest
from fastapi.testclient import TestClient
from sqlalchemy import Engine

from services.consent.adapters.ledger import MIGRATIONS
from services.consent.domain.decisions import Terms
from services.kernel import database
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
from tests.support.sessions import CSRF, SECRET, sign_in

TOKEN = "a registrar's token of the tests"
BEARER = {"Authorization": f"Bearer {TOKEN}"}
_BROWSER = {"Accept": "text/html"}
TERMS = Terms(ZoneInfo("Europe/London"), renewal_days=42)
NOWHERE = KafkaSettings(bootstrap="127.0.0.1:1")


@pytest.fixture
def consent_engine(database_url: str) -> Iterator[Engine]:
    """The consent service's database, migrated and empty."""
    made = database.engine(database_url)
    database.migrate(made, MIGRATIONS)
    yield made
    made.dispose()


@pytest.fixture
def consent_client(
    consent_engine: Engine, database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> TestClient:
    """The service on a database of either kind, without what works in the background: nothing publishes."""
    from services.consent.app import create_app  # noqa: PLC0415 - only tests of it need all of it

    # Its connections are the test's own, which closes them: without its life nobody else would.
    monkeypatch.setattr(database, "engine", lambda _url: consent_engine)
    return TestClient(create_app(settings(tmp_path, database_url=database_url)))


def settings(folder: Path, kafka: KafkaSettings = NOWHERE, database_url: str | None = None) -> Settings:
    """Settings of a service that keeps its data in `folder`."""
    url = database_url or f"sqlite:///{folder}/consent.db"
    return Settings(
        kafka=kafka,
        institution=InstitutionSettings(pseudonym_secret=SECRET),
        session=SessionSettings(secret=SECRET, secure_cookies=False),
        consent=ConsentSettings(database_url=url, registrar_token=TOKEN, signing_key_file=folder / "key.json"),
    )


def row(person: str = "s0000001", **changes: Any) -> dict[str, Any]:
    """A decision of a registration's body."""
    return {
        "person": person,
        "purpose": "individual-indicators",
        "source": "vle",
        "state": "given",
        "from": "2026-09-21T09:00:00+01:00",
        "notice": "2026-2",
        "language": "en",
    } | changes


class Visitor:
    """A browser with one session, without JavaScript; by default a student's."""

    def __init__(self, client: TestClient, person: str, *roles: str) -> None:
        self._client = sign_in(client, person, *(roles or ("student",)))

    def get(self, path: str) -> httpx2.Response:
        page: httpx2.Response = self._client.get(path, headers=_BROWSER)
        return page

    def post(self, path: str, **fields: Any) -> httpx2.Response:
        """Send a form with the session's token, and follow to where it leads."""
        answer: httpx2.Response = self._client.post(path, data={"csrf": CSRF, **fields}, headers=_BROWSER)
        return answer

    def stands(self) -> dict[tuple[str, str], str]:
        consents = self._client.get("/v1/me/consents").json()["consents"]
        return {(cell["purpose"], cell["source"]): cell["state"] for cell in consents}


def published(kafka: KafkaSettings) -> list[ConsentStateChanged]:
    """All that stands on the topic, by partition and offset."""
    read = decoder(CONSENT_STATE)
    return [read(record.value) for record in read_topic(kafka, CONSENT_STATE) if record.value is not None]
