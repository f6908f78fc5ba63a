"""The demo's sign-in: choose who to be. It exists only where a list of demo people is set, never in production."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import msgspec
from fastapi import APIRouter, Depends, Form, Request, Response
from starlette.responses import RedirectResponse
from starlette.templating import Jinja2Templates

from services.kernel.errors import ConfigurationError
from services.kernel.settings import Settings
from services.kernel.web.session import SignedIn, csrf_checked, sign_in, sign_out

_SHOWN = 24


class DemoPerson(msgspec.Struct, frozen=True):
    """One of the people to choose from."""

    id: str
    name: str
    role: str


def demo_people(file: Path) -> list[DemoPerson]:
    """The people to choose from, staff before students.

    Raises:
        ConfigurationError: the file is no JSON list of id, name and role.
    """
    try:
        people = msgspec.json.decode(file.read_bytes(), type=list[DemoPerson])
    except (OSError, msgspec.MsgspecError) as error:
        raise ConfigurationError(f"SIGNPOST_SESSION__DEMO_PEOPLE: {file} cannot be used: {error}") from error
    return sorted(people, key=lambda person: (person.role == "student", person.role, person.name))


def matching(people: list[DemoPerson], words: str) -> list[DemoPerson]:
    """The people whose name, id or role holds each of the words."""
    wanted = words.casefold().split()
    return [p for p in people if all(word in f"{p.name} {p.id} {p.role}".casefold() for word in wanted)]


def local_path(path: str) -> str:
    """The path if it stays on this site, else the start page."""
    stays = path.startswith("/") and not path.startswith(("//", "/\\")) and path.isprintable()
    return path if stays else "/"


def router(settings: Settings, pages: Jinja2Templates) -> APIRouter:
    """Sign-out, and the demo's sign-in where it is set."""
    routes = APIRouter(include_in_schema=False)

    @routes.post("/sign-out", dependencies=[Depends(csrf_checked)])
    def leave(request: Request) -> Response:
        sign_out(request)
        return RedirectResponse("/sign-in", status_code=303)

    if settings.session.demo_people is not None:
        _add_demo_sign_in(routes, settings.session.demo_people, pages)
    return routes


def _add_demo_sign_in(routes: APIRouter, file: Path, pages: Jinja2Templates) -> None:
    @routes.get("/sign-in")
    def choose(request: Request, q: str = "", next: str = "/") -> Response:  # noqa: A002 - the query's own word
        found = matching(demo_people(file), q)
        context = {"people": found[:_SHOWN], "more": len(found[_SHOWN:]), "q": q, "next": local_path(next)}
        return pages.TemplateResponse(request, "sign_in.html", context)

    @routes.post("/sign-in", dependencies=[Depends(csrf_checked)])
    def enter(
        request: Request,
        person: Annotated[str, Form()],
        next: Annotated[str, Form()] = "/",  # noqa: A002 - the form's own word
    ) -> Response:
        chosen = with_id(demo_people(file), person)
        if chosen is None:
            return RedirectResponse("/sign-in", status_code=303)
        sign_in(request, SignedIn(chosen.id, chosen.name, (chosen.role,)))
        return RedirectResponse(local_path(next), status_code=303)


def with_id(people: list[DemoPerson], person_id: str) -> DemoPerson | None:
    """The person with that id, if any."""
    return next((person for person in people if person.id == person_id), None)
