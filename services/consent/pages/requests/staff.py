"""The staff's pages of requests: what is due, one request with what can be done next, and writing one down."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated

from fastapi import APIRouter, Depends, HTTPException, Request, Response
from starlette.datastructures import FormData
from starlette.responses import RedirectResponse

from services.consent.domain.requests import request as domain
from services.consent.domain.requests.drafts import IN_ENGLISH, MOST_WORDS, STAFF_CHANNELS, Draft
from services.consent.domain.requests.request import KINDS, NotPossible, Reason, RequestEvent, Step, What, pause_reasons
from services.consent.handlers.requests.handling import ChangedMeanwhile, NoSuchRequest, Reader
from services.consent.pages.forms import Form
from services.consent.pages.requests.parts import Parts, draft_id, several, text
from services.kernel.web.i18n.choice import in_english
from services.kernel.web.session import SignedIn, csrf_checked, flash, signed_in_as

ROLES = ("administrator", "data-protection-officer")
Staff = Annotated[SignedIn, Depends(signed_in_as("administrator", "data-protection-officer"))]
_FORM = [Depends(csrf_checked)]
# Address of a step -> the step. Those in `_AT_ONCE` need no page of their own, those in `_TWICE` a second look.
STEPS: Mapping[str, What] = {
    "acknowledge": "acknowledged",
    "pause": "paused",
    "resume": "resumed",
    "extend": "extended",
    "answer": "answered",
    "refuse": "refused",
    "add": "words",
    "withdraw": "withdrawn",
    "reopen": "reopened",
}
_AT_ONCE = frozenset({"acknowledge", "resume"})
_TWICE = frozenset({"extend", "answer", "refuse", "withdraw"})


def reader(parts: Parts, staff: SignedIn) -> Reader:
    """The member of the staff as the history names them."""
    role = next(role for role in ROLES if staff.has(role))
    return Reader(parts.pseudonyms.of(staff.person_id), role)


class StaffPages:
    """The routes."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts

    def router(self) -> APIRouter:
        """All of them."""
        router = APIRouter(include_in_schema=False, prefix="/staff/requests", dependencies=[Depends(in_english)])
        router.add_api_route("", self.all, methods=["GET"])
        router.add_api_route("/new", self.form, methods=["GET"])
        router.add_api_route("/new", self.write_down, methods=["POST"], dependencies=_FORM)
        router.add_api_route("/{request_id}", self.one, methods=["GET"])
        router.add_api_route("/{request_id}/steps/{name}", self.ask, methods=["GET"])
        router.add_api_route("/{request_id}/steps/{name}", self.take, methods=["POST"], dependencies=_FORM)
        return router

    def all(self, request: Request, _: Staff, kind: str = "", state: str = "open", q: str = "") -> Response:
        """What is due first stands first; or those of one student, or of one number."""
        closed = self._parts.requests.standing("closed")
        listed = closed if state == "closed" else self._parts.requests.standing()
        seen = [self._parts.seen(asked) for asked in (self._matching(q) if q.strip() else listed)]
        context = {
            "requests": [one for one in seen if kind in {"", one.asked.kind}],
            "overdue": sum(one.due.overdue for one in seen),
            "of_all": len(seen),
            "unheard": sum(not asked.heard for asked in closed),
            "kind": kind,
            "state": "closed" if state == "closed" else "open",
            "q": q.strip(),
            "kinds": KINDS,
        }
        return self._parts.page(request, "staff_all.html", context)

    def _matching(self, words: str) -> list[domain.Request]:
        """The request of that number, or all of the student of that id."""
        try:
            return [self._parts.requests.get(words.strip().upper())]
        except NoSuchRequest:
            return self._parts.requests.of_student(self._parts.pseudonyms.of(words))

    def form(self, request: Request, _: Staff) -> Response:
        """An empty form for somebody who rang, came or wrote."""
        return self._form(request, self._draft(FormData()))

    def write_down(self, request: Request, staff: Staff, form: Form) -> Response:
        """The form, checked; then the check page; then the request."""
        draft = self._draft(form)
        problems = {field: IN_ENGLISH[problem] for field, problem in self._parts.problems(draft).items()}
        if problems:
            return self._form(request, draft, problems, 422)
        if text(form, "then") == "change":
            return self._form(request, draft)
        if text(form, "then") != "send":
            return self._check(request, draft)
        who, student = reader(self._parts, staff), self._parts.pseudonyms.of(draft.person)
        if who.pseudonym == student:
            flash(request, "Nothing was written down: somebody else must handle your own request.", "attention")
            return self._form(request, draft, status=409)
        opened = draft.opened(student, who.pseudonym, who.role, self._parts.clock.now_ms())
        return RedirectResponse(f"/staff/requests/{self._parts.requests.open(opened).id}", status_code=303)

    def _check(self, request: Request, draft: Draft) -> Response:
        context = {
            "draft": draft,
            "about": [self._parts.title(purpose) for purpose in draft.about],
            "mistyped": self._parts.requests.may_be_mistyped(self._parts.pseudonyms.of(draft.person)),
        }
        return self._parts.page(request, "staff_check.html", context)

    def one(self, request: Request, staff: Staff, request_id: str) -> Response:
        """A request with its history and what can be done next."""
        return self._one(request, staff, self._parts.found(request_id))

    def ask(self, request: Request, staff: Staff, request_id: str, name: str) -> Response:
        """The form of a step."""
        asked = self._parts.found(request_id)
        if name in _AT_ONCE or STEPS.get(name) not in self._parts.requests.possible(asked):
            return self._one(request, staff, asked)
        return self._step_form(request, asked, name, FormData())

    def take(self, request: Request, staff: Staff, request_id: str, name: str, form: Form) -> Response:
        """The step, where it cannot be undone after a second look."""
        asked = self._parts.found(request_id)
        if name not in STEPS:
            raise HTTPException(404)
        wants_change = text(form, "then") == "change"
        if wants_change or (problems := self._said(asked, name, form)):
            return self._step_form(request, asked, name, form, problems={} if wants_change else problems)
        if name in _TWICE and text(form, "then") != "send":
            context = {"asked": asked, "name": name, "typed": text(form, "text"), "events": text(form, "seen")}
            return self._parts.page(request, "staff_step_check.html", context)
        return self._take(request, staff, asked, name, form)

    def _take(self, request: Request, staff: SignedIn, asked: domain.Request, name: str, form: FormData) -> Response:
        who, seen = reader(self._parts, staff), text(form, "seen")
        reason = _reason(form) if name == "pause" else None
        step = Step(STEPS[name], who.pseudonym, who.role, text(form, "text").strip(), reason)
        try:
            self._parts.requests.step(asked.id, step, int(seen) if seen.isdecimal() else -1)
        except (NotPossible, ChangedMeanwhile) as error:
            flash(request, f"Nothing was changed. {error}", "attention")
            now = self._parts.found(asked.id)
            if name in _AT_ONCE or STEPS[name] not in self._parts.requests.possible(now):
                return self._one(request, staff, now, status=409)
            return self._step_form(request, now, name, form, status=409)
        return RedirectResponse(f"/staff/requests/{asked.id}", status_code=303)

    def _said(self, asked: domain.Request, name: str, form: FormData) -> dict[str, str]:
        """What is missing in the form of a step: field and how to mend it."""
        problems, said = {}, text(form, "text")
        if name == "pause" and _reason(form) not in pause_reasons(asked):
            problems["reason"] = "Choose what has to be clarified."
        if name not in _AT_ONCE and not said.strip():
            problems["text"] = "Write what the student should read."
        if len(said) > MOST_WORDS:
            problems["text"] = IN_ENGLISH["words-long"]
        return problems

    def _one(self, request: Request, staff: SignedIn, asked: domain.Request, status: int = 200) -> Response:
        own = reader(self._parts, staff).pseudonym
        steps = set() if own == asked.student else set(self._parts.requests.possible(asked))
        context = {
            "seen": self._parts.seen(asked),
            "about": [self._parts.title(purpose) for purpose in asked.about],
            "recorded": self._parts.recorded(asked),
            "steps": [name for name, what in STEPS.items() if what in steps],
            "decide": "decided" in steps,
            "own": own,
        }
        return self._parts.page(request, "staff_one.html", context, status)

    def _step_form(  # noqa: PLR0913 - what was typed, and what is wrong with it
        self,
        request: Request,
        asked: domain.Request,
        name: str,
        form: FormData,
        *,
        problems: Mapping[str, str] | None = None,
        status: int | None = None,
    ) -> Response:
        context = {
            "seen": self._parts.seen(asked),
            "name": name,
            "typed": text(form, "text"),
            "reason": text(form, "reason"),
            "reasons": pause_reasons(asked),
            "problems": problems or {},
            "then": self._extended(asked) if name == "extend" else None,
        }
        return self._parts.page(request, "staff_step.html", context, status or (422 if problems else 200))

    def _extended(self, asked: domain.Request) -> str:
        """The last day, as an ISO date, if the request were extended."""
        event = RequestEvent(len(asked.events), self._parts.clock.now_ms(), "extended", "", "")
        return self._parts.requests.deadline(asked.then(event)).day.isoformat()

    def _form(
        self, request: Request, draft: Draft, problems: Mapping[str, str] | None = None, status: int = 200
    ) -> Response:
        context = {
            "draft": draft,
            "options": self._parts.purposes(),
            "kinds": KINDS,
            "channels": STAFF_CHANNELS,
            "notices": self._parts.languages,
            "problems": problems or {},
        }
        return self._parts.page(request, "staff_new.html", context, status)

    def _draft(self, form: FormData) -> Draft:
        return Draft(
            id=draft_id(form),
            kind=text(form, "kind"),
            words=text(form, "words"),
            about=several(form, "about") if text(form, "kind") == "consent-change" else (),
            language=text(form, "language"),
            person=text(form, "person"),
            channel=text(form, "channel") if text(form, "channel") in STAFF_CHANNELS else "",
            received=text(form, "received") or self._parts.today.isoformat(),
        )


def _reason(form: FormData) -> Reason | None:
    said = text(form, "reason")
    return "identity" if said == "identity" else "scope" if said == "scope" else None
