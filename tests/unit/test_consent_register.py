"""What the register's page says: the changes between versions, who sees what, and the register as linked data."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
import rdflib
from msgspec import structs
from rdflib.plugins.parsers.jsonld import to_rdf

from services.consent.domain.changes import EntryChange, FieldChange, changes
from services.consent.notices import load_notices
from services.consent.pages.register import view
from services.consent.pages.register.linked_data import LinkedData, place
from services.consent.pages.register.published import EARLIER, Published
from services.consent.pages.register.routes import wants_linked_data
from services.kernel.errors import ConfigurationError
from services.kernel.events import ActivityRecorded
from services.kernel.register import SHIPPED, load_register
from tests.contracts.dpv import TERMS
from tests.support.registers import KINDS, approved, local

PAGE = "https://consent.example/register"
PUBLISHED = Published.read()
REGISTER = PUBLISHED.register
pytestmark = pytest.mark.requirement("R8")


def linked(published: Published) -> dict[str, Any]:
    notices = load_notices(REGISTER)
    in_force = [notices.in_force(language) for language in ("cy", "en")]
    document: dict[str, Any] = json.loads(LinkedData(published, in_force, "University of Tests", PAGE).encode())
    return document


def graph(published: Published) -> rdflib.Graph:
    """The document as a JSON-LD processor reads it."""
    read = rdflib.Graph()
    to_rdf(linked(published), read)
    return read


def iris(of: rdflib.Graph) -> set[str]:
    return {str(part) for triple in of for part in triple if isinstance(part, rdflib.URIRef)}


def nodes(part: Any) -> Iterator[dict[str, Any]]:
    """Every object of the document."""
    if isinstance(part, dict):
        yield part
    for inner in part.values() if isinstance(part, dict) else part if isinstance(part, list) else ():
        yield from nodes(inner)


def test_changes_are_found_by_comparing_entries_and_their_fields() -> None:
    before = {
        "version": "1",
        "sources": [{"name": "vle", "title": "VLE", "days": 3}, {"name": "wifi", "title": "Wireless"}],
        "topics": [{"name": "old"}],
    }
    after = {
        "version": "2",
        "note": "Why.",
        "sources": [{"name": "vle", "title": "VLE", "days": 5, "never": "Marks."}, {"name": "library"}],
    }
    assert changes(before, after) == [
        EntryChange(
            "sources", "vle", "VLE", "changed", (FieldChange("days", 3, 5), FieldChange("never", None, "Marks."))
        ),
        EntryChange("sources", "library", "library", "added"),
        EntryChange("sources", "wifi", "Wireless", "removed"),
        EntryChange("topics", "old", "old", "removed"),
    ]
    assert changes(after, after) == []


def test_a_field_that_is_gone_and_entries_in_another_order_are_told_apart() -> None:
    before = {"roles": [{"name": "a", "sees": ["x"]}, {"name": "b"}]}
    after = {"roles": [{"name": "b"}, {"name": "a"}]}
    assert changes(before, after) == [EntryChange("roles", "a", "a", "changed", (FieldChange("sees", ["x"], None),))]


def test_the_shipped_register_is_compared_with_the_version_that_it_replaced() -> None:
    before = load_register(SHIPPED.parent / EARLIER / f"{REGISTER.replaces}.toml")
    assert before.version == REGISTER.replaces
    added = {(change.kind, change.name) for change in PUBLISHED.changes if change.what == "added"}
    assert {("retention", name) for name in REGISTER.kept.keys() - before.kept.keys()} <= added


def test_a_register_whose_version_before_is_not_kept_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "register.toml"
    file.write_bytes(SHIPPED.read_bytes())
    before = REGISTER.replaces
    with pytest.raises(ConfigurationError, match=rf"replaces version {before}, which is not kept.*registers/{before}"):
        Published.read(file)
    (tmp_path / EARLIER).mkdir()
    another = f"is version '2025-1'; keep there version {before}"
    for text, problem in (('version = "2025-1"', another), ("[", "cannot be")):
        (tmp_path / EARLIER / f"{before}.toml").write_text(text, "utf-8")
        with pytest.raises(ConfigurationError, match=problem):
            Published.read(file)


def test_a_first_version_replaces_nothing(tmp_path: Path) -> None:
    file = tmp_path / "register.toml"
    file.write_text(SHIPPED.read_text("utf-8").replace(f'replaces = "{REGISTER.replaces}"\n', ""), "utf-8")
    published = Published.read(file)
    assert published.changes == []
    assert view.Shown(published, "en").changes == []


def test_figures_are_seen_by_the_roles_of_the_purposes_in_use_that_need_them() -> None:
    assert view.readers(REGISTER, "individual-indicators") == ["tutor"]
    in_use = [structs.replace(purpose, in_use=True) for purpose in REGISTER.purposes]
    assert view.readers(structs.replace(REGISTER, purposes=tuple(in_use)), "individual-indicators") == [
        "tutor",
        "student",
    ]


def test_levels_come_with_what_they_are_for_part_time_students() -> None:
    days = REGISTER.indicator["days-since-last-activity"]
    assert view.levels(days, 3) == [view.Level("watch", 7, 21), view.Level("alert", 14, 42)]
    assert view.levels(structs.replace(days, watch=None), 1) == [view.Level("alert", 14, None)]
    assert view.levels(REGISTER.indicator["volume-7"], 1) == []


def test_other_thresholds_stand_with_their_indicator_and_for_part_time_students_too() -> None:
    shown = view.Shown(local(), "cy")
    by_name = {found.entry.name: found for group in shown.indicators for found in group.indicators}
    [field_work] = by_name["days-since-last-activity"].others
    assert field_work.levels == (view.Level("watch", 14, 42), view.Level("alert", 21, 63))
    assert field_work.entry.title == "Gwaith maes"
    assert by_name["own-trend"].others[0].levels == ()
    assert by_name["volume-7"].others == ()


def test_programs_read_other_thresholds_vacations_and_what_rules_wait_for() -> None:
    found = {node["@id"].partition("#")[2]: node for node in nodes(linked(local())) if len(node) > 1 and "@id" in node}
    field_work = found["threshold-field-work"]
    assert field_work["schema:startDate"] == {"@type": "xsd:date", "@value": "2026-03-09"}
    said = [tuple(list(bound.values())[1:]) for bound in field_work["schema:additionalProperty"]]
    assert said == [
        ("watch", 14), ("watch, part-time", 42), ("alert", 21), ("alert, part-time", 63), ("recovery", 2),
        ("recovery, part-time", 6), ("module", "GEOG210"), ("module", "GEOG310"),
    ]  # fmt: skip
    assert found["vacation-easter"]["schema:endDate"]["@value"] == "2026-04-12"
    weeks = {p["schema:name"]: p["schema:value"] for p in found["rule-low-volume"]["schema:additionalProperty"]}
    assert weeks == {"level": "alert", "weeks in a row": 2, "not again for days": 7, "for part-time students": True}
    attendance = found["indicator-attendance"]["schema:additionalProperty"]
    assert [(b["schema:name"], b.get("schema:maxValue"), b.get("schema:minValue")) for b in attendance] == [
        ("alert below", 50, None),
        ("recovery", None, 60),
    ]


def test_an_approved_special_category_is_a_purpose_of_its_own_on_the_page() -> None:
    last = view.Shown(approved(), "en").purposes[-1]
    assert last.entry.name == "special-category:ethnicity"
    assert last.special is not None
    assert not last.entry.in_use


def test_entries_are_shown_in_the_readers_language() -> None:
    shown = view.Shown(PUBLISHED, "cy")
    assert shown.rules[0].purpose.title == REGISTER.purpose["tutor-notify"].cy["title"]
    assert shown.indicators[0].readers[0].title == "Tiwtor personol"


@pytest.mark.parametrize(
    ("value", "words"),
    [(None, ""), ([], ""), (True, "yes"), (False, "no"), (14.0, "14"), (["a", "b"], "a, b"), ("text", "text")],
)
def test_values_of_the_file_are_put_into_words(value: Any, words: str) -> None:
    assert view.in_words(value) == words


@pytest.mark.parametrize(
    ("accept", "data"),
    [
        ("", False), ("*/*", False), ("text/html,application/xhtml+xml;q=0.9,*/*;q=0.8", False),
        ("application/ld+json", True), ("application/json", True), ("text/html;q=0.5, application/ld+json", True),
        ("application/ld+json;q=0.5, text/html", False), ("application/ld+json;q=much", False),
    ],
)  # fmt: skip
def test_whoever_prefers_linked_data_gets_it(accept: str, data: bool) -> None:  # noqa: FBT001 - a case of the table
    assert wants_linked_data(accept) is data


@pytest.mark.parametrize("published", [PUBLISHED, approved(), local()], ids=["shipped", "approved", "local"])
def test_every_entry_is_in_the_linked_data_and_no_other(published: Published) -> None:
    """Ids with `#` are places on the page: one for each entry, and the institution's."""
    said = {node["@id"] for node in nodes(linked(published)) if "#" in node.get("@id", "") and len(node) > 1}
    entries = {f"{PAGE}#{place(KINDS[kind], entry.name)}" for kind, entry in published.register.entries()}
    special = {f"{PAGE}#{place('purpose', name)}" for name in published.register.askable}
    assert said == entries | special | {f"{PAGE}#institution"}


@pytest.mark.parametrize("published", [PUBLISHED, approved(), local()], ids=["shipped", "approved", "local"])
def test_the_linked_data_speaks_of_nothing_that_it_does_not_describe(published: Published) -> None:
    document = linked(published)
    described = {
        node["@id"] for node in nodes(document) if "@id" in node and ("title" in node or "schema:name" in node)
    }
    assert {node["@id"] for node in nodes(document) if node.get("@id", "").startswith(PAGE)} <= described | {PAGE}


@pytest.mark.parametrize("published", [PUBLISHED, approved(), local()], ids=["shipped", "approved", "local"])
def test_every_term_of_the_privacy_vocabulary_exists(published: Published) -> None:
    used = {iri for iri in iris(graph(published)) if iri.startswith("https://w3id.org/dpv")}
    assert used
    assert used <= TERMS


def test_linked_data_is_readable_without_a_network_and_keeps_its_meaning() -> None:
    """A JSON-LD processor finds, by standard terms alone, what a tutor sees and on which ground."""
    read = graph(PUBLISHED)
    dpv = rdflib.Namespace("https://w3id.org/dpv#")
    process = rdflib.URIRef(f"{PAGE}#purpose-tutor-notify")
    assert (None, dpv.hasPersonalDataProcess, process) in read
    assert (process, dpv.hasRecipient, rdflib.URIRef(f"{PAGE}#role-tutor")) in read
    assert (process, dpv.hasLegalBasis, rdflib.URIRef("https://w3id.org/dpv/legal/eu/gdpr#A6-1-a")) in read
    titles = set(read.objects(process, rdflib.DCTERMS.title))
    assert {title.language for title in titles if isinstance(title, rdflib.Literal)} == {"en", "cy"}
    kept = read.value(rdflib.URIRef(f"{PAGE}#retention-activity-events"), dpv.hasDuration)
    duration = read.value(kept, rdflib.RDF.value)
    assert duration == rdflib.Literal("P30D", datatype=rdflib.XSD.duration)


@pytest.mark.requirement("R4")
def test_explicit_consent_is_the_ground_of_a_special_category() -> None:
    read = graph(approved())
    process = rdflib.URIRef(f"{PAGE}#purpose-special-category-ethnicity")
    ground = read.value(process, rdflib.URIRef("https://w3id.org/dpv#hasLegalBasis"))
    assert str(ground) == "https://w3id.org/dpv/legal/eu/gdpr#A9-2-a"


def test_what_the_page_says_is_left_of_an_event_is_all_that_there_is() -> None:
    """Who, system, module, what kind, when, how many actions, which work; the rest are our own notes on these."""
    told = {"student", "source", "module", "activity", "occurred_ms", "weight", "assessment"}
    ours = {"id", "qualifying", "received_ms", "consent_version"}
    assert {field.name for field in msgspec.structs.fields(ActivityRecorded)} == told | ours
