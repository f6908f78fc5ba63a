"""What the declarations of topics promise, whichever topic it is."""

from __future__ import annotations

import re

import pytest

from services.kernel import topics
from services.kernel.topics import ALL_TOPICS, COHORT_NORMS, CONSENT_STATE, Topic

COMPACTED = [topic for topic in ALL_TOPICS if topic.compacted]
DELETING = [topic for topic in ALL_TOPICS if not topic.compacted]
each = pytest.mark.parametrize("topic", ALL_TOPICS, ids=lambda topic: topic.name)


def test_names_are_unique() -> None:
    assert len({topic.name for topic in ALL_TOPICS}) == len(ALL_TOPICS)


def test_a_payload_type_travels_on_one_topic_only() -> None:
    payloads = [payload for topic in ALL_TOPICS for payload in topic.payloads]
    assert len(payloads) == len(set(payloads))


@each
def test_a_name_is_a_plain_slug_and_its_constant_is_called_alike(topic: Topic) -> None:
    assert re.fullmatch(r"[a-z]+(-[a-z]+)*", topic.name)
    assert getattr(topics, topic.name.replace("-", "_").upper()) is topic


@each
def test_a_topic_says_what_it_is_for_and_what_it_carries(topic: Topic) -> None:
    assert topic.purpose.endswith(".")
    assert bool(topic.payloads) != topic.internal


@pytest.mark.requirement("R1")
def test_an_unreadable_consent_halts_since_it_could_be_a_withdrawal() -> None:
    """And a count of a cohort, since a norm without it would be another norm; nothing else does."""
    assert [topic for topic in ALL_TOPICS if topic.poison == "halt"] == [CONSENT_STATE, COHORT_NORMS]


def test_what_speaks_of_a_students_present_is_compacted() -> None:
    present = {"consent-state", "enrolments", "engagement-indicators", "indicators-state"}
    assert {topic.name for topic in COMPACTED} == present


@pytest.mark.parametrize("topic", COMPACTED, ids=lambda topic: topic.name)
def test_old_values_of_a_compacted_topic_really_go_within_minutes(topic: Topic) -> None:
    assert topic.config["cleanup.policy"] == "compact"
    assert int(topic.config["max.compaction.lag.ms"]) <= 60_000
    assert int(topic.config["segment.ms"]) <= 60_000
    assert "retention.ms" not in topic.config


@pytest.mark.parametrize("topic", DELETING, ids=lambda topic: topic.name)
def test_a_deleting_topic_keeps_records_as_long_as_it_declares(topic: Topic) -> None:
    assert topic.retention is not None
    assert topic.config["cleanup.policy"] == "delete"
    assert int(topic.config["retention.ms"]) == topic.retention.total_seconds() * 1000


@each
def test_record_time_is_the_brokers_so_that_a_replayed_term_is_not_deleted(topic: Topic) -> None:
    assert topic.config["message.timestamp.type"] == "LogAppendTime"
