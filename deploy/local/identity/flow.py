"""The authorization code flow at the provider: what a request must hold, and codes that count once and not for long."""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
import secrets
import time
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlencode

from deploy.local.identity.people import Client, Somebody

CODE_LIFE_S = 60
_CHALLENGE = re.compile(r"[A-Za-z0-9_-]{43}")
_VERIFIER = re.compile(r"[A-Za-z0-9._~-]{43,128}")
ASKED = (
    "response_type", "client_id", "redirect_uri", "scope", "state", "nonce", "code_challenge", "code_challenge_method",
)  # fmt: skip


class NotForRedirect(Exception):  # noqa: N818 - shown on a page; the text says what is wrong
    """Whoever asks cannot be answered by sending the browser back: nobody knows that it is theirs."""


class Refused(Exception):  # noqa: N818 - the protocol's own error
    """An error of the protocol, with its code and, for the token endpoint, its status."""

    def __init__(self, code: str, description: str, status: int = 400) -> None:
        super().__init__(description)
        self.code, self.status = code, status


@dataclass(frozen=True, slots=True)
class Asked:
    """A request for somebody to sign in, as the client made it."""

    client: Client
    redirect_uri: str
    scope: str
    state: str | None
    nonce: str | None
    challenge: str

    def back(self, **said: str) -> str:
        """Where the browser goes with the answer."""
        state = {} if self.state is None else {"state": self.state}
        joint = "&" if "?" in self.redirect_uri else "?"
        return f"{self.redirect_uri}{joint}{urlencode(said | state)}"


@dataclass(frozen=True, slots=True)
class _Code:
    asked: Asked
    somebody: Somebody
    until_s: float


class Codes:
    """The codes that were given out and not yet used."""

    def __init__(self) -> None:
        self._codes: dict[str, _Code] = {}

    def give(self, asked: Asked, somebody: Somebody) -> str:
        """A code for what was asked, now that somebody has signed in."""
        now = time.monotonic()
        self._codes = {code: each for code, each in self._codes.items() if each.until_s > now}
        code = secrets.token_urlsafe(32)
        self._codes[code] = _Code(asked, somebody, now + CODE_LIFE_S)
        return code

    def redeem(self, client: Client, form: Mapping[str, str]) -> tuple[Asked, Somebody]:
        """What the code stands for; it counts no second time, not even after a failure.

        Raises:
            Refused: it does not count for this client, address and verifier now.
        """
        code = self._codes.pop(form.get("code", ""), None)
        verifier = form.get("code_verifier", "")
        if code is None or code.until_s <= time.monotonic() or code.asked.client.id != client.id:
            raise Refused("invalid_grant", "The code is unknown, used, another client's or too old.")
        if form.get("redirect_uri") != code.asked.redirect_uri:
            raise Refused("invalid_grant", "redirect_uri is not the one that the code was asked for with.")
        if not _VERIFIER.fullmatch(verifier) or not hmac.compare_digest(challenge_of(verifier), code.asked.challenge):
            raise Refused("invalid_grant", "code_verifier does not fit the code_challenge.")
        return code.asked, code.somebody


def read(query: Mapping[str, str], clients: Mapping[str, Client]) -> Asked:
    """What the client asks for.

    Raises:
        NotForRedirect: the client or its address is unknown.
    """
    client = clients.get(query.get("client_id", ""))
    if client is None:
        raise NotForRedirect("No client with this client_id is registered.")
    redirect_uri = query.get("redirect_uri", "")
    if redirect_uri not in client.redirect_uris:
        raise NotForRedirect("This redirect_uri is not registered for the client, letter by letter.")
    return Asked(
        client,
        redirect_uri,
        query.get("scope", ""),
        query.get("state"),
        query.get("nonce"),
        query.get("code_challenge", ""),
    )


def check(asked: Asked, query: Mapping[str, str]) -> None:
    """Let through what this provider can do.

    Raises:
        Refused: what is wrong; the browser goes back with it.
    """
    if query.get("response_type") != "code":
        raise Refused("unsupported_response_type", "response_type must be 'code'.")
    if "openid" not in asked.scope.split():
        raise Refused("invalid_scope", "scope must hold 'openid'.")
    if query.get("code_challenge_method") != "S256" or not _CHALLENGE.fullmatch(asked.challenge):
        raise Refused("invalid_request", "PKCE is required: code_challenge, with code_challenge_method=S256.")
    if query.get("prompt") == "none":
        raise Refused("login_required", "Nobody is signed in: one chooses each time.")


def challenge_of(verifier: str) -> str:
    """The S256 challenge of a verifier."""
    return base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()
