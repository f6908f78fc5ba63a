"""The register as JSON-LD in terms of the Data Privacy Vocabulary (DPV 2.1), for programs and other registers.

Each node's id is the place of the same entry on the public page. The context is in the document: nothing has to be
fetched to read it. `eu-gdpr` names articles by the EU's text, whose numbers the UK GDPR has kept.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import msgspec

from services.consent.notices import Notice
from services.consent.pages.register.published import Published
from services.kernel.entries import (
    BenefitRecord,
    Entry,
    IndicatorEntry,
    Purpose,
    Retention,
    Role,
    Source,
    Threshold,
    Worded,
)
from services.kernel.register import Register

MEDIA_TYPE = "application/ld+json"
CONTEXT: dict[str, Any] = {
    "@version": 1.1,
    "dpv": "https://w3id.org/dpv#",
    "pd": "https://w3id.org/dpv/pd#",
    "sector-education": "https://w3id.org/dpv/sector/education#",
    "eu-gdpr": "https://w3id.org/dpv/legal/eu/gdpr#",
    "dct": "http://purl.org/dc/terms/",
    "rdf": "http://www.w3.org/1999/02/22-rdf-syntax-ns#",
    "schema": "https://schema.org/",
    "skos": "http://www.w3.org/2004/02/skos/core#",
    "xsd": "http://www.w3.org/2001/XMLSchema#",
    "title": {"@id": "dct:title", "@container": "@language"},
    "description": {"@id": "dct:description", "@container": "@language"},
}
# To be informed, access, rectification, erasure, to object, human intervention, to withdraw, to complain.
RIGHTS = ("A13", "A15", "A16", "A17", "A21", "A22-3-a", "A7-3", "A77")
_Node = dict[str, Any]


@dataclass(frozen=True, slots=True)
class LinkedData:
    """Writes one register.

    Args:
        institution: the name of whoever is responsible.
        page: the public address of the register's page.
    """

    published: Published
    notices: Iterable[Notice]
    institution: str
    page: str

    def encode(self) -> bytes:
        """The document, indented, for people look into it too."""
        return msgspec.json.format(msgspec.json.encode(self.document()), indent=2)

    def document(self) -> _Node:
        """The document as JSON values."""
        register = self.published.register
        notices = [self._notice(notice) for notice in self.notices]
        return {
            "@context": CONTEXT,
            "@id": self.page,
            "@type": "schema:Dataset",
            "title": {"en": "Register of learner analytics", "cy": "Cofrestr dadansoddeg dysgwyr"},
            "description": _words(register, "note"),
            "schema:version": register.version,
            "dct:issued": _typed("date", register.dated.isoformat()),
            "dct:identifier": f"sha256:{self.published.digest}",
            "dct:replaces": register.replaces or [],
            "dpv:hasDataController": {
                "@id": self._at("institution"),
                "@type": "dpv:DataController",
                "schema:name": self.institution,
            },
            "dpv:hasPersonalDataProcess": [self._process(register, p, notices) for p in register.askable.values()],
            "dpv:hasDataSource": [self._source(source) for source in register.sources],
            "dpv:hasPersonalData": [self._indicator(entry) for entry in register.indicators],
            "schema:hasPart": [
                *self._activities(register),
                *self._thresholds(register),
                *self._vacations(register),
                *self._views(register),
                *notices,
            ],
            "dpv:hasRecipient": [self._role(role) for role in register.roles],
            "dpv:hasRule": [
                self._node("rule", rule, "dpv:Rule")
                | {
                    "dct:requires": [self._ref("indicator", rule.indicator), self._ref("purpose", rule.purpose)],
                    "schema:additionalProperty": [
                        _property("level", rule.level),
                        _property("weeks in a row", rule.in_a_row),
                        _property("not again for days", rule.cool_down_days),
                        _property("for part-time students", rule.part_time),
                    ],
                }
                for rule in register.rules
            ],
            "dpv:hasProhibition": [*self._exclusions(register), *self._special(register, approved=False)],
            "dpv:hasPermission": self._special(register, approved=True),
            "dpv:hasStorageCondition": [self._retention(kept) for kept in register.retention],
        }

    def _process(self, register: Register, purpose: Purpose, notices: list[_Node]) -> _Node:
        special = [entry for entry in register.special_categories if entry.purpose == purpose.name]
        return self._node("purpose", purpose, "dpv:PersonalDataProcess") | {
            "dpv:hasPurpose": _refs(purpose.dpv),
            "dpv:hasDataController": {"@id": self._at("institution")},
            "dpv:hasDataSubject": {"@id": "dpv:Student"},
            "dpv:hasLegalBasis": {"@id": "eu-gdpr:A9-2-a" if special else "eu-gdpr:A6-1-a"},
            "dpv:hasNecessity": {"@id": "dpv:Optional"},
            "dpv:hasHumanInvolvement": {"@id": "dpv:HumanInvolvementForDecision"},  # R6: a person always decides
            "dpv:hasDataSource": [self._ref("source", source.name) for source in register.sources],
            "dpv:hasPersonalData": [
                *(self._ref("special-category", entry.name) for entry in special),
                *(self._ref("indicator", i.name) for i in register.indicators if i.purpose == purpose.name),
            ],
            "dpv:hasRecipient": [self._ref("role", role) for role in purpose.seen_by],
            "dpv:hasNotice": [{"@id": notice["@id"]} for notice in notices],
            "dpv:hasRight": _refs(f"eu-gdpr:{right}" for right in RIGHTS),
            "dct:requires": [self._ref("purpose", purpose.needs)] if purpose.needs else [],
            "schema:additionalProperty": _property("in use", purpose.in_use),
        }

    def _source(self, source: Source) -> _Node:
        return self._node("source", source, "dpv:DataSource") | {
            "dpv:hasPersonalData": {"@type": ["dpv:ObservedPersonalData", *source.dpv]},
            "dpv:hasProhibition": {"@type": "dpv:Prohibition", "description": _words(source, "never")},
            "schema:additionalProperty": _property("taken for broken after hours", source.stale_after_hours),
        }

    def _indicator(self, entry: IndicatorEntry) -> _Node:
        window = {"schema:duration": _typed("duration", f"P{entry.window_days}D")} if entry.window_days else {}
        return (
            self._node("indicator", entry, "dpv:DerivedPersonalData")
            | {
                "dpv:hasAlgorithmicLogic": {"@type": "dpv:AlgorithmicLogic", "description": _words(entry, "formula")},
                "dpv:hasDataSource": [self._ref("source", source) for source in entry.sources],
                "dct:isPartOf": self._ref("purpose", entry.purpose),
                "schema:unitText": entry.unit,
                "schema:additionalProperty": _thresholds(entry, entry),
            }
            | window
        )

    def _thresholds(self, register: Register) -> list[_Node]:
        """Thresholds that hold instead of the indicators' own, with their modules and their first day."""
        return [
            self._node("threshold", other, "schema:Thing")
            | {
                "dct:isPartOf": self._ref("indicator", other.indicator),
                "description": _words(other, "reason"),
                "schema:startDate": _typed("date", other.first_day.isoformat()) if other.first_day else [],
                "schema:additionalProperty": [
                    *_thresholds(register.indicator[other.indicator], other),
                    *(_property("module", module) for module in other.modules),
                ],
            }
            for other in register.thresholds
        ]

    def _vacations(self, register: Register) -> list[_Node]:
        return [
            self._node("vacation", vacation, "schema:Event")
            | {
                "schema:startDate": _typed("date", vacation.first_day.isoformat()),
                "schema:endDate": _typed("date", vacation.last_day.isoformat()),
            }
            for vacation in register.vacations
        ]

    def _activities(self, register: Register) -> list[_Node]:
        return [
            self._node("activity", entry, "dpv:ObservedPersonalData")
            | {"skos:narrowMatch": _refs(entry.verbs)}
            | {"schema:additionalProperty": _property("qualifying", entry.qualifying)}
            for entry in register.activities
        ]

    def _views(self, register: Register) -> list[_Node]:
        return [self._node("view", view, "dpv:Permission") for view in register.views]

    def _role(self, role: Role) -> _Node:
        sees = {"dpv:hasPermission": [self._ref("view", view) for view in role.sees]}
        return self._node("role", role, *dict.fromkeys(["dpv:Recipient", *role.dpv])) | sees

    def _exclusions(self, register: Register) -> list[_Node]:
        return [
            self._node("exclusion", entry, "dpv:Prohibition")
            | {"description": _words(entry, "reason"), "dpv:hasPersonalData": {"@type": list(entry.dpv)}}
            for entry in register.exclusions
        ]

    def _special(self, register: Register, *, approved: bool) -> list[_Node]:
        rule = "dpv:Permission" if approved else "dpv:Prohibition"
        return [
            self._node("special-category", entry, rule)
            | {"dpv:hasPersonalData": {"@type": ["dpv:SpecialCategoryPersonalData", *entry.dpv]}}
            | _justification(entry.benefit_record)
            for entry in register.special_categories
            if bool(entry.benefit_record) is approved
        ]

    def _retention(self, kept: Retention) -> _Node:
        duration: _Node = (
            {"@type": "dpv:TemporalDuration", "rdf:value": _typed("duration", f"P{kept.days}D")}
            if kept.days
            else {"@type": "dpv:UntilEventDuration", "description": _words(kept, "until")}
        )
        return self._node("retention", kept, "dpv:StorageDuration") | {"dpv:hasDuration": duration}

    def _notice(self, notice: Notice) -> _Node:
        return {
            "@id": f"{self.page}/notices/{notice.version}/{notice.language}",
            "@type": "dpv:ConsentNotice",
            "title": {notice.language: notice.title},
            "schema:version": notice.version,
            "dct:language": notice.language,
        }

    def _node(self, kind: str, entry: Entry, *types: str) -> _Node:
        described = {"description": _words(entry, "description")} if hasattr(entry, "description") else {}
        return {
            "@id": self._at(kind, entry.name),
            "@type": list(types),
            "dct:identifier": entry.name,
            "title": _words(entry, "title"),
        } | described

    def _ref(self, kind: str, name: str) -> _Node:
        return {"@id": self._at(kind, name)}

    def _at(self, kind: str, name: str = "") -> str:
        return f"{self.page}#{place(kind, name) if name else kind}"


def place(kind: str, name: str) -> str:
    """Where an entry stands on the page: the `id` of its element."""
    return f"{kind}-{name.replace(':', '-')}"


def _words(worded: Worded, field: str) -> dict[str, str]:
    """A text in all languages that it is there in."""
    welsh = {"cy": worded.cy[field]} if field in worded.cy else {}
    return {"en": getattr(worded, field)} | welsh


def _thresholds(entry: IndicatorEntry, levels: IndicatorEntry | Threshold) -> list[_Node]:
    """Where watch and alert begin, and where they end once reached, of an indicator or of what holds instead."""
    least, most = "schema:minValue", "schema:maxValue"
    begin, end = (least, most) if entry.direction == "at-least" else (most, least)
    short = " below" if entry.direction == "below" else ""  # the bound itself is not within
    bounds = [(f"watch{short}", levels.watch, begin), (f"alert{short}", levels.alert, begin)]
    bounds.append(("recovery", levels.recovery, end))
    factors = {"": 1.0} | ({", part-time": entry.part_time_factor} if entry.part_time_factor != 1 else {})
    return [
        {"@type": "schema:PropertyValue", "schema:name": name + whose, bound: limit * factor}
        for name, limit, bound in bounds
        if limit is not None
        for whose, factor in factors.items()
    ]


def _justification(record: BenefitRecord | None) -> _Node:
    if record is None:
        return {}
    return {
        "dpv:hasJustification": {
            "@type": "dpv:Justification",
            "description": _words(record, "finding"),
            "dct:identifier": record.reference,
            "dct:publisher": record.approved_by,
            "dct:issued": _typed("date", record.approved_on.isoformat()),
        }
    }


def _property(name: str, value: object) -> _Node:
    return {"@type": "schema:PropertyValue", "schema:name": name, "schema:value": value}


def _refs(iris: Iterable[str]) -> list[_Node]:
    return [{"@id": iri} for iri in iris]


def _typed(kind: str, value: str) -> _Node:
    return {"@type": f"xsd:{kind}", "@value": value}
