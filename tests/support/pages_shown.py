"""Every page of both services, as the browser tests look at it: who opens it, and what they do there.

A route that shows a page and is not in `PAGES` fails a test: add a line.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from playwright.sync_api import Page

from tests.support.shown import ALL_YES, ANSWERED, MIXED, OFFICER, REQUEST, TUTOR, UNDECIDED

Doing = Callable[[Page], None]
_STUDENT, _OFFICER, _STAFF, _TUTOR = "student", "data-protection-officer", "administrator", "tutor"


@dataclass(frozen=True, slots=True)
class Shown:
    """A page.

    Attributes:
        route: as in `tests.support.access`.
        person, role: who opens it; nobody is signed in where they are empty.
        service: that serves it.
        welsh: whether it is in Welsh too.
        then: what is done there before it is looked at, for instance so that the page after a form is.
    """

    route: str
    path: str
    person: str = ""
    role: str = ""
    service: str = "consent"
    welsh: bool = True
    status: int = 200
    then: Doing | None = None

    @property
    def name(self) -> str:
        """For the test's own name."""
        done = f" then {self.then.__name__.strip('_')}" if self.then else ""
        return f"{self.service} {self.path} {self.person or 'nobody'}{done}"


def _choose_nothing(page: Page) -> None:
    page.locator('.at-hand button[form="choices"]').click()


def _leave_unsaved(page: Page) -> None:
    """Choose, and change the language there and back."""
    page.locator('label[for="student-view.library"]').click()
    for _ in range(2):
        page.locator(".languages button[lang]").click()
        page.wait_for_load_state()


def _send_nothing(page: Page) -> None:
    page.locator("main form button").first.click()


def _write(page: Page) -> None:
    page.locator("textarea").first.fill("Please.")
    page.locator("main form button").first.click()


def _student(route: str, path: str, person: str = MIXED, then: Doing | None = None) -> Shown:
    return Shown(f"GET {route}", path, person, _STUDENT, then=then)


def _staff(route: str, path: str, role: str = _STAFF, then: Doing | None = None) -> Shown:
    return Shown(f"GET {route}", path, OFFICER, role, welsh=False, then=then)


def _tutor(route: str, path: str, then: Doing | None = None) -> Shown:
    return Shown(f"GET {route}", path, TUTOR, _TUTOR, "notify", welsh=False, then=then)


PAGES = [
    _student("/", "/", UNDECIDED),
    _student("/", "/"),
    _student("/", "/", ALL_YES),
    _student("/", "/", UNDECIDED, _choose_nothing),
    _student("/", "/", MIXED, _leave_unsaved),
    _student("/decisions/{version}", "/decisions/8"),
    _student("/decisions/{version}", "/decisions/2"),
    _student("/history", "/history"),
    _student("/history", "/history", UNDECIDED),
    _student("/requests", "/requests"),
    _student("/requests/new", "/requests/new"),
    _student("/requests/new/{kind}", "/requests/new/consent-change"),
    _student("/requests/new/{kind}", "/requests/new/complaint", then=_send_nothing),
    _student("/requests/new/{kind}", "/requests/new/complaint", then=_write),
    _student("/requests/{request_id}", f"/requests/{REQUEST}"),
    _student("/requests/{request_id}/withdraw", f"/requests/{REQUEST}/withdraw"),
    Shown("GET /register", "/register"),
    Shown("GET /register/notices/{version}/{language}", "/register/notices/2026-2/cy"),
    Shown("GET /signed-out", "/signed-out"),
    Shown("GET /sign-in", "/sign-in", status=503),  # says that no provider is set up
    Shown("GET /nowhere", "/nowhere", status=404),
    Shown("GET /", "/", OFFICER, _OFFICER, status=403),  # says that it is for somebody else
    _staff("/staff/requests", "/staff/requests"),
    _staff("/staff/requests/new", "/staff/requests/new"),
    _staff("/staff/requests/new", "/staff/requests/new", then=_send_nothing),
    _staff("/staff/requests/{request_id}", f"/staff/requests/{REQUEST}"),
    _staff("/staff/requests/{request_id}/decisions", f"/staff/requests/{ANSWERED}/decisions"),
    _staff("/staff/requests/{request_id}/steps/{name}", f"/staff/requests/{REQUEST}/steps/answered"),
    _staff("/oversight", "/oversight", _OFFICER),
    _staff("/oversight/question", "/oversight/question", _OFFICER),
    _staff("/coverage", "/coverage", _OFFICER),
    _tutor("/tutor", "/tutor"),
    _tutor("/tutor/cases/{case_id}", "/tutor/cases/{case}"),
    _tutor("/tutor/cases/{case_id}/close", "/tutor/cases/{case}/close"),
    _tutor("/tutor/cases/{case_id}/close", "/tutor/cases/{case}/close", then=_send_nothing),
]
# Routes that answer programs, or with a file, or lead on.
NO_PAGES = (
    "/v1/", "/health/", "/metrics", "/openapi.json", "/static", "/.well-known/", "/register.", "/sign-in/callback",
    "/decisions/{version}/receipt", "/decisions/{version}/applied", "/oversight/anchor",
    "/oversight/checking",
)  # fmt: skip
