"""Signpost's own format: one JSON object an event, alone, in an array, or one a line (NDJSON).

Unknown fields are refused rather than ignored: a misspelt optional field would otherwise be lost without a word, and
what the door does not need it should not be sent. The exceptions are special-category fields, which are stripped.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from typing import Annotated, Any

import msgspec
from msgspec import Meta, Struct

from services.ingest.domain import HAND_IN, Claim, Refused, Screen
from services.ingest.formats.text import field_names, moment_ms, read_json
from services.kernel.events import LONGEST_WORK_NAME, WorkName

_Text = Annotated[
    str, Meta(min_length=1, max_length=200, pattern=r"^[^\s\x00-\x1f\x7f](?:[^\x00-\x1f\x7f]*[^\s\x00-\x1f\x7f])?\Z")
]


class NativeEvent(Struct, frozen=True, kw_only=True, gc=False):
    """The format's fields."""

    student: _Text
    module: _Text
    activity: str
    at: str
    id: _Text | None = None
    weight: Annotated[int, Meta(ge=1, le=100_000)] = 1
    assessment: WorkName | None = None


class Refusal(Struct, frozen=True, omit_defaults=True):
    """Which event was refused, and why; `line` counts from 1, in an array too; `rule` is the exclusion's name."""

    line: int
    reason: str
    detail: str
    rule: str | None = None


class Reading(Struct, frozen=True):
    """What one request's body holds."""

    claims: list[Claim]
    refusals: list[Refusal]
    stripped: Counter[str]


class Reader:
    """Reads the format by the rules of a policy register.

    `activities` are those that systems of one kind of source may report.
    """

    def __init__(self, screen: Screen, activities: Iterable[str]) -> None:
        self._screen = screen
        self._activities = frozenset(activities)
        self._permitted = f"Use one that the policy register declares for your system: {', '.join(sorted(activities))}."

    def read_document(self, data: bytes, limit: int, latest_ms: int | None) -> Reading:
        """Read one object or an array of them.

        Raises:
            Refused: the document as a whole cannot be read, is empty or holds more than `limit` events.
        """
        found = read_json(data)
        entries = found if isinstance(found, list) else [found]
        return self._read(enumerate(entries, 1), len(entries), limit, latest_ms)

    def read_lines(self, data: bytes, limit: int, latest_ms: int | None) -> Reading:
        """Read one object a line; blank lines are skipped, and a bad line costs only itself.

        Raises:
            Refused: there is no line at all, or there are more than `limit`.
        """
        lines = [(number, line) for number, line in enumerate(data.split(b"\n"), 1) if line.strip()]
        return self._read(lines, len(lines), limit, latest_ms)

    def _read(self, entries: Iterable[tuple[int, Any]], count: int, limit: int, latest_ms: int | None) -> Reading:
        if not count:
            raise Refused("empty", "There is no event in it; send at least one.")
        if count > limit:
            raise Refused("too-many", f"There are {count} events in it; send at most {limit} in one request.")
        reading = Reading([], [], Counter())
        for line, entry in entries:
            try:
                found = read_json(entry) if isinstance(entry, bytes) else entry
                reading.claims.append(self._claim(found, latest_ms, reading.stripped))
            except Refused as refused:
                reading.refusals.append(Refusal(line, refused.reason, refused.detail, refused.rule))
        return reading

    def _claim(self, found: Any, latest_ms: int | None, stripped: Counter[str]) -> Claim:
        if not isinstance(found, dict):
            raise Refused("not-an-object", "An event is a JSON object; see the example in /docs.")
        if not found.keys() <= _FIELDS:
            stripped.update(self._strip(found))
        event = _typed(found)
        if event.activity not in self._activities:
            self._screen.refuse_excluded((event.activity,))
            raise Refused("unknown-activity", f"activity: not a known kind of activity. {self._permitted}")
        if event.assessment is not None and event.activity != HAND_IN:
            raise Refused(
                "invalid-field", f"assessment: only work that is handed in has one; send it with {HAND_IN!r}."
            )
        at_ms = moment_ms(event.at, latest_ms)
        return Claim(event.id, event.student, event.module, event.activity, at_ms, event.weight, event.assessment)

    def _strip(self, found: Mapping[str, Any]) -> Iterator[str]:
        """The special categories of the further fields.

        Raises:
            Refused: one of them is excluded, or unknown.
        """
        further = {name: value for name, value in found.items() if name not in _FIELDS}
        self._screen.refuse_excluded(field_names(further))
        for name in further:
            categories = self._screen.special_categories((name,))
            if not categories:
                raise Refused("unknown-field", f"A field is not known; use only {', '.join(sorted(_FIELDS))}.")
            yield from categories


_FIELDS = frozenset(field.name for field in msgspec.structs.fields(NativeEvent))
_MEND = {
    "student": "the institution's person id, 1 to 200 characters, no blanks at its ends",
    "module": "the module's code, 1 to 200 characters, no blanks at its ends",
    "activity": "a kind of activity that the policy register declares",
    "at": "when it happened, ISO 8601 with offset",
    "id": "the source system's own id of the event, 1 to 200 characters, no blanks at its ends",
    "weight": "how many actions it stands for, a whole number from 1 to 100000",
    "assessment": f"the piece of work's name in the directory: 1 to {LONGEST_WORK_NAME} letters and digits, with "
    "- _ . between them, such as ESSAY-1",
}


def _typed(found: dict[str, Any]) -> NativeEvent:
    try:
        return msgspec.convert(found, NativeEvent)
    except msgspec.ValidationError:
        name = _wrong_field(found)
        missing = "is missing" if name not in found else "cannot be used"
        raise Refused("invalid-field", f"{name}: {missing}. Send {_MEND[name]}.") from None


def _wrong_field(found: Mapping[str, Any]) -> str:
    """The first field that is missing or wrong: each alone beside good ones would fail as well."""
    good = {"student": "s", "module": "m", "activity": "a", "at": "t", "id": "i", "weight": 1, "assessment": "a"}
    required = {"student", "module", "activity", "at"}
    for name, fits in good.items():
        if name not in found and name in required:
            return name
        try:
            msgspec.convert(good | {name: found.get(name, fits)}, NativeEvent)
        except msgspec.ValidationError:
            return name
    raise AssertionError("every field is good by itself, so the whole must be")
