"""Bearer tokens: a program proves who it is with an access token of the university's provider."""

from __future__ import annotations

from joserfc import jwt
from joserfc.errors import BadSignatureError, ClaimError, ExpiredTokenError, InvalidKeyIdError, JoseError

from services.kernel.metrics import SignInMetrics
from services.kernel.settings import SignInSettings
from services.kernel.web.claims import ClaimMissing, Claims
from services.kernel.web.provider import ALGORITHMS, LEEWAY_S, Provider, SignInFailed
from services.kernel.web.session import SignedIn, TokenRefused

_DOTS = 2  # in a signed JWT
_LONGEST = 8192  # characters; more is no access token


class BearerTokens:
    """Says whose a token is."""

    def __init__(self, settings: SignInSettings, provider: Provider, claims: Claims, metrics: SignInMetrics) -> None:
        self._provider, self._claims, self._metrics = provider, claims, metrics
        self._registry = jwt.JWTClaimsRegistry(
            leeway=LEEWAY_S,
            iss={"essential": True, "value": settings.issuer or ""},
            aud={"essential": True, "value": settings.audience},
            exp={"essential": True},
        )
        self._audience = settings.audience

    async def person(self, token: str) -> SignedIn:
        """The person or program that the token was given to.

        Raises:
            TokenRefused: it counts for nothing here; the text says why, and how to get one that does.
            SignInFailed: the provider's keys cannot be had now.
        """
        try:
            person = await self._read(token)
        except SignInFailed as error:
            self._count(error.reason)
            if error.reason == "not-set-up":
                raise TokenRefused("No provider of tokens is set up here.") from error
            raise
        except ClaimMissing as error:
            raise self._refused("claim", str(error)) from error
        except ExpiredTokenError as error:
            raise self._refused("expired", "The token has expired; ask for a new one.") from error
        except ClaimError as error:
            said = f" It must be for the audience {self._audience!r}." if error.claim == "aud" else ""
            raise self._refused("claim", f"The token's claim {error.claim!r} is missing or wrong.{said}") from error
        except (BadSignatureError, InvalidKeyIdError) as error:
            raise self._refused("signature", "The token is not signed by the university's provider.") from error
        except (JoseError, ValueError, TypeError, KeyError) as error:
            algorithms = ", ".join(ALGORITHMS)
            raise self._refused("form", f"That is no signed JWT with one of the algorithms {algorithms}.") from error
        self._count("accepted")
        return person

    async def _read(self, token: str) -> SignedIn:
        if len(token) > _LONGEST or token.count(".") != _DOTS:
            raise ValueError("no token")
        try:
            found = jwt.decode(token, await self._provider.keys(), algorithms=ALGORITHMS)
        except InvalidKeyIdError:  # the provider may have changed its keys
            found = jwt.decode(token, await self._provider.keys(again=True), algorithms=ALGORITHMS)
        self._registry.validate(found.claims)
        return self._claims.person(found.claims)

    def _refused(self, outcome: str, text: str) -> TokenRefused:
        self._count(outcome)
        return TokenRefused(text)

    def _count(self, outcome: str) -> None:
        self._metrics.tokens.labels(outcome).inc()
