"""Provisioning on a real broker: it makes what is declared, once, and says clearly what stands in its way."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
from kafka.admin import ConfigResource, ConfigResourceType

from deploy.local.kafka.broker import Broker
from deploy.local.machine.ports import free_port
from services.kernel.errors import ConfigurationError
from services.kernel.kafka import provision
from services.kernel.settings import KafkaSettings
from services.kernel.topics import ALL_TOPICS, Topic
from tests.support.kafka import admin_client, delete_topics

NAMES = [topic.name for topic in ALL_TOPICS]


@pytest.fixture
def untouched(broker: Broker) -> Iterator[KafkaSettings]:
    """A namespace without any topic yet."""
    settings = KafkaSettings(bootstrap=broker.bootstrap, namespace=f"untouched-{time.monotonic_ns()}-", partitions=3)
    yield settings
    delete_topics(settings)


def configured(settings: KafkaSettings, topic: Topic) -> dict[str, str]:
    """What the broker itself says about a topic's configuration."""
    with admin_client(settings) as admin:
        answer = admin.describe_configs([ConfigResource(ConfigResourceType.TOPIC, settings.topic(topic))])
    [found] = [configs for kind in answer.values() for configs in kind.values()]
    return {name: value["value"] for name, value in found.items()}


def partitions(settings: KafkaSettings) -> dict[str, int]:
    """The namespace's topics with their numbers of partitions."""
    with admin_client(settings) as admin:
        found = admin.describe_topics()
    return {t["name"]: len(t["partitions"]) for t in found if t["name"].startswith(settings.namespace)}


def test_it_makes_every_declared_topic_once(untouched: KafkaSettings) -> None:
    named = [untouched.topic(topic) for topic in ALL_TOPICS]
    assert provision(untouched) == named
    assert provision(untouched) == []
    assert partitions(untouched) == dict.fromkeys(named, 3)


def test_it_makes_what_is_missing_and_leaves_the_rest(untouched: KafkaSettings) -> None:
    provision(untouched)
    gone = untouched.topic(ALL_TOPICS[2])
    with admin_client(untouched) as admin:
        admin.delete_topics([gone])
    assert provision(untouched) == [gone]


def test_instances_that_provision_at_once_make_each_topic_once(untouched: KafkaSettings) -> None:
    with ThreadPoolExecutor(4) as pool:
        made = list(pool.map(lambda _: provision(untouched), range(4)))
    assert sorted(name for names in made for name in names) == sorted(untouched.topic(topic) for topic in ALL_TOPICS)


@pytest.mark.parametrize("topic", ALL_TOPICS, ids=NAMES)
def test_the_broker_keeps_a_topic_as_it_is_declared(topic: Topic, kafka_settings: KafkaSettings) -> None:
    found = configured(kafka_settings, topic)
    assert {name: found[name] for name in topic.config} == dict(topic.config)


def test_another_number_of_partitions_is_refused_with_the_way_to_mend_it(untouched: KafkaSettings) -> None:
    provision(untouched)
    more = untouched.model_copy(update={"partitions": 5})
    with pytest.raises(ConfigurationError) as raised:
        provision(more)
    said = str(raised.value)
    assert "SIGNPOST_KAFKA__PARTITIONS=5" in said
    assert f"'{untouched.topic(ALL_TOPICS[0])}': 3" in said
    assert "SIGNPOST_KAFKA__NAMESPACE" in said
    assert set(partitions(untouched).values()) == {3}


def test_more_copies_than_brokers_are_refused_with_the_setting_that_asks_for_them(untouched: KafkaSettings) -> None:
    copied = untouched.model_copy(update={"replication": 3})
    with pytest.raises(ConfigurationError, match="SIGNPOST_KAFKA__REPLICATION=3 is more than there are brokers"):
        provision(copied)
    assert partitions(untouched) == {}


def test_it_says_soon_where_no_broker_answers() -> None:
    nowhere = f"127.0.0.1:{free_port()}"
    started = time.monotonic()
    done = subprocess.run(
        [sys.executable, "-m", "services.cli", "provision"],
        env=os.environ | {"SIGNPOST_KAFKA__BOOTSTRAP": nowhere},
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode == 2, done.stderr
    assert f"No Kafka broker answers at {nowhere}" in done.stderr
    assert "Traceback" not in done.stderr
    assert time.monotonic() - started < 25
