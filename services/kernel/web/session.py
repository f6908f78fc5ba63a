"""Who is there: the one seam that every page and interface asks.

A person with a browser has a session, a signed cookie that ends after a while without use and at the latest some hours
after sign-in; a program sends a bearer token with each request. Both lead to the same `SignedIn`. Cookies belong to a
host, not to a port, so with the same secret one sign-in serves the consent and the notify service on one machine.
"""

from __future__ import annotations

import hmac
import secrets
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Annotated
from urllib.parse import urlsplit

from fastapi import Depends, FastAPI, HTTPException, Request
from pydantic import SecretStr
from starlette.middleware.sessions import SessionMiddleware

from services.kernel.settings import SessionSettings, Settings, required

CSRF_FIELD = "csrf"
CHALLENGE = {"WWW-Authenticate": 'Bearer realm="signpost"'}
_RENEW_AFTER_S = 30
_SCHEME = "bearer "


@dataclass(frozen=True, slots=True)
class SignedIn:
    """The person at the other end; `person_id` is the institution's id, `roles` are roles of the policy register."""

    person_id: str
    name: str
    roles: tuple[str, ...]

    def has(self, role: str) -> bool:
        """Whether the person is in that role, perhaps among others."""
        return role in self.roles


class SignInNeeded(Exception):  # noqa: N818 - it is not an error: the visitor is led to the sign-in page
    """Nobody is signed in, or not any more."""


class TokenRefused(Exception):  # noqa: N818 - the same: the program is told what to send instead
    """A bearer token came that counts for nothing here; the text says why."""


class RoleNeeded(Exception):  # noqa: N818 - the same
    """The person who is signed in has another role than the page is for."""

    def __init__(self, person: SignedIn, roles: tuple[str, ...]) -> None:
        needed = f"the role {' or '.join(roles)}" if roles else "people with a role here"
        super().__init__(f"This is for {needed}.")
        self.person = person
        self.roles = roles


class ForgedForm(Exception):  # noqa: N818 - usually just an old form
    """A form came without the session's own token: from another site, or from before the session began."""


def add_sessions(app: FastAPI, settings: Settings) -> None:
    """Let the app's requests carry the signed session cookie.

    Raises:
        ConfigurationError: the secret that signs it is not set.
    """
    secure = settings.session.secure_cookies
    app.add_middleware(
        SessionMiddleware,
        secret_key=required(settings.session.secret, "SIGNPOST_SESSION__SECRET"),
        session_cookie="__Host-signpost" if secure else "signpost",
        max_age=settings.session.idle_minutes * 60,
        same_site="lax",
        https_only=secure,
    )


def sign_in(request: Request, person: SignedIn, settings: SessionSettings) -> None:
    """Begin a new session for the person; nothing of the one before is kept."""
    request.session.clear()
    now = int(time.time())
    who = {"person_id": person.person_id, "name": person.name, "roles": person.roles}
    request.session.update(person=who, seen=now, ends=now + settings.longest_hours * 3600)


def sign_out(request: Request) -> None:
    """End the session."""
    request.session.clear()


def visitor(request: Request) -> SignedIn | None:
    """Whose session this is, if anybody's; use prolongs it, up to its end."""
    try:
        person, now = request.session["person"], int(time.time())
        who = SignedIn(person["person_id"], person["name"], tuple(person["roles"]))
        ended = now >= request.session["ends"]
    except KeyError:  # there is none, or one of an older version of this service
        ended = True
    if ended:
        request.session.pop("person", None)
        return None
    if now - request.session["seen"] > _RENEW_AFTER_S:
        request.session["seen"] = now
    return who


def bearer_token(request: Request) -> str | None:
    """The token that a program sent; a request with one is judged by it alone, whatever cookie came along."""
    sent = request.headers.get("authorization", "")
    return sent[len(_SCHEME) :].strip() if sent.lower().startswith(_SCHEME) else None


async def current_person(request: Request) -> SignedIn:
    """Who is there; a dependency of each page that is for somebody.

    Raises:
        SignInNeeded: nobody; the app answers with the way to the sign-in page, to a program with 401.
        TokenRefused: a program, with a token that counts for nothing; the app answers with 401.
        RoleNeeded: somebody without any role.
    """
    token = bearer_token(request)
    person: SignedIn | None
    person = visitor(request) if token is None else await request.app.state.bearer_tokens.person(token)
    if person is None:
        raise SignInNeeded
    if not person.roles:
        raise RoleNeeded(person, ())
    return person


Person = Annotated[SignedIn, Depends(current_person)]


def signed_in_as(*roles: str) -> Callable[[SignedIn], SignedIn]:
    """A dependency that lets only these roles in; the app answers others with a page that says so."""

    def check(person: Person) -> SignedIn:
        if not any(map(person.has, roles)):
            raise RoleNeeded(person, roles)
        return person

    return check


def program_as(role: str, own_token: SecretStr | None, variable: str) -> Callable[[Request], Awaitable[None]]:
    """A dependency of an interface for programs alone: a session opens nothing there.

    Args:
        own_token: opens it; its own, from the settings, for a program without an account at the provider.
        role: opens it, too, with a bearer token of the provider.
        variable: of the settings, for the message to whoever sends neither.
    """
    or_else = f"Send 'Authorization: Bearer TOKEN' with the token of {variable}, or one of the role {role}."
    expected = own_token.get_secret_value().encode() if own_token else b""

    async def check(request: Request) -> None:
        sent = bearer_token(request)
        if sent is None:
            raise HTTPException(401, or_else, CHALLENGE)
        if expected and hmac.compare_digest(sent.encode(), expected):
            return
        try:
            person = await current_person(request)
        except TokenRefused as error:
            raise TokenRefused(f"{error} {or_else}") from error
        if not person.has(role):
            raise RoleNeeded(person, (role,))

    return check


def csrf_token(request: Request) -> str:
    """The session's own token, which each of its forms carries."""
    token: str = request.session.get(CSRF_FIELD) or secrets.token_urlsafe(24)
    request.session.setdefault(CSRF_FIELD, token)
    return token


async def csrf_checked(request: Request) -> None:
    """A dependency of each route that takes a form: the form is one of this session's.

    A bearer token needs no such proof: no other site can make a browser send one.

    Raises:
        SignInNeeded: the session has ended meanwhile; the app answers with the way to a new one.
        ForgedForm: the form is another's; the app answers with a page that says how to go on.
    """
    if bearer_token(request) is not None:
        return
    if visitor(request) is None:
        raise SignInNeeded
    sent = (await request.form()).get(CSRF_FIELD)
    expected = request.session.get(CSRF_FIELD)
    if not (isinstance(sent, str) and expected and hmac.compare_digest(sent.encode(), expected.encode())):
        raise ForgedForm


def page_before(request: Request) -> str:
    """The path of this site's page that held the form, as far as the browser tells."""
    return (urlsplit(request.headers.get("referer", "")).path or "/") if from_here(request) else "/"


def from_here(request: Request) -> bool:
    """Whether the browser says that it comes from a page of this site."""
    return urlsplit(request.headers.get("referer", "")).netloc == request.headers.get("host")


def flash(request: Request, text: str, kind: str = "good") -> None:
    """Say something on the next page that is shown; `kind` is "good" or "attention"."""
    request.session["flash"] = {"text": text, "kind": kind}


def take_flash(request: Request) -> dict[str, str] | None:
    """What the request before wanted said, once."""
    said: dict[str, str] | None = request.session.pop("flash", None)
    return said
