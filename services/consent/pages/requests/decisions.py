"""Staff record what a student decides: the notice to read out, the choices of this request, confirmations, a check.

The student's choices are read only here, under an open request and for what it is about; each look is noted (R9).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from fastapi import APIRouter, Depends, HTTPException, Request, Response
from starlette.datastructures import FormData
from starlette.responses import RedirectResponse

from services.consent.domain.decisions import Cell, ConsentEvent, Standing, ruling, standing
from services.consent.domain.requests import request as domain
from services.consent.domain.requests.drafts import IN_ENGLISH, MOST_WORDS
from services.consent.domain.requests.request import NotPossible
from services.consent.domain.special import is_special
from services.consent.handlers.requests.assistance import Assisted
from services.consent.handlers.requests.handling import ChangedMeanwhile, NoSuchRequest
from services.consent.notices import Notice, PurposeNotice
from services.consent.pages.forms import Form
from services.consent.pages.requests.parts import Parts, text
from services.consent.pages.requests.staff import Staff, reader
from services.kernel.register import Source
from services.kernel.web.i18n.choice import in_english
from services.kernel.web.session import SignedIn, csrf_checked, flash

_EVERY = "*"  # in the place of a source: all of them
_PATH = "/staff/requests/{request_id}/decisions"


@dataclass(frozen=True, slots=True)
class Switch:
    """A system within a purpose: the field of the form, how it stands, and what the form says so far."""

    source: Source
    field: str
    stands: Standing
    said: str


@dataclass(frozen=True, slots=True)
class Asked:
    """A purpose of the request: what the student must be told, its systems, and what the form says of all at once."""

    name: str
    title: str
    told: PurposeNotice | None
    every: str
    switches: tuple[Switch, ...]


class DecisionPages:
    """The routes."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts

    def router(self) -> APIRouter:
        """Both of them."""
        router = APIRouter(include_in_schema=False, prefix=_PATH, dependencies=[Depends(in_english)])
        router.add_api_route("", self.ask, methods=["GET"])
        router.add_api_route("", self.record, methods=["POST"], dependencies=[Depends(csrf_checked)])
        return router

    def ask(self, request: Request, staff: Staff, request_id: str, language: str = "") -> Response:
        """The notice, and the choices as they stand."""
        return self._form(request, staff, request_id, FormData({"language": language}))

    def record(self, request: Request, staff: Staff, request_id: str, form: Form) -> Response:
        """The form, checked; then the check page; then the decisions."""
        asked = self._parts.found(request_id)
        if text(form, "then") == "change":
            return self._form(request, staff, request_id, form)
        if (shown := self._shown(form)) is None:
            flash(request, "Nothing was recorded: the text has changed. Read the new one to the student.", "attention")
            return self._form(request, staff, request_id, form, status=409)
        said = self._said(asked, form, shown)
        problems = said.lacks(asked.about)
        if len(said.text) > MOST_WORDS:
            problems["text"] = IN_ENGLISH["words-long"]
        if problems:
            return self._form(request, staff, request_id, form, problems=problems, status=422)
        if text(form, "then") != "send":
            return self._check(request, asked, said, text(form, "seen"))
        return self._record(request, staff, asked, said, form)

    def _record(
        self, request: Request, staff: SignedIn, asked: domain.Request, said: Assisted, form: FormData
    ) -> Response:
        seen = text(form, "seen")
        try:
            self._parts.assistance.record(
                asked, int(seen) if seen.isdecimal() else -1, reader(self._parts, staff), said
            )
        except (NotPossible, ChangedMeanwhile) as error:
            flash(request, f"Nothing was recorded. {error}", "attention")
        else:
            flash(request, "Recorded. It counts from now on, and the student sees it. Answer the request to close it.")
        return RedirectResponse(f"/staff/requests/{asked.id}", status_code=303)

    def _form(  # noqa: PLR0913 - what was typed, and what is wrong with it
        self,
        request: Request,
        staff: SignedIn,
        request_id: str,
        form: FormData,
        *,
        problems: Mapping[str, str] | None = None,
        status: int = 200,
    ) -> Response:
        try:
            asked, history = self._parts.requests.read_consents(request_id, reader(self._parts, staff))
        except NoSuchRequest as error:
            raise HTTPException(404) from error
        except NotPossible as error:
            flash(request, str(error), "attention")
            return RedirectResponse(f"/staff/requests/{request_id}", status_code=303)
        notice = self._notice(form, asked)
        context = {
            "seen": self._parts.seen(asked),
            "notice": notice,
            "notices": self._parts.languages,
            "purposes": self._purposes(asked, notice, history, form),
            "special": any(map(is_special, asked.about)),
            "form_said": {name: text(form, name) for name in ("text", "read", "explicit")},
            "problems": problems or {},
        }
        return self._parts.page(request, "staff_decisions.html", context, status)

    def _check(self, request: Request, asked: domain.Request, said: Assisted, seen: str) -> Response:
        choices = [
            (_field(cell), self._parts.title(cell[0]), self._parts.system(cell[1]), yes)
            for cell, yes in said.choices.items()
        ]
        context = {"asked": asked, "assisted": said, "choices": choices, "events": seen}
        return self._parts.page(request, "staff_decisions_check.html", context)

    def _purposes(
        self, asked: domain.Request, notice: Notice, history: Iterable[ConsentEvent], form: FormData
    ) -> list[Asked]:
        rules, now_ms = ruling(history), self._parts.clock.now_ms()
        return [
            Asked(
                purpose,
                self._parts.title(purpose),
                notice.purposes.get(purpose),
                text(form, _field((purpose, _EVERY))),
                tuple(
                    Switch(source, field := _field(cell), standing(rules.get(cell), now_ms), text(form, field))
                    for source in self._parts.register.sources
                    if (cell := (purpose, source.name))
                ),
            )
            for purpose in asked.about
        ]

    def _said(self, asked: domain.Request, form: FormData, shown: tuple[str, str]) -> Assisted:
        answers = {cell: _answer(form, cell) for cell in self._cells(asked)}
        return Assisted(
            choices={cell: answer == "yes" for cell, answer in answers.items() if answer in {"yes", "no"}},
            shown=shown,
            read=text(form, "read") == "yes",
            explicit=text(form, "explicit") == "yes",
            text=text(form, "text").strip(),
        )

    def _cells(self, asked: domain.Request) -> list[Cell]:
        return [(purpose, source) for purpose in asked.about for source in self._parts.register.source]

    def _notice(self, form: FormData, asked: domain.Request) -> Notice:
        wanted = text(form, "language") or asked.language
        return self._parts.notices.in_force(wanted if wanted in self._parts.languages else self._parts.languages[0])

    def _shown(self, form: FormData) -> tuple[str, str] | None:
        """The notice that the form says was read, if it is in force."""
        language = text(form, "language")
        if language not in self._parts.languages:
            return None
        version = self._parts.notices.in_force(language).version
        return (version, language) if text(form, "notice") == version else None


def _field(cell: Cell) -> str:
    return "~".join(cell)


def _answer(form: FormData, cell: Cell) -> str:
    """What is said of the system, or else of all systems of its purpose."""
    return text(form, _field(cell)) or text(form, _field((cell[0], _EVERY)))
