"""What xAPI 1.0.3 says a statement must look like, as a table of rules; each refusal points at its place.

Source: the Experience API specification 1.0.3, part two "Experience API Data". Attachments and the inner details of
interaction components are taken as they come: nothing of them is used.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

Rule = Callable[[Any], None]
_UUID = re.compile(r"[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}\Z", re.IGNORECASE)
_IRI = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:\S+\Z")
_LANGUAGE = re.compile(r"[A-Za-z]{1,8}(?:-[A-Za-z0-9]{1,8})*\Z")
_DURATION = re.compile(
    r"P(?=[\dT])(?:\d+W|(?:\d+Y)?(?:\d+M)?(?:\d+D)?(?:T(?=\d)(?:\d+H)?(?:\d+M)?(?:\d+(?:\.\d+)?S)?)?)\Z"
)
_MAILBOX = re.compile(r"mailto:[^@\s]+@[^@\s]+\Z")
_SHA1 = re.compile(r"[0-9a-f]{40}\Z", re.IGNORECASE)
_IDENTIFIERS = ("mbox", "mbox_sha1sum", "openid", "account")


class Wrong(Exception):  # noqa: N818 - something in a statement is wrong
    """A rule does not hold; the place is put together on the way out, so that a good statement pays nothing for it."""

    def __init__(self, mend: str) -> None:
        super().__init__(mend)
        self._outward: list[str] = []

    def inside(self, name: str | int) -> Wrong:
        """The same, one level further out."""
        self._outward.append(str(name).replace("~", "~0").replace("/", "~1"))
        return self

    @property
    def pointer(self) -> str:
        """Where it is, as a JSON pointer."""
        return "".join(f"/{name}" for name in reversed(self._outward))


def matching(pattern: re.Pattern[str], mend: str) -> Rule:
    """Text of a form."""
    match = pattern.match

    def rule(value: Any) -> None:
        if not isinstance(value, str) or not match(value):
            raise Wrong(mend)

    return rule


def instance(kind: type | tuple[type, ...], mend: str) -> Rule:
    """A value of a JSON type; true and false are no numbers."""

    def rule(value: Any) -> None:
        if not isinstance(value, kind) or (isinstance(value, bool) and kind is not bool):
            raise Wrong(mend)

    return rule


def mapping(key: Rule, value: Rule) -> Rule:
    """An object whose keys and values each follow a rule."""

    def rule(found: Any) -> None:
        an_object(found)
        for name, inner in found.items():
            try:
                key(name)
                value(inner)
            except Wrong as wrong:
                raise wrong.inside(name) from None

    return rule


def record(required: Mapping[str, Rule], optional: Mapping[str, Rule]) -> Rule:
    """An object with these properties and no others."""
    rules = {**required, **optional}
    permitted = f"a property is not of the standard; use only {', '.join(sorted(rules))}"

    def rule(value: Any) -> None:
        an_object(value)
        for name in required:
            if name not in value:
                raise Wrong(f"the property {name!r} is missing")
        for name, inner in value.items():
            if name not in rules:
                raise Wrong(permitted)
            try:
                rules[name](inner)
            except Wrong as wrong:
                raise wrong.inside(name) from None

    return rule


def one_or_many(each: Rule) -> Rule:
    """A value, or an array of them."""

    def rule(value: Any) -> None:
        (many if isinstance(value, list) else each)(value)

    many = list_of(each)
    return rule


def list_of(each: Rule) -> Rule:
    """An array."""

    def rule(value: Any) -> None:
        if not isinstance(value, list):
            raise Wrong("send an array")
        for index, inner in enumerate(value):
            try:
                each(inner)
            except Wrong as wrong:
                raise wrong.inside(index) from None

    return rule


def an_agent_or_group(value: Any) -> None:
    """An Agent with exactly one identifier, or a Group with one at most."""
    an_object(value)
    is_group = value.get("objectType") == "Group"
    (_group if is_group else _agent)(value)
    count = sum(name in value for name in _IDENTIFIERS)
    if count > 1 or (count == 0 and not is_group):
        raise Wrong(f"send exactly one of {', '.join(_IDENTIFIERS)}")
    if is_group and count == 0 and "member" not in value:
        raise Wrong("a Group without an identifier needs 'member'")


def an_object_of_a_statement(value: Any) -> None:
    """What stands as a statement's object; an Activity where it does not say what it is."""
    an_object(value)
    kind = value.get("objectType", "Activity")
    rule = _OBJECTS.get(kind) if isinstance(kind, str) else None
    if rule is None:
        raise Wrong(f"send one of {', '.join(_OBJECTS)}").inside("objectType")
    rule(value)


def _exactly(*texts: str) -> Rule:
    return matching(re.compile(rf"(?:{'|'.join(texts)})\Z"), f"send {' or '.join(texts)}")


def _anything(_value: Any) -> None:
    """Extensions and interaction components hold whatever they like."""


an_object = instance(dict, "send a JSON object")
_text = instance(str, "send text")
_number = instance((int, float), "send a number")
_boolean = instance(bool, "send true or false")
_iri = matching(_IRI, "send an IRI with its scheme, such as https://…")
_uuid = matching(_UUID, "send a UUID")
_language_map = mapping(matching(_LANGUAGE, "name a language by its RFC 5646 tag, such as en-GB"), _text)
_extensions = mapping(matching(_IRI, "name an extension by an IRI"), _anything)
_account = record({"homePage": _iri, "name": _text}, {})
_identified = {
    "name": _text,
    "mbox": matching(_MAILBOX, "send mailto: and an address"),
    "mbox_sha1sum": matching(_SHA1, "send 40 hex digits"),
    "openid": _iri,
    "account": _account,
}
_agent = record({}, {"objectType": _exactly("Agent"), **_identified})
_group = record({"objectType": _exactly("Group")}, {"member": list_of(an_agent_or_group), **_identified})
_definition = record(
    {},
    {
        "name": _language_map,
        "description": _language_map,
        "type": _iri,
        "moreInfo": _iri,
        "extensions": _extensions,
        "interactionType": _text,
        "correctResponsesPattern": list_of(_text),
        **dict.fromkeys(("choices", "scale", "source", "target", "steps"), list_of(an_object)),
    },
)
_activity = record({"id": _iri}, {"objectType": _exactly("Activity"), "definition": _definition})
_statement_ref = record({"objectType": _exactly("StatementRef"), "id": _uuid}, {})
_verb = record({"id": _iri}, {"display": _language_map})
_score = record({}, dict.fromkeys(("scaled", "raw", "min", "max"), _number))
_result = record(
    {},
    {
        "score": _score,
        "success": _boolean,
        "completion": _boolean,
        "response": _text,
        "duration": matching(_DURATION, "send an ISO 8601 duration, such as PT15M"),
        "extensions": _extensions,
    },
)
_context = record(
    {},
    {
        "registration": _uuid,
        "instructor": an_agent_or_group,
        "team": an_agent_or_group,
        "contextActivities": record(
            {}, dict.fromkeys(("parent", "grouping", "category", "other"), one_or_many(_activity))
        ),
        "revision": _text,
        "platform": _text,
        "language": matching(_LANGUAGE, "name a language by its RFC 5646 tag, such as en-GB"),
        "statement": _statement_ref,
        "extensions": _extensions,
    },
)
_said = {
    "result": _result,
    "context": _context,
    "timestamp": _text,  # which moment it is, the mapping reads
    "attachments": list_of(an_object),
}
_core = {"actor": an_agent_or_group, "verb": _verb, "object": an_object_of_a_statement}
_OBJECTS: dict[str, Rule] = {
    "Activity": _activity,
    "Agent": an_agent_or_group,
    "Group": an_agent_or_group,
    "StatementRef": _statement_ref,
    "SubStatement": record({"objectType": _exactly("SubStatement"), **_core}, _said),
}
a_statement = record(
    _core,
    {
        "id": _uuid,
        "stored": _text,
        "authority": an_agent_or_group,
        "version": matching(re.compile(r"1\.0(?:\.\d+)?\Z"), "send 1.0.0, or leave it out"),
        **_said,
    },
)
