"""From a decision to its record on `consent-state`, over the real broker."""

from __future__ import annotations

from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from services.consent.app import create_app
from services.kernel.ids import Pseudonyms
from services.kernel.kafka import partition_of
from services.kernel.settings import KafkaSettings
from services.kernel.topics import CONSENT_STATE
from tests.support.consent import BEARER, Visitor, published, row, settings
from tests.support.kafka import read_topic
from tests.support.sessions import SECRET
from tests.support.waiting import eventually


@pytest.mark.requirement("R1")
def test_a_decision_reaches_the_gates_with_its_version_and_its_end(
    tmp_path: Path, database_url: str, kafka_settings: KafkaSettings
) -> None:
    """A registration's grant stands on the topic, keyed by the pseudonym, in the partition where every gate looks."""
    student = Pseudonyms(SECRET).of("s0000001")
    with TestClient(create_app(settings(tmp_path, kafka_settings, database_url))) as client:
        answer = client.post("/v1/registration", json={"decisions": [row()]}, headers=BEARER)
        assert answer.json()["recorded"] == 1
        (state,) = eventually(lambda: published(kafka_settings))
        assert client.get("/health/ready").json()["ready"]

    assert (state.student, state.version) == (student, 1)
    (grant,) = state.grants
    assert (grant.purpose, grant.source, grant.notice) == ("individual-indicators", "vle", "2026-2")
    assert grant.until_ms - grant.from_ms == 365 * 86_400_000
    (record,) = read_topic(kafka_settings, CONSENT_STATE)
    assert record.key == student.encode()
    assert record.partition == partition_of(student, kafka_settings.partitions)
    assert b"s0000001" not in (record.value or b"")


@pytest.mark.requirement("R1")
@pytest.mark.requirement("R3")
def test_a_withdrawal_in_the_portal_reaches_the_gates_as_a_newer_snapshot_without_grants(
    tmp_path: Path, database_url: str, kafka_settings: KafkaSettings
) -> None:
    """A record, not a tombstone, and after the grant that it ends: in the topic too, the newest is the last."""
    shown = {"notice": "2026-2", "language": "en"}
    with TestClient(create_app(settings(tmp_path, kafka_settings, database_url))) as client:
        client.post("/v1/registration", json={"decisions": [row()]}, headers=BEARER)
        student = Visitor(client, "s0000001")
        student.post("/choices/tutor-notify", all="yes", **shown)
        student.post("/withdraw", **shown)
        states = eventually(lambda: found if len(found := published(kafka_settings)) == 3 else None)

    assert states is not None
    assert [(state.version, len(state.grants)) for state in states] == [(1, 1), (2, 6), (3, 0)]
