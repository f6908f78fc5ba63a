"""A receipt as linked data: the sections of ISO/IEC TS 27560 (header, processing, parties, events) in terms of DPV.

What it says is what the student was shown: the texts are those of the notice that each decision cites. Each event also
carries the ledger's own fields, from which its digest can be computed again.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from services.consent.domain.decisions import ConsentEvent, Decision, State
from services.consent.domain.permitted import moment
from services.consent.notices import Notice, Notices
from services.consent.pages.register.linked_data import CONTEXT, RIGHTS, place
from services.kernel.register import Register

STATUS: dict[State, str] = {
    "requested": "dpv:ConsentRequested",
    "given": "dpv:ConsentGiven",
    "refused": "dpv:ConsentRefused",
    "withdrawn": "dpv:ConsentWithdrawn",
    "expired": "dpv:ConsentExpired",
    "invalidated": "dpv:ConsentInvalidated",
}
_WORDS: dict[State, dict[str, str]] = {
    "requested": {"en": "Asked", "cy": "Gofynnwyd"},
    "given": {"en": "Yes", "cy": "Ie"},
    "refused": {"en": "No", "cy": "Na"},
    "withdrawn": {"en": "No, taken back", "cy": "Na, wedi'i dynnu'n ôl"},
    "expired": {"en": "The yes has ended", "cy": "Mae'r ie wedi dod i ben"},
    "invalidated": {
        "en": "The yes has ended, as the text changed",
        "cy": "Mae'r ie wedi dod i ben, gan i'r testun newid",
    },
}
_OWN_WORD = {"given", "refused", "withdrawn"}
_PROFILE = "https://w3id.org/dpv/schema/dpv-27560#"
_CONTEXT = CONTEXT | {
    "loc": "https://w3id.org/dpv/loc#",
    "ledger": {"@id": "dct:provenance", "@type": "@json"},
}
_Node = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Issuer:
    """Who is responsible, and what students are told.

    Attributes:
        institution: its name.
        contact: of the data protection officer; may be empty.
        url: the portal's address, without a slash at the end.
    """

    institution: str
    contact: str
    url: str
    register: Register
    notices: Notices

    def document(self, events: Sequence[ConsentEvent], before: str) -> _Node:
        """The receipt of a batch of decisions (one version of a student); `before` is the digest before the first."""
        first = events[0]
        purposes = dict.fromkeys(event.decision.purpose for event in events)
        shown = dict.fromkeys((event.decision.notice, event.decision.language) for event in events)
        return {
            "@context": _CONTEXT,
            "@id": _name(first.student, first.version),
            "@type": "dpv:ConsentReceipt",
            "title": {"en": "Receipt for your choices", "cy": "Derbynneb am eich dewisiadau"},
            "schema:abstract": [self._in_words(event) for event in events],
            "dct:conformsTo": {"@id": f"{_PROFILE}receipt-record"},
            "dct:created": _at(first.recorded_ms),
            "dct:publisher": {"@id": self._at("institution")},
            "schema:recipient": {"@id": "dpv:DataSubject"},
            "dpv:hasRecordOfActivity": {
                "@id": _name(first.student),
                "@type": "dpv:ConsentRecord",
                "dct:conformsTo": {"@id": f"{_PROFILE}record"},
                "schema:version": first.version,
                "dpv:hasDataSubject": {"@type": "dpv:Student", "dct:identifier": first.student},
                "dpv:hasDataController": self._controller(),
                "dpv:hasNotice": [self._notice(*of) for of in shown],
                "dpv:hasProcess": [self._process(purpose, events) for purpose in purposes],
                "dpv:hasConsent": list(self._events(events, before)),
            },
        }

    def _in_words(self, event: ConsentEvent) -> _Node:
        """A line for the student, in the language of the notice that was shown."""
        decision = event.decision
        notice, source = self._told(decision.notice, decision.language), self.register.source.get(decision.source)
        told = notice.purposes.get(decision.purpose) if notice else None
        words = _WORDS[decision.state]
        language = decision.language if decision.language in words else "en"
        question = told.question if told else decision.purpose
        system = source.told(language).title if source else decision.source
        return {"@language": language, "@value": f"{words[language]}: {question} ({system}) {moment(event.made_ms)}"}

    def _controller(self) -> _Node:
        contact = {"schema:contactPoint": {"@type": "schema:ContactPoint", "schema:description": self.contact}}
        return {
            "@id": self._at("institution"),
            "@type": "dpv:DataController",
            "schema:name": self.institution,
            "schema:url": {"@id": self.url},
        } | (contact if self.contact else {})

    def _notice(self, version: str, language: str) -> _Node:
        told = self._told(version, language)
        node = {
            "@id": self._notice_at(version, language),
            "@type": "dpv:ConsentNotice",
            "schema:version": version,
            "dct:language": language,
        }
        return node | ({"title": {language: told.title}, "dct:identifier": f"sha256:{told.digest}"} if told else {})

    def _process(self, name: str, events: Sequence[ConsentEvent]) -> _Node:
        decided = [event.decision for event in events if event.decision.purpose == name]
        sources = dict.fromkeys(decision.source for decision in decided)
        article = "A9-2-a" if name.startswith("special-category:") else "A6-1-a"
        return (
            {
                "@id": self._at(place("purpose", name)),
                "@type": "dpv:Process",
                "dct:identifier": name,
                "dpv:hasLegalBasis": {"@id": f"eu-gdpr:{article}"},
                "dpv:hasDataController": {"@id": self._at("institution")},
                "dpv:hasDataSource": [self._source(source) for source in sources],
                "dpv:hasNecessity": {"@id": "dpv:Optional"},
                "dpv:hasJurisdiction": {"@id": "loc:GB"},
                "dpv:hasConsentControl": {"@type": "dpv:WithdrawConsent", "dpv:isExercisedAt": {"@id": self.url}},
                "dpv:hasRight": [
                    {"@id": f"eu-gdpr:{right}", "dpv:isExercisedAt": {"@id": f"{self.url}/requests"}}
                    for right in RIGHTS
                ],
            }
            | self._declared(name)
            | self._said(name, decided[-1])
        )

    def _declared(self, name: str) -> _Node:
        purpose = self.register.askable.get(name)
        if purpose is None:  # not asked for any more
            return {}
        return {
            "dpv:hasPurpose": [{"@id": term} for term in purpose.dpv],
            "dpv:hasRecipient": [{"@id": self._at(place("role", role))} for role in purpose.seen_by],
            "schema:isPartOf": {"@id": self._at(""), "schema:version": self.register.version},
        }

    def _said(self, name: str, decision: Decision) -> _Node:
        """What the student was told about the purpose."""
        notice = self._told(decision.notice, decision.language)
        told = notice.purposes.get(name) if notice else None
        if told is None:
            return {}
        language = decision.language
        return {
            "title": {language: told.question},
            "description": {language: f"{told.does} {told.seen_by}"},
            "dpv:hasConsequence": {"@type": "dpv:Consequence", "description": {language: told.if_no}},
        }

    def _source(self, name: str) -> _Node:
        source = self.register.source.get(name)
        titles = {"title": {"en": source.title, "cy": source.told("cy").title}} if source else {}
        return {"@id": self._at(place("source", name)), "dct:identifier": name} | titles

    def _events(self, events: Iterable[ConsentEvent], before: str) -> Iterable[_Node]:
        for event in events:
            yield self._event(event, before)
            before = event.digest

    def _event(self, event: ConsentEvent, before: str) -> _Node:
        decision = event.decision
        by = "DataSubject" if decision.state in _OWN_WORD else "DataController"
        ends = {} if decision.until_ms is None else {"schema:validThrough": _at(decision.until_ms)}
        return {
            "dpv:hasConsentStatus": {"@id": STATUS[decision.state]},
            "dpv:hasPurpose": {"@id": self._at(place("purpose", decision.purpose))},
            "dpv:hasDataSource": {"@id": self._at(place("source", decision.source))},
            "dpv:hasNotice": {"@id": self._notice_at(decision.notice, decision.language)},
            "dpv:isIndicatedBy": {"@id": f"dpv:{by}"},
            "dpv:hasIndicationMethod": decision.channel,
            "dpv:isIndicatedAtTime": _at(event.made_ms),
            "dct:created": _at(event.recorded_ms),
            "schema:validFrom": _at(decision.from_ms),
            "ledger": {"before": before, "event": asdict(event)},
        } | ends

    def _told(self, version: str, language: str) -> Notice | None:
        known = (version, language) in self.notices.known
        return self.notices.of(version, language) if known else None

    def _notice_at(self, version: str, language: str) -> str:
        return f"{self.url}/register/notices/{version}/{language}"

    def _at(self, what: str) -> str:
        return f"{self.url}/register" + (f"#{what}" if what else "")


def _name(*parts: str | int) -> str:
    """The same for the same record or receipt, everywhere and always."""
    return f"urn:uuid:{uuid.uuid5(uuid.NAMESPACE_URL, '/'.join(map(str, ('signpost', *parts))))}"


def _at(at_ms: int) -> _Node:
    return {"@type": "xsd:dateTime", "@value": moment(at_ms)}
