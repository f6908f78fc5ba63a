"""xAPI 1.0.3 statements: which activity, module and person each speaks of.

- Person: `actor.account.name`, where `actor.account.homePage` is the source's own; anyone else is held out.
- Activity: by the verb, as the policy register's `verbs` say for that source; other verbs are held out.
- Module: the course among `context.contextActivities` parent, then grouping, or the object itself. A course is known
  by its definition's type (its last word is "course"); where no type says so, the first grouping counts. Its code is
  the extension `…/external-id` or `…/short-id` where the definition has one, else `id` of the address's query (as
  Moodle writes it), else the last part of its path.
- Piece of work: of a hand-in, what the object's id has after the `assignments` of the source system's entry, where it
  has such an entry and the rest is a name; without, the hand-in counts as activity and for no deadline.
- Time: `timestamp`; where there is none, the moment of arrival.
"""

from __future__ import annotations

import re
import uuid
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

import msgspec
from msgspec import Struct

from services.ingest.domain import HAND_IN, Claim, HeldOut, Refused, Screen
from services.ingest.formats.text import field_names, moment_ms, read_json
from services.ingest.formats.xapi_rules import Wrong, a_statement
from services.kernel.events import LONGEST_WORK_NAME, WORK_NAME

VERSION = "1.0.3"
_MODULE_EXTENSIONS = ("external-id", "short-id")
_MODULE_LENGTH = 200
_NAMING = frozenset(("objectType", "platform", "type"))
_canonical = msgspec.json.Encoder(order="deterministic").encode


class Reading(Struct, frozen=True):
    """What one request's body holds: an id for each statement, in their order, and the claims of those of use."""

    ids: list[str]
    claims: list[Claim]
    held_out: Counter[HeldOut]
    stripped: Counter[str]


class Reader:
    """Reads statements by the rules of a policy register."""

    def __init__(self, screen: Screen, activity_of_verb: Mapping[str, str]) -> None:
        self._screen = screen
        self._activity_of_verb = activity_of_verb

    def read(  # noqa: PLR0913 - what the statements are judged by
        self,
        data: bytes,
        limit: int,
        *,
        home_page: str | None,
        assignments: str | None,
        now_ms: int,
        latest_ms: int | None,
        new_id: Callable[..., str],
    ) -> Reading:
        """Read one statement or an array of them.

        Raises:
            Refused: one of them is wrong, and with it all are, as the standard wants it.
        """
        found = read_json(data)
        many = isinstance(found, list)
        statements = found if many else [found]
        if not statements or len(statements) > limit:
            reason: Any = "too-many" if statements else "empty"
            raise Refused(reason, f"There are {len(statements)} statements in it; send 1 to {limit}.")
        reading = Reading([], [], Counter(), Counter())
        for index, statement in enumerate(statements):
            pointer = f"/{index}" if many else ""
            self._check(statement, pointer, reading)
            at_ms = _moment(statement, pointer, now_ms, latest_ms)
            reading.ids.append(_id_of(statement, at_ms, new_id))
            self._map(statement, at_ms, home_page, assignments, reading)
        _refuse_repeated(reading.ids)
        return reading

    def _check(self, statement: Any, pointer: str, reading: Reading) -> None:
        if not isinstance(statement, dict):
            raise Refused("not-an-object", f"{pointer or '/'}: a statement is a JSON object.")
        try:
            names = field_names(statement)
            self._screen.refuse_excluded(names)
            self._screen.refuse_excluded(_kinds(statement))
            a_statement(statement)
        except Wrong as wrong:
            raise Refused("invalid-statement", f"{pointer}{wrong.pointer}: {wrong}") from None
        except Refused as refused:
            raise refused.at(pointer) from None
        reading.stripped.update(self._screen.special_categories(names))

    def _map(
        self,
        statement: Mapping[str, Any],
        at_ms: int,
        home_page: str | None,
        assignments: str | None,
        reading: Reading,
    ) -> None:
        activity = self._activity_of_verb.get(statement["verb"]["id"])
        account = statement["actor"].get("account", {})
        known = home_page is not None and _same_page(account.get("homePage", ""), home_page)
        module = _module(statement)
        if activity is None or statement["object"].get("objectType", "Activity") != "Activity":
            reading.held_out["unmapped-activity"] += 1
        elif not known or not account["name"].strip() or statement["actor"].get("objectType", "Agent") != "Agent":
            reading.held_out["unknown-identity"] += 1
        elif not module:
            reading.held_out["no-module"] += 1
        else:
            work = _assessment(statement["object"]["id"], assignments) if activity == HAND_IN else None
            reading.claims.append(Claim(reading.ids[-1], account["name"], module, activity, at_ms, assessment=work))


def _kinds(value: dict[str, Any] | list[Any]) -> Iterator[str]:
    """Verbs, types and the platform, wherever they stand in a statement that is not yet checked."""
    for name, inner in value.items() if isinstance(value, dict) else enumerate(value):
        if isinstance(inner, dict | list):
            if name == "verb" and isinstance(inner, dict) and isinstance(inner.get("id"), str):
                yield inner["id"]
            yield from _kinds(inner)
        elif name in _NAMING and isinstance(inner, str):
            yield inner


def _moment(statement: Mapping[str, Any], pointer: str, now_ms: int, latest_ms: int | None) -> int:
    if "timestamp" not in statement:
        return now_ms
    try:
        return moment_ms(statement["timestamp"], latest_ms)
    except Refused as refused:
        raise refused.at(f"{pointer}/timestamp") from None


def _id_of(statement: Mapping[str, Any], at_ms: int, new_id: Callable[..., str]) -> str:
    """The statement's own id, else one of its content, so that sending it again changes nothing."""
    if own := statement.get("id"):
        return str(own).lower()
    content = _canonical(statement).decode()
    return str(uuid.UUID(new_id("statement", content, at_ms), version=5))


def _refuse_repeated(ids: Sequence[str]) -> None:
    seen: set[str] = set()
    for index, found in enumerate(ids):
        if found in seen:
            raise Refused("duplicate-id", f"/{index}: another statement of the same request has this id.")
        seen.add(found)


def _same_page(one: str, other: str) -> bool:
    return one.rstrip("/") == other.rstrip("/")


def _module(statement: Mapping[str, Any]) -> str | None:
    related = statement.get("context", {}).get("contextActivities", {})
    parents, groupings = _listed(related.get("parent", [])), _listed(related.get("grouping", []))
    candidates = [*parents, *groupings, statement["object"]]
    course = next((activity for activity in candidates if _is_course(activity)), None)
    if course is None:
        course = next(iter(groupings), None)
    return None if course is None else _code(course)


def _assessment(object_id: str, assignments: str | None) -> str | None:
    """The name of the piece of work, where the system's entry says how its ids begin and this one does."""
    if assignments is None or not object_id.startswith(assignments):
        return None
    name = unquote(object_id.removeprefix(assignments))
    return name if len(name) <= LONGEST_WORK_NAME and re.match(WORK_NAME, name) else None


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def _is_course(activity: Mapping[str, Any]) -> bool:
    kind = activity.get("definition", {}).get("type", "")
    return str(kind).rstrip("/").rpartition("/")[2].casefold() == "course"


def _code(course: Mapping[str, Any]) -> str | None:
    extensions = course.get("definition", {}).get("extensions", {})
    for wanted in _MODULE_EXTENSIONS:
        for name, value in extensions.items():
            if name.rstrip("/").endswith("/" + wanted) and isinstance(value, str) and value.strip():
                return _bounded(value.strip())
    address = urlsplit(course["id"])
    if identifiers := parse_qs(address.query).get("id"):
        return _bounded(identifiers[0].strip())
    return _bounded(unquote(address.path.rstrip("/").rpartition("/")[2]).strip())


def _bounded(code: str) -> str | None:
    return code if 0 < len(code) <= _MODULE_LENGTH and code.isprintable() else None
