"""The university's OpenID provider: signing a person in and out there, and the keys that it signs tokens with.

Authlib speaks the protocol (authorization code with PKCE, state and nonce); here stands what it leaves open: that the
discovery document is the issuer's own, which algorithms count, for whom a token must be, and what a failure means.
Nothing is asked of the provider before somebody signs in or sends a token.
"""

from __future__ import annotations

import re
import ssl
import time
from collections.abc import Mapping
from functools import cache
from typing import Any, Literal

import httpx2
from authlib.integrations.base_client.errors import MismatchingStateError
from authlib.integrations.starlette_client import OAuth, OAuthError
from fastapi import Request, Response
from joserfc.errors import ExpiredTokenError, InvalidClaimError, JoseError
from joserfc.jwk import KeySet

from services.kernel.logs import log
from services.kernel.settings import SignInSettings

LEEWAY_S = 60
ALGORITHMS = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "Ed25519", "EdDSA")
_TIMEOUT_S = 5.0
_KEYS_LIVE_S = 3600  # a key that the provider takes back counts no longer than this
_KEYS_PAUSE_S = 60  # unknown keys make us ask again, but not more often
_CLOCK_CLAIMS = ("exp", "iat", "nbf")

Reason = Literal["not-set-up", "unreachable", "wrong-provider", "refused", "expired", "clock", "invalid", "claim"]
_log = log(__name__)


class SignInFailed(Exception):  # noqa: N818 - the visitor is shown a page that says how to go on
    """A sign-in came to nothing; `reason` is a bounded word."""

    def __init__(self, reason: Reason, detail: str = "") -> None:
        super().__init__(reason)
        self.reason: Reason = reason
        _log.warning("sign-in failed", reason=reason, detail=detail)


class Provider:
    """The provider that the settings name."""

    def __init__(self, settings: SignInSettings) -> None:
        self._settings = settings
        secret = settings.client_secret
        self._client = OAuth().register(
            "provider",
            client_id=settings.client_id,
            client_secret=secret.get_secret_value() if secret else None,
            server_metadata_url=f"{(settings.issuer or '').rstrip('/')}/.well-known/openid-configuration",
            client_kwargs={"scope": settings.scope, "code_challenge_method": "S256", "timeout": _TIMEOUT_S},
        )
        self._keys: KeySet | None = None
        self._keys_asked = 0.0

    async def begin(self, request: Request, callback: str) -> Response:
        """Send the browser to the provider, which will send it back to `callback`.

        Raises:
            SignInFailed: the provider cannot be used now.
        """
        await self._metadata()
        answer: Response = await self._client.authorize_redirect(request, callback)
        return answer

    async def finish(self, request: Request) -> Mapping[str, Any]:
        """The claims about the person, once the browser is back.

        Raises:
            SignInFailed: the provider said no or said nothing, or its answer is not one to this browser's question.
        """
        await self._metadata()
        options = {
            "iss": {"essential": True, "value": self._settings.issuer},
            "aud": {"essential": True, "value": self._settings.client_id},
        }
        try:
            token = await self._client.authorize_access_token(request, claims_options=options, leeway=LEEWAY_S)
            claims: Mapping[str, Any] | None = token.get("userinfo")
        except MismatchingStateError as error:
            raise SignInFailed("expired") from error
        except OAuthError as error:
            raise SignInFailed("refused", _known(error.error)) from error
        except httpx2.HTTPError as error:
            raise SignInFailed("unreachable", type(error).__name__) from error
        except (ExpiredTokenError, InvalidClaimError) as error:
            raise SignInFailed("clock" if error.claim in _CLOCK_CLAIMS else "invalid", error.claim) from error
        except (JoseError, ValueError, LookupError, TypeError, RuntimeError) as error:
            raise SignInFailed("invalid", type(error).__name__) from error
        if not claims:
            raise SignInFailed("invalid", "no id token")
        return {**claims, "access_token": token.get("access_token")}

    async def told_more(self, claims: Mapping[str, Any]) -> Mapping[str, Any]:
        """The claims, with those that the provider tells only at its userinfo endpoint, if it has one.

        Raises:
            SignInFailed: it has, and does not answer, or speaks of somebody else.
        """
        if not (await self._metadata()).get("userinfo_endpoint"):
            return claims
        try:
            more: dict[str, Any] = await self._client.userinfo(
                token={"access_token": claims["access_token"], "token_type": "Bearer"}
            )
        except httpx2.HTTPError as error:
            raise SignInFailed("unreachable", type(error).__name__) from error
        except (OAuthError, ValueError, TypeError) as error:
            raise SignInFailed("invalid", type(error).__name__) from error
        if more.get("sub") != claims["sub"]:
            raise SignInFailed("invalid", "userinfo is about somebody else")
        return more | {name: value for name, value in claims.items() if value is not None}

    async def way_out(self, then: str) -> str | None:
        """Where the browser ends the provider's own session and comes back to `then`; None where there is no way."""
        try:
            end = (await self._metadata()).get("end_session_endpoint")
        except SignInFailed:
            return None  # here the session has ended all the same
        if not end:
            return None
        query = {"client_id": self._settings.client_id, "post_logout_redirect_uri": then}
        return str(httpx2.URL(end).copy_merge_params(query))

    async def keys(self, *, again: bool = False) -> KeySet:
        """The keys that tokens may be signed with; `again` where one is wanted that was not among them.

        Raises:
            SignInFailed: they cannot be had.
        """
        age = time.monotonic() - self._keys_asked
        if self._keys is None or age > _KEYS_LIVE_S or (again and age > _KEYS_PAUSE_S):
            self._keys_asked = time.monotonic()
            try:
                await self._metadata()
                self._keys = KeySet.import_key_set(await self._client.fetch_jwk_set(force=True))
            except httpx2.HTTPError as error:
                self._keys = self._still("unreachable", error)
            except (JoseError, ValueError, LookupError, TypeError, RuntimeError) as error:
                self._keys = self._still("invalid", error)
        return self._keys

    def _still(self, reason: Reason, error: Exception) -> KeySet:
        """The keys known so far: a provider that is away for a moment does not take the API with it."""
        if self._keys is None:
            raise SignInFailed(reason, type(error).__name__) from error
        return self._keys

    async def _metadata(self) -> dict[str, Any]:
        """The discovery document, asked for once it is needed and then known."""
        if self._settings.issuer is None:
            raise SignInFailed("not-set-up", "SIGNPOST_SIGN_IN__ISSUER is not set")
        self._client.client_kwargs.setdefault("verify", _trust())
        try:
            found: dict[str, Any] = await self._client.load_server_metadata()
        except httpx2.HTTPError as error:
            raise SignInFailed("unreachable", type(error).__name__) from error
        except (ValueError, TypeError, httpx2.InvalidURL) as error:
            raise SignInFailed("wrong-provider", "its discovery document is no JSON object") from error
        if found.get("issuer") != self._settings.issuer:
            said = found.pop("issuer", None)
            del found["_loaded_at"]  # so that it is asked for again
            raise SignInFailed("wrong-provider", f"it calls itself {said!r}, not as SIGNPOST_SIGN_IN__ISSUER says")
        offered = found.get("id_token_signing_alg_values_supported") or ["RS256"]
        found["id_token_signing_alg_values_supported"] = [name for name in offered if name in ALGORITHMS]
        return found


@cache
def _trust() -> ssl.SSLContext:
    """Whom to trust, read once: it takes a fifth of a second, and Authlib makes a new client for each request."""
    return httpx2.create_ssl_context()


def _known(code: str) -> str:
    """An error code of the protocol; anything else came from whoever made the link."""
    return code if re.fullmatch(r"[A-Za-z_]{1,39}", code) else "unknown"
