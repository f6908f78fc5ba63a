"""What a student can ask of the institution, and what may happen to a request. Pure; time is an argument.

A request is its history: events that are only ever added. Its state is what the history comes to, and each step says
for itself when it is possible. When it has to be answered is in `deadlines`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Literal, get_args

from services.kernel.errors import SignpostError

Kind = Literal["consent-change", "access", "rectification", "erasure", "restriction", "objection", "complaint"]
Channel = Literal["portal", "phone", "in-person", "mail"]
State = Literal["open", "paused", "answered", "refused", "withdrawn"]
What = Literal[
    "opened",
    "acknowledged",
    "words",
    "paused",
    "resumed",
    "extended",
    "decided",
    "answered",
    "refused",
    "withdrawn",
    "reopened",
]
Reason = Literal["identity", "scope"]

KINDS: tuple[Kind, ...] = get_args(Kind)
# UK GDPR, Articles 15 to 22: those whose time the law sets by the month.
RIGHTS: frozenset[Kind] = frozenset({"access", "rectification", "erasure", "restriction", "objection"})
CLOSED: frozenset[State] = frozenset({"answered", "refused", "withdrawn"})
SPEECHLESS: frozenset[What] = frozenset({"acknowledged", "resumed", "withdrawn"})  # these may come without words
_BECOMES: Mapping[What, State] = {
    "opened": "open",
    "paused": "paused",
    "resumed": "open",
    "answered": "answered",
    "refused": "refused",
    "withdrawn": "withdrawn",
    "reopened": "open",
}


class NotPossible(SignpostError):  # noqa: N818 - an answer, not a fault
    """The step cannot be taken as the request stands; the message says why."""


@dataclass(frozen=True, slots=True)
class RequestEvent:
    """Something that happened to a request.

    Attributes:
        position: in its history, from 0.
        actor: "student", or the pseudonym of the staff member.
        role: in which they did it, as in the register.
        text: the words of whoever did it; the student reads them.
        reason: of a pause, what has to be clarified.
    """

    position: int
    at_ms: int
    what: What
    actor: str
    role: str
    text: str = ""
    reason: Reason | None = None


@dataclass(frozen=True, slots=True)
class Request:
    """A student's request with its history, oldest first.

    Attributes:
        person: the institution's id of the student, which whoever answers must know.
        language: in which the student wants to be answered.
        received_day: ISO local date on which it reached the institution; a letter's is before the day it is recorded.
        about: the purposes that a change of consent concerns; empty for other kinds.
    """

    id: str
    kind: Kind
    student: str
    person: str
    channel: Channel
    language: str
    received_day: str
    about: tuple[str, ...]
    events: tuple[RequestEvent, ...]

    @property
    def state(self) -> State:
        """What the history comes to."""
        return next(_BECOMES[event.what] for event in reversed(self.events) if event.what in _BECOMES)

    @property
    def closed(self) -> bool:
        """Whether nobody has to do anything any more."""
        return self.state in CLOSED

    @property
    def opened_ms(self) -> int:
        """When it was recorded."""
        return self.events[0].at_ms

    def last(self, *what: What) -> RequestEvent | None:
        """The latest event of these kinds, if any."""
        return next((event for event in reversed(self.events) if event.what in what), None)

    @property
    def acknowledged(self) -> bool:
        """Whether the student was told that it has been received; an answer says so too."""
        return self.last("acknowledged", "answered", "refused") is not None

    @property
    def heard(self) -> bool:
        """Whether no words of the student have come since it was closed."""
        after = [event for event in reversed(self.events) if event.what in {"words", "answered", "refused"}]
        return not (self.closed and after and after[0].what == "words")

    def then(self, event: RequestEvent) -> Request:
        """The request with one more event."""
        return replace(self, events=(*self.events, event))


@dataclass(frozen=True, slots=True)
class Step:
    """What somebody wants to do with a request; see `RequestEvent`."""

    what: What
    actor: str
    role: str
    text: str = ""
    reason: Reason | None = None

    @property
    def by_student(self) -> bool:
        """Whether the student does it."""
        return self.actor == "student"


def take(request: Request, step: Step, now_ms: int, *, may_extend: bool) -> Request:
    """Take a step. Words of the student let a paused clock go on: they may well be what was asked for.

    `may_extend`: whether the time in which an extension can be told is not over, see `deadlines.may_extend`.

    Raises:
        NotPossible: not by this person, or not as the request stands, or words are missing.
    """
    problem = _not_by(request, step) or hindrance(request, step.what, may_extend=may_extend) or _unsaid(request, step)
    if problem:
        raise NotPossible(problem)
    now = _noted(request, step, now_ms)
    if step.by_student and step.what == "words" and now.state == "paused":
        return _noted(now, Step("resumed", step.actor, step.role), now_ms)
    return now


def possible(request: Request, *, may_extend: bool) -> list[What]:
    """The steps that staff can take next."""
    return [what for what in _HINDRANCES if hindrance(request, what, may_extend=may_extend) is None]


def hindrance(request: Request, what: What, *, may_extend: bool) -> str | None:
    """Why the step cannot be taken as the request stands, or None when it can."""
    check = _HINDRANCES.get(what)
    problem = check(request) if check else "That is no step of a request."
    if problem is None and what == "extended" and not may_extend:
        return "The time in which the student can be told of an extension is over: answer the request."
    return problem


def pause_reasons(request: Request) -> list[Reason]:
    """What there can be to clarify: a scope where it may be broad, an identity where nobody signed in."""
    reasons: list[Reason] = []
    if request.kind in {"access", "consent-change"}:
        reasons.append("scope")
    if request.channel != "portal" and request.kind != "complaint":
        reasons.append("identity")
    return reasons


def _acknowledge(request: Request) -> str | None:
    return _while_open(request) or ("It has been acknowledged already." if request.acknowledged else None)


def _pause(request: Request) -> str | None:
    if request.state == "paused":
        return "Its clock is paused already."
    nothing = None if pause_reasons(request) else "The law knows no pause for this kind of request."
    return _while_open(request) or nothing


def _resume(request: Request) -> str | None:
    return None if request.state == "paused" else "Its clock is not paused."


def _extend(request: Request) -> str | None:
    if request.kind not in RIGHTS:
        return "The law knows no extension for this kind of request."
    return _while_open(request) or ("It has been extended already." if request.last("extended") else None)


def _answer(request: Request) -> str | None:
    """Not while it is unclear who asks or for what."""
    return _while_open(request) or ("Its clock is paused: resume it first." if request.state == "paused" else None)


def _decide(request: Request) -> str | None:
    if request.kind != "consent-change":
        return "Decisions are recorded only under a request to change consent."
    return _answer(request)


def _say(request: Request) -> str | None:
    return "It was withdrawn: please make a new request." if request.state == "withdrawn" else None


def _reopen(request: Request) -> str | None:
    return None if request.state in {"answered", "refused"} else "Only an answered or refused request is reopened."


def _while_open(request: Request) -> str | None:
    return f"It is {request.state} already." if request.closed else None


_HINDRANCES: Mapping[What, Callable[[Request], str | None]] = {
    "acknowledged": _acknowledge,
    "decided": _decide,
    "paused": _pause,
    "resumed": _resume,
    "extended": _extend,
    "words": _say,
    "answered": _answer,
    "refused": _while_open,
    "withdrawn": _while_open,
    "reopened": _reopen,
}


def _noted(request: Request, step: Step, now_ms: int) -> Request:
    event = RequestEvent(len(request.events), now_ms, step.what, step.actor, step.role, step.text, step.reason)
    return request.then(event)


def _not_by(request: Request, step: Step) -> str | None:
    if step.by_student and step.what not in {"words", "withdrawn"}:
        return "Only staff can do that."
    return "Somebody else must handle your own request." if step.actor == request.student else None


def _unsaid(request: Request, step: Step) -> str | None:
    if step.what == "paused" and step.reason not in pause_reasons(request):
        return "Choose what has to be clarified."
    needs = step.what not in SPEECHLESS or (step.what == "withdrawn" and not step.by_student)
    return "Write what the student should read." if needs and not step.text.strip() else None
