"""A service touches only the topics that name it in their declaration."""

from __future__ import annotations

import pytest

from services.kernel import topics
from services.kernel.topics import ALL_TOPICS, Topic
from tests.support.source import modules

SERVICES = ("consent", "ingest", "indicators", "notify")
DECLARED = {name: value for name, value in vars(topics).items() if isinstance(value, Topic)}


def used_by(service: str) -> set[str]:
    """Names of the topics that a service's modules import."""
    imported = {name for module in modules(f"services/{service}") for name in module.imports}
    return {DECLARED[constant].name for constant in DECLARED if f"services.kernel.topics.{constant}" in imported}


def permitted(service: str) -> set[str]:
    """Names of the topics that it owns, writes or consumes; whoever consumes may set a bad record aside."""
    theirs = {t.name for t in ALL_TOPICS if service in {t.owner, *t.producers, *t.consumers}}
    return theirs | {topics.DEAD_LETTERS.name}


def test_every_declared_topic_is_provisioned() -> None:
    assert set(DECLARED.values()) == set(ALL_TOPICS)


@pytest.mark.parametrize("service", SERVICES)
def test_a_service_uses_only_topics_that_name_it(service: str) -> None:
    assert used_by(service) - permitted(service) == set()


@pytest.mark.parametrize("service", SERVICES)
def test_every_topic_that_names_a_service_is_used_by_it(service: str) -> None:
    assert permitted(service) - used_by(service) - {topics.DEAD_LETTERS.name} == set()


def test_no_service_imports_all_topics_or_the_module_whole() -> None:
    for service in SERVICES:
        for module in modules(f"services/{service}"):
            whole = {"services.kernel.topics", "services.kernel.topics.ALL_TOPICS"} & module.imports
            assert not whole, f"{module.place}: name the topics that it uses"


def test_events_and_commands_name_a_student_only_by_pseudonym() -> None:
    for topic in ALL_TOPICS:
        for payload in topic.payloads:
            direct = {"name", "email", "person", "person_id"} & set(payload.__annotations__)
            assert not direct, f"{payload.__name__}: {direct}"
