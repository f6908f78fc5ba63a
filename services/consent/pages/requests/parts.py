"""What the pages of requests share: the use cases, what can be asked, and how a form becomes a draft."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Callable
from dataclasses import dataclass

from fastapi import HTTPException, Request, Response
from starlette.datastructures import FormData
from starlette.templating import Jinja2Templates

from services.consent.adapters.access_log import Access
from services.consent.domain.requests import request as domain
from services.consent.domain.requests.deadlines import Deadline, DeadlineRules
from services.consent.domain.requests.drafts import Draft, Problem
from services.consent.domain.requests.request import KINDS, Kind
from services.consent.handlers.consents import Consents
from services.consent.handlers.requests.assistance import Assistance
from services.consent.handlers.requests.handling import NoSuchRequest, Requests, new_id
from services.consent.notices import Notices
from services.kernel.clock import Clock
from services.kernel.ids import Pseudonyms
from services.kernel.register import Register
from services.kernel.web.i18n.catalogs import language

_ID = re.compile(r"[2-9A-HJ-NP-Z]{4}-[2-9A-HJ-NP-Z]{4}")


@dataclass(frozen=True, slots=True)
class Seen:
    """A request as a page shows it: with what has to be done next, and by when."""

    asked: domain.Request
    due: Deadline


@dataclass(frozen=True, slots=True)
class Recorded:
    """A decision that was recorded under a request, in the register's words."""

    purpose: str
    source: str
    state: str


@dataclass(frozen=True, slots=True)
class Look:
    """That somebody of the staff looked at what the student has decided or how figures came about, and why."""

    at_ms: int
    role: str
    what: str
    request: str | None
    reason: str


@dataclass(frozen=True, slots=True)
class Parts:
    """What the pages stand on."""

    requests: Requests
    assistance: Assistance
    consents: Consents
    register: Register
    notices: Notices
    pseudonyms: Pseudonyms
    clock: Clock
    rules: DeadlineRules
    pages: Jinja2Templates

    @property
    def today(self) -> dt.date:
        """The institution's local date."""
        return self.rules.day_of(self.clock.now_ms())

    @property
    def languages(self) -> list[str]:
        """The languages in which students can be told what they decide."""
        return sorted({language for _, language in self.notices.known}, reverse=True)

    def problems(self, draft: Draft) -> dict[str, Problem]:
        """What is wrong with a draft: field and problem."""
        return draft.problems(self.register.askable, self.languages, self.today)

    def found(self, request_id: str, student: str | None = None) -> domain.Request:
        """The request, or the page that says that there is none."""
        try:
            return self.requests.get(request_id, student)
        except NoSuchRequest as error:
            raise HTTPException(404) from error

    def seen(self, asked: domain.Request) -> Seen:
        """The request as a page shows it."""
        return Seen(asked, self.requests.deadline(asked))

    def recorded(self, asked: domain.Request) -> list[Recorded]:
        """The decisions that staff recorded under the request."""
        if asked.last("decided") is None:
            return []
        decisions = (event.decision for event in self.consents.history(asked.student))
        return [
            Recorded(self.title(d.purpose), self.system(d.source), d.state) for d in decisions if d.request == asked.id
        ]

    def looks(self, student: str) -> list[Look]:
        """Who of the staff looked at what the student has decided, or into their figures, the latest first."""
        titles = (self.title, self.system, self.view)
        return [
            Look(look.at_ms, look.role, _in_words(look.what, *titles), _request(look), look.reason)
            for look in self.requests.looks_at(student)
        ]

    def title(self, purpose: str) -> str:
        """A purpose in the register's words and the reader's language; its name where the register dropped it."""
        declared = self.register.askable.get(purpose)
        return declared.told(language()).title if declared else purpose

    def system(self, source: str) -> str:
        """A source in the register's words and the reader's language."""
        declared = self.register.source.get(source)
        return declared.told(language()).title if declared else source

    def view(self, name: str) -> str:
        """Something that staff may see in the register's words, without what it takes; its name where it has none."""
        declared = next((view for view in self.register.views if view.name == name), None)
        return declared.told(language()).title.partition(";")[0] if declared else name

    def purposes(self) -> list[tuple[str, str, None]]:
        """What a change of consent can be about, as options of a form."""
        return [(purpose, self.title(purpose), None) for purpose in self.register.askable]

    def page(self, request: Request, template: str, context: dict[str, object], status: int = 200) -> Response:
        """A page of requests."""
        return self.pages.TemplateResponse(request, f"requests/{template}", context, status_code=status)


def text(form: FormData, name: str) -> str:
    """A field of a form; empty where it is missing or a file. Line ends are the unix ones, and no NUL is among it."""
    value = form.get(name)
    return value.replace("\r\n", "\n").replace("\0", "") if isinstance(value, str) else ""


def several(form: FormData, name: str) -> tuple[str, ...]:
    """All values of a field, each once."""
    return tuple(dict.fromkeys(value for value in form.getlist(name) if isinstance(value, str)))


def kind_named(name: str) -> Kind:
    """The kind of request of that name, or the page that says that there is none."""
    if name not in KINDS:
        raise HTTPException(404)
    return KINDS[KINDS.index(name)]


def draft_id(form: FormData) -> str:
    """The number that the form carries from its first step on, so that sending it twice makes one request."""
    sent = text(form, "id")
    return sent if _ID.fullmatch(sent) else new_id()


def _request(look: Access) -> str | None:
    """The request for which somebody looked, if that was why."""
    found = _ID.search(look.reason)
    return found[0] if found and look.reason == f"request {found[0]}" else None


def _in_words(what: str, *titles: Callable[[str], str]) -> str:
    """What was looked at, with each name of the register in its words."""
    words = what
    for name in re.findall(r"[\w:-]+", what):
        told = next((said for title in titles if (said := title(name)) != name), name)
        words = words.replace(name, told)
    return words
