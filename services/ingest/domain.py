"""What the door decides, without I/O: what an event is, what may never pass, and what consent lets through."""

from __future__ import annotations

import hashlib
import hmac
import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from typing import Literal

from msgspec import Struct

from services.kernel.clock import DAY_MS
from services.kernel.consents import INDIVIDUAL_INDICATORS, permitting
from services.kernel.events import ActivityRecorded, ConsentStateChanged
from services.kernel.register import Register

HAND_IN = "assignment"  # the register's activity that a piece of work can be named with

Reason = Literal[
    "bad-time",
    "bad-utf-8",
    "duplicate-id",
    "duplicate-key",
    "empty",
    "excluded",
    "in-the-future",
    "invalid-field",
    "invalid-statement",
    "not-an-object",
    "not-json",
    "too-deep",
    "too-many",
    "unknown-activity",
    "unknown-field",
]
HeldOut = Literal["no-grant", "no-module", "unknown-identity", "unmapped-activity"]


class Claim(Struct, frozen=True, gc=False):
    """What a source system says happened: read, found well-formed, not excluded; not yet judged by consent.

    Attributes:
        own_id: the source system's own id of the event; None where it has none.
        person: the institution's person id; goes no further than the door.
        weight: how many single actions it stands for.
        assessment: the name of the piece of work that was handed in.
    """

    own_id: str | None
    person: str
    module: str
    activity: str
    occurred_ms: int
    weight: int = 1
    assessment: str | None = None


class Refused(Exception):  # noqa: N818 - it is the event that is refused; the name says what became of it
    """An event or request that may not pass.

    The detail goes back to the sender and says what, where and how to mend it; it holds no value of the payload.
    For excluded data, `rule` names the exclusion in the register.
    """

    def __init__(self, reason: Reason, detail: str, rule: str | None = None) -> None:
        super().__init__(detail)
        self.reason, self.detail, self.rule = reason, detail, rule

    def at(self, pointer: str) -> Refused:
        """The same, with its place in the document."""
        return Refused(self.reason, f"{pointer or '/'}: {self.detail}", self.rule)


class Secrets:
    """Everything that the door derives from person ids, under the institution's secret.

    Event ids are keyed as well: a plain hash of what a source knows of an event would let anyone who can read the
    topic try out person ids until one fits.
    """

    def __init__(self, secret: str) -> None:
        self._event = hmac.new(secret.encode(), b"event-id\0", hashlib.sha256)

    def event_id(self, *parts: str | int) -> str:
        """32 hex digits, the same for the same parts."""
        keyed = self._event.copy()
        keyed.update(json.dumps(parts).encode())
        return keyed.hexdigest()[:32]


class Screen:
    """What the register bars (R5) or has stripped (R4), remembered for names that come again and again."""

    def __init__(self, register: Register) -> None:
        self._exclusion = lru_cache(maxsize=4096)(register.exclusion_of)
        self._special = lru_cache(maxsize=4096)(register.special_category_of)

    def refuse_excluded(self, names: Iterable[str]) -> None:
        """Raises: Refused, with the name of the exclusion and none of the payload."""
        for name in names:
            if barred := self._exclusion(name):
                raise Refused(
                    "excluded",
                    f"The policy excludes this kind of data ({barred.name}): {barred.title}. Nothing of it was kept. "
                    "Configure the source system not to send it.",
                    barred.name,
                )

    def special_categories(self, names: Iterable[str]) -> Counter[str]:
        """How many fields hold special-category data, by category.

        All of them are stripped, whatever the register approves: no event has room for one, and none may have before
        it asks for the grant of `SpecialCategory.purpose` too, which students can give for what is `askable` only.
        """
        return Counter(found.name for name in names if (found := self._special(name)))


class Verdict(Struct, frozen=True):
    """What becomes of the claims of one request.

    Attributes:
        passing: the events to write.
        held_out: how many were let go, by reason.
    """

    passing: Sequence[ActivityRecorded]
    held_out: Mapping[HeldOut, int]


def latest_allowed_ms(mode: Literal["live", "replay"], now_ms: int) -> int | None:
    """The latest time that an event may have; None before a replay's first tick."""
    if mode == "live":
        return now_ms + DAY_MS
    return now_ms + 2 * DAY_MS if now_ms else None


def recorded(  # noqa: PLR0913 - the facts that make up an event
    claim: Claim,
    *,
    event_id: str,
    student: str,
    source: str,
    qualifying: bool,
    consent: ConsentStateChanged | None,
    now_ms: int,
    received_ms: int,
) -> ActivityRecorded | None:
    """The event to write, or None where no grant covers it now (R1)."""
    grant = permitting(consent, INDIVIDUAL_INDICATORS, source, at_ms=claim.occurred_ms, now_ms=now_ms)
    if grant is None or consent is None:
        return None
    return ActivityRecorded(
        id=event_id,
        student=student,
        source=source,
        module=claim.module,
        activity=claim.activity,
        qualifying=qualifying,
        occurred_ms=claim.occurred_ms,
        received_ms=received_ms,
        consent_version=consent.version,
        weight=claim.weight,
        assessment=claim.assessment,
    )
