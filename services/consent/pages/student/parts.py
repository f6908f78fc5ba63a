"""What the student's pages share: who is there, their history, and the words in their language."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, Request, Response
from starlette.templating import Jinja2Templates

from services.consent.domain.decisions import ConsentEvent, Terms
from services.consent.handlers.consents import Consents
from services.consent.notices import Notice, Notices
from services.consent.pages.student.views import Asked
from services.kernel.clock import Clock
from services.kernel.ids import Pseudonyms
from services.kernel.register import Register
from services.kernel.web.i18n.catalogs import SOURCE, language
from services.kernel.web.session import SignedIn, signed_in_as

Student = Annotated[SignedIn, Depends(signed_in_as("student"))]


@dataclass(frozen=True, slots=True)
class Parts:
    """What the pages stand on."""

    consents: Consents
    register: Register
    notices: Notices
    pseudonyms: Pseudonyms
    clock: Clock
    terms: Terms
    pages: Jinja2Templates

    def pseudonym(self, student: SignedIn) -> str:
        """Under which the records keep the student."""
        return self.pseudonyms.of(student.person_id)

    def history(self, student: SignedIn) -> list[ConsentEvent]:
        """All of a student's events, oldest first."""
        return self.consents.history(self.pseudonym(student))

    @property
    def notice(self) -> Notice:
        """The text in force in the reader's language, or in English where it has none."""
        spoken = language()
        return self.notices.in_force(spoken if spoken in self.notices.languages else SOURCE)

    @property
    def asked(self) -> Asked:
        """What students are asked, in the reader's language."""
        return Asked(self.register.told(language()), self.notice, self.terms)

    def page(
        self,
        request: Request,
        template: str,
        context: Mapping[str, object],
        status: int = 200,
        headers: Mapping[str, str] | None = None,
    ) -> Response:
        """One of the student's pages."""
        return self.pages.TemplateResponse(request, f"student/{template}", dict(context), status, headers)
