"""The routes of the choices: see what is asked, say yes or no, take everything back, read it in another language."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from fastapi import APIRouter, Depends, HTTPException, Request, Response
from starlette.responses import RedirectResponse

from services.consent.domain.decisions import Cell, ConsentEvent
from services.consent.pages.forms import Form
from services.consent.pages.student import form as forms
from services.consent.pages.student import views
from services.consent.pages.student.form import Sent
from services.consent.pages.student.parts import Parts, Student
from services.kernel.web.i18n.catalogs import gettext as _
from services.kernel.web.i18n.choice import keep
from services.kernel.web.session import SignedIn, csrf_checked, flash

_DRAFT = "draft"
_FORM = [Depends(csrf_checked)]


@dataclass(frozen=True, slots=True)
class Choices:
    """The routes `/`, `/choices`, `/choices/{purpose}`, `/choices/language` and `/withdraw`."""

    parts: Parts
    secure_cookies: bool

    def router(self) -> APIRouter:
        """The routes."""
        routes = APIRouter(include_in_schema=False)
        routes.add_api_route("/", self.show, methods=["GET"])
        routes.add_api_route("/choices", self.save, methods=["POST"], dependencies=_FORM)
        routes.add_api_route("/choices/language", self.speak, methods=["POST"], dependencies=_FORM)
        routes.add_api_route("/choices/{purpose}", self.save_purpose, methods=["POST"], dependencies=_FORM)
        routes.add_api_route("/withdraw", self.withdraw, methods=["POST"], dependencies=_FORM)
        return routes

    def show(self, request: Request, student: Student) -> Response:
        """What is asked, and how it stands; choices that were made before a change of language are still there."""
        return self._page(request, student, forms.of_draft(request.session.pop(_DRAFT, ""), self.parts.register))

    def save(self, request: Request, student: Student, form: Form) -> Response:
        """Record every choice that was made on the page."""
        sent = Sent.read(form, self.parts.register)
        if not self._counts(sent):
            return self._read_again(request, student)
        if not sent.answers:
            first = forms.field((next(iter(self.parts.register.purpose)), self.parts.register.sources[0].name))
            return self._page(request, student, {}, {first: _("Choose yes or no for at least one system.")}, 422)
        chosen = sent.chosen(self.parts.history(student), self.parts.terms)
        return self._record(request, student, chosen, sent.shown)

    def save_purpose(self, request: Request, student: Student, purpose: str, form: Form) -> Response:
        """Record the same answer for every system of one purpose; other choices on the page stay, unsaved."""
        register = self.parts.register
        if purpose not in register.purpose:  # a special category is never answered by one button
            raise HTTPException(404)
        sent = Sent.read(form, register)
        if not self._counts(sent):
            return self._read_again(request, student)
        answer = forms.for_all(form, purpose, register)
        if not answer:
            raise HTTPException(422, "The field 'all' must be 'yes' or 'no'.")
        typed = sent.chosen(self.parts.history(student), self.parts.terms)
        others = {cell: yes for cell, yes in typed.items() if cell not in answer}
        request.session[_DRAFT] = forms.as_draft(others, register)
        return self._record(request, student, answer, sent.shown, f"/#{purpose}")

    def withdraw(self, request: Request, student: Student, form: Form) -> Response:
        """Take back everything. This needs no reading: what was shown last is the text in force if not the form's."""
        sent, notice = Sent.read(form, self.parts.register), self.parts.notice
        shown = sent.shown if self._counts(sent) else (notice.version, notice.language)
        events = self.parts.consents.withdraw_all(self.parts.pseudonym(student), shown)
        return _after(request, events)

    def speak(self, request: Request, student: Student, form: Form) -> Response:
        """The page in another language, with the choices made on it."""
        typed = Sent.read(form, self.parts.register).chosen(self.parts.history(student), self.parts.terms)
        request.session[_DRAFT] = forms.as_draft(typed, self.parts.register)
        answer = RedirectResponse("/", status_code=303)
        keep(answer, str(form.get("speak", "")), secure=self.secure_cookies)
        return answer

    def _record(
        self,
        request: Request,
        student: SignedIn,
        chosen: Mapping[Cell, bool],
        shown: tuple[str, str],
        otherwise: str = "/",
    ) -> Response:
        return _after(request, self.parts.consents.answer(self.parts.pseudonym(student), chosen, shown), otherwise)

    def _read_again(self, request: Request, student: SignedIn) -> Response:
        said = _("Nothing was recorded: the text has changed since you read it. Please read and choose again.")
        flash(request, said, "attention")
        return self._page(request, student, {}, status=409)

    def _counts(self, sent: Sent) -> bool:
        """Whether the notice that the student read is one to decide by."""
        return self.parts.notices.counts(*sent.shown)

    def _page(
        self,
        request: Request,
        student: SignedIn,
        typed: Mapping[Cell, bool],
        errors: Mapping[str, str] | None = None,
        status: int = 200,
    ) -> Response:
        history, now_ms, asked = self.parts.history(student), self.parts.clock.now_ms(), self.parts.asked
        context = {
            "notice": asked.notice,
            "purposes": asked.purposes(history, now_ms, typed),
            "changes": views.changes_unread(history, self.parts.notices, asked.notice.language),
            "unsaved": bool(typed),
            "seen": history[-1].version if history else 0,
            "seen_ms": now_ms,
            "errors": errors or {},
            "field": forms.field,
        }
        return self.parts.page(request, "choices.html", context, status)


def _after(request: Request, events: Sequence[ConsentEvent], otherwise: str = "/") -> Response:
    if events:
        return RedirectResponse(f"/decisions/{events[0].version}", status_code=303)
    flash(request, _("Nothing had to change: that is what is recorded already."))
    return RedirectResponse(otherwise, status_code=303)
