"""Code uses nothing that the published register does not declare, and the register claims nothing that is not so."""

from __future__ import annotations

import importlib
import pkgutil
from typing import get_args

import pytest
from sqlalchemy import MetaData

import services.consent.adapters as consent_adapters
from services.consent.adapters import ledger
from services.consent.notices import load_notices
from services.indicators.domain.formulas import COMPARED, FORMULAS
from services.ingest.domain import Reason, Screen
from services.kernel import consents, topics
from services.kernel.register import load_register
from services.kernel.topics import ALL_TOPICS
from services.notify.adapters import tables as notify_tables
from services.notify.handlers import retention
from tests.support.declared import admitted, undeclared
from tests.support.requirements import REQUIREMENTS, marked_tests, register_entries
from tests.support.source import modules

for adapter in pkgutil.iter_modules(consent_adapters.__path__, f"{consent_adapters.__name__}."):
    importlib.import_module(adapter.name)  # each hangs its tables on the ledger's metadata
REGISTER = load_register()
SERVICES = {"consent": ledger.metadata, "notify": notify_tables.metadata}
IMPERSONAL = {  # tables that hold nothing about a person, and what they hold
    "consent.outbox_lease": "which relay publishes",
    "consent.anchors": "seals over the whole ledger",
    "consent.verifications": "whether the ledger was whole",
    "consent.notice_texts": "digests of notices",
    "consent.life_cycle_progress": "how far the ledger is worked through",
    "consent.log_positions": "how far the log is read",
    "consent.coverage": "numbers of students, never fewer than ten",
    "notify.outbox_lease": "which relay publishes",
    "notify.module": "titles of modules",
    "notify.position": "how far the log is read",
    "notify.stream_time": "what the stream's clock says",
}

pytestmark = pytest.mark.requirement("R8")


def tables(service: str, metadata: MetaData) -> set[str]:
    """The service's tables, as the register names them."""
    return {f"{service}.{name}" for name in metadata.tables}


def test_whatever_code_names_in_writing_is_declared() -> None:
    code = [module for module in modules("services", "deploy") if module.name != "services.kernel.topics"]
    assert [found for module in code for found in undeclared(module, REGISTER)] == []  # a topic's purpose is a sentence


def test_a_purpose_is_in_use_where_code_asks_consent_for_it_and_nowhere_else() -> None:
    asked = {value for name, value in vars(consents).items() if name.isupper() and isinstance(value, str)}
    assert asked
    assert asked == {purpose.name for purpose in REGISTER.purposes if purpose.in_use}


def test_every_indicator_has_its_formula_and_every_formula_its_indicator() -> None:
    assert {*FORMULAS, *COMPARED} == set(REGISTER.indicator)


def test_pages_let_in_the_roles_that_see_something_and_no_other() -> None:
    let_in = {role for module in modules("services") for role in admitted(module)}
    assert let_in == {role.name for role in REGISTER.roles if role.sees}


def test_students_are_told_of_each_purpose_what_the_register_says_it_needs() -> None:
    notices = load_notices(REGISTER)
    for language in notices.languages:
        told = notices.in_force(language).purposes
        assert {name: told[name].needs for name in REGISTER.askable} == {
            name: purpose.needs for name, purpose in REGISTER.askable.items()
        }


@pytest.mark.requirement("R5")
def test_excluded_data_is_refused_for_a_reason_that_the_register_gives() -> None:
    assert "excluded" in get_args(Reason)
    assert all(entry.reason for entry in REGISTER.exclusions)


@pytest.mark.requirement("R4")
def test_stripped_fields_are_counted_by_categories_of_the_register() -> None:
    words = [word for entry in REGISTER.special_categories for word in entry.words]
    counted = Screen(REGISTER).special_categories(words)
    assert dict(counted) == {entry.name: len(entry.words) for entry in REGISTER.special_categories}


@pytest.mark.parametrize("topic", ALL_TOPICS, ids=lambda topic: topic.name)
def test_a_topic_keeps_its_records_as_long_as_the_register_says(topic: topics.Topic) -> None:
    declared = [entry for entry in REGISTER.retention if topic.name in entry.topics]
    assert len(declared) == 1, f"declare in the register's [[retention]] how long {topic.name} is kept"
    assert declared[0].days == (topic.retention.days if topic.retention else None)


def test_whatever_is_kept_is_kept_somewhere() -> None:
    nowhere = {entry.name for entry in REGISTER.retention if not entry.topics and not entry.tables}
    assert nowhere == {"browser"}


def test_whatever_is_kept_for_days_is_removed_by_a_topic_or_by_notify() -> None:
    in_tables = {entry.name for entry in REGISTER.retention if entry.days and not entry.topics}
    assert in_tables == {retention.CLOSED_CASES, retention.ACCESS_LOG}


@pytest.mark.parametrize("service", SERVICES)
def test_every_table_is_declared_with_how_long_it_is_kept(service: str) -> None:
    there = tables(service, SERVICES[service])
    declared = {table for entry in REGISTER.retention for table in entry.tables}
    assert there - declared - IMPERSONAL.keys() == set(), "declare these in the register's [[retention]]"


def test_the_register_declares_no_topic_or_table_that_is_not_there() -> None:
    there = set[str]().union(*(tables(service, metadata) for service, metadata in SERVICES.items()))
    assert {table for entry in REGISTER.retention for table in entry.tables} <= there
    assert {name for entry in REGISTER.retention for name in entry.topics} <= {topic.name for topic in ALL_TOPICS}
    assert IMPERSONAL.keys() <= there


def test_register_and_tests_name_only_requirements_that_there_are() -> None:
    named = {number for number, _ in [*register_entries(), *marked_tests()]}
    assert named <= set(REQUIREMENTS)
