"""What has to be said to make a request, whoever writes it down: the student, a member of the staff, or a program."""

from __future__ import annotations

import datetime as dt
from collections.abc import Container, Mapping
from dataclasses import dataclass
from typing import Literal, get_args

from services.consent.domain.requests.request import KINDS, Channel, Kind, Request, RequestEvent

Problem = Literal[
    "kind",
    "words-missing",
    "words-long",
    "about-missing",
    "about-unknown",
    "person",
    "channel",
    "language",
    "day-form",
    "day-ahead",
    "day-old",
]
MOST_WORDS = 4000  # characters
OLDEST_DAYS = 92  # a letter that lay longer is for a person to sort out
WORDLESS: frozenset[Kind] = frozenset({"consent-change", "access", "erasure"})  # these say enough by themselves
STAFF_CHANNELS: tuple[Channel, ...] = ("phone", "in-person", "mail")

IN_ENGLISH: Mapping[Problem, str] = {
    "kind": f"Choose what it is about, one of: {', '.join(KINDS)}.",
    "words-missing": "Write in a sentence or more what this is about.",
    "words-long": f"Say it in at most {MOST_WORDS} characters.",
    "about-missing": "Choose at least one thing that the change is about.",
    "about-unknown": "Choose from what is asked; the register declares nothing else.",
    "person": "Give the institution's id of the student, without blanks in it.",
    "channel": f"Choose how it came, one of: {', '.join(STAFF_CHANNELS)}.",
    "language": "Choose the language in which the student wants the answer.",
    "day-form": "Give the day on which it arrived as a date, such as 2026-11-24.",
    "day-ahead": "The day on which it arrived cannot be in the future.",
    "day-old": f"That is more than {OLDEST_DAYS} days ago: correct the day, or ask the data protection officer.",
}


@dataclass(frozen=True, slots=True)
class Draft:
    """What was written down so far, as it came; nothing of it has been checked.

    Attributes:
        id: the number that the request will have: a draft that is sent twice makes one request.
    """

    id: str
    kind: str
    words: str
    about: tuple[str, ...]
    language: str
    person: str
    channel: str = "portal"
    received: str = ""

    def problems(self, askable: Container[str], languages: Container[str], today: dt.date) -> dict[str, Problem]:
        """What is wrong with it: field and problem; `askable` are the purposes, `today` the local date."""
        return {
            field: problem
            for field, problem in (
                ("kind", self._kind()),
                ("words", self._words()),
                ("about", self._about(askable)),
                ("person", self._person()),
                ("channel", None if self.channel in get_args(Channel) else "channel"),
                ("language", None if self.language in languages else "language"),
                ("received", self._day(today)),
            )
            if problem is not None
        }

    def opened(self, student: str, actor: str, role: str, now_ms: int) -> Request:
        """The request that it makes; only where `problems` found none."""
        event = RequestEvent(0, now_ms, "opened", actor, role, self.words.strip())
        kind, channel = KINDS[KINDS.index(self.kind)], _CHANNELS[_CHANNELS.index(self.channel)]
        about = self.about if kind == "consent-change" else ()
        return Request(
            self.id, kind, student, self.person.strip(), channel, self.language, self.received, about, (event,)
        )

    def _kind(self) -> Problem | None:
        return None if self.kind in KINDS else "kind"

    def _words(self) -> Problem | None:
        if len(self.words) > MOST_WORDS:
            return "words-long"
        return None if self.kind in WORDLESS or self.words.strip() else "words-missing"

    def _about(self, askable: Container[str]) -> Problem | None:
        if self.kind != "consent-change":
            return None
        if not self.about:
            return "about-missing"
        return None if all(purpose in askable for purpose in self.about) else "about-unknown"

    def _person(self) -> Problem | None:
        person = self.person.strip()
        right = 0 < len(person) <= 200 and person.isprintable() and " " not in person  # noqa: PLR2004 - the column's width
        return None if right else "person"

    def _day(self, today: dt.date) -> Problem | None:
        try:
            day = dt.date.fromisoformat(self.received)
        except ValueError:
            return "day-form"
        if day > today:
            return "day-ahead"
        return "day-old" if (today - day).days > OLDEST_DAYS else None


_CHANNELS: tuple[Channel, ...] = get_args(Channel)
