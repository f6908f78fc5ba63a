"""The student's pages of requests: what they asked and by when we answer, making one, adding to it, taking it back."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated

from fastapi import APIRouter, Depends, Request, Response
from starlette.datastructures import FormData
from starlette.responses import RedirectResponse

from services.consent.domain.requests.drafts import MOST_WORDS, Draft, Problem
from services.consent.domain.requests.request import KINDS, NotPossible, Step
from services.consent.handlers.requests.handling import NoSuchRequest
from services.consent.pages.forms import Form
from services.consent.pages.requests.parts import Parts, draft_id, kind_named, several, text
from services.kernel.web.i18n.catalogs import gettext as _
from services.kernel.web.i18n.catalogs import language
from services.kernel.web.session import SignedIn, csrf_checked, flash, signed_in_as

Student = Annotated[SignedIn, Depends(signed_in_as("student"))]
_FORM = [Depends(csrf_checked)]


class StudentPages:
    """The routes."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts

    def router(self) -> APIRouter:
        """All of them."""
        router = APIRouter(include_in_schema=False, prefix="/requests")
        router.add_api_route("", self.mine, methods=["GET"])
        router.add_api_route("/new", self.kinds, methods=["GET"])
        router.add_api_route("/new/{kind}", self.form, methods=["GET"])
        router.add_api_route("/new/{kind}", self.make, methods=["POST"], dependencies=_FORM)
        router.add_api_route("/{request_id}", self.one, methods=["GET"])
        router.add_api_route("/{request_id}/words", self.add, methods=["POST"], dependencies=_FORM)
        router.add_api_route("/{request_id}/withdraw", self.ask_withdraw, methods=["GET"])
        router.add_api_route("/{request_id}/withdraw", self.withdraw, methods=["POST"], dependencies=_FORM)
        return router

    def mine(self, request: Request, student: Student) -> Response:
        """All requests of the student, the open ones first."""
        seen = [self._parts.seen(asked) for asked in self._parts.requests.of_student(self._pseudonym(student))]
        ordered = sorted(seen, key=lambda one: one.asked.closed)
        context = {"requests": ordered, "looks": self._parts.looks(self._pseudonym(student))}
        return self._parts.page(request, "mine.html", context)

    def kinds(self, request: Request, _student: Student) -> Response:
        """What can be asked for."""
        return self._parts.page(request, "kinds.html", {"kinds": KINDS})

    def form(self, request: Request, student: Student, kind: str) -> Response:
        """An empty form."""
        return self._form(request, self._draft(student, kind_named(kind), FormData()))

    def make(self, request: Request, student: Student, kind: str, form: Form) -> Response:
        """The form, checked; then the check page; then the request."""
        draft = self._draft(student, kind_named(kind), form)
        if text(form, "speak"):  # the same page in another language
            return self._form(request, draft)
        if problems := self._parts.problems(draft):
            return self._form(request, draft, problems, 422)
        if text(form, "then") == "change":
            return self._form(request, draft)
        if text(form, "then") != "send":
            return self._parts.page(request, "check.html", {"draft": draft, "about": self._titles(draft)})
        opened = draft.opened(self._pseudonym(student), "student", "student", self._parts.clock.now_ms())
        made = self._parts.requests.open(opened)
        flash(request, _("We have your request."))
        return RedirectResponse(f"/requests/{made.id}", status_code=303)

    def one(self, request: Request, student: Student, request_id: str) -> Response:
        """A request with its time line."""
        return self._one(request, student, request_id)

    def add(self, request: Request, student: Student, request_id: str, form: Form) -> Response:
        """More words of the student."""
        words = text(form, "words")
        too_long = len(words) > MOST_WORDS
        if too_long or not words.strip():
            problem: Problem = "words-long" if too_long else "words-missing"
            return self._one(request, student, request_id, words=words, problems={"words": problem}, status=422)
        step = Step("words", "student", "student", words.strip())
        return self._taken(request, student, request_id, step, _("We have your words."))

    def ask_withdraw(self, request: Request, student: Student, request_id: str) -> Response:
        """The question before it is done."""
        asked = self._parts.found(request_id, self._pseudonym(student))
        if asked.closed:
            return RedirectResponse(f"/requests/{request_id}", status_code=303)
        return self._parts.page(request, "withdraw.html", {"asked": asked})

    def withdraw(self, request: Request, student: Student, request_id: str) -> Response:
        """Take it back."""
        return self._taken(request, student, request_id, Step("withdrawn", "student", "student"))

    def _one(  # noqa: PLR0913 - what was typed, and what is wrong with it
        self,
        request: Request,
        student: SignedIn,
        request_id: str,
        *,
        words: str = "",
        problems: Mapping[str, Problem] | None = None,
        status: int = 200,
    ) -> Response:
        asked = self._parts.found(request_id, self._pseudonym(student))
        context = {
            "seen": self._parts.seen(asked),
            "about": [self._parts.title(purpose) for purpose in asked.about],
            "recorded": self._parts.recorded(asked),
            "words": words,
            "problems": problems or {},
        }
        return self._parts.page(request, "one.html", context, status)

    def _taken(
        self, request: Request, student: SignedIn, request_id: str, step: Step, then: str | None = None
    ) -> Response:
        try:
            self._parts.requests.step(request_id, step, student=self._pseudonym(student))
        except NoSuchRequest:
            self._parts.found(request_id, self._pseudonym(student))
        except NotPossible:  # staff closed it at the same moment: the page says how it stands
            return self._one(request, student, request_id, words=step.text, status=409)
        if then:
            flash(request, then)
        return RedirectResponse(f"/requests/{request_id}", status_code=303)

    def _form(
        self, request: Request, draft: Draft, problems: Mapping[str, Problem] | None = None, status: int = 200
    ) -> Response:
        context = {"draft": draft, "options": self._parts.purposes(), "problems": problems or {}}
        return self._parts.page(request, "form.html", context, status)

    def _draft(self, student: SignedIn, kind: str, form: FormData) -> Draft:
        return Draft(
            id=draft_id(form),
            kind=kind,
            words=text(form, "words"),
            about=several(form, "about"),
            language=language(),
            person=student.person_id,
            received=self._parts.today.isoformat(),
        )

    def _titles(self, draft: Draft) -> list[str]:
        return [self._parts.title(purpose) for purpose in draft.about]

    def _pseudonym(self, student: SignedIn) -> str:
        return self._parts.pseudonyms.of(student.person_id)
