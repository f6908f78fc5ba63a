"""What the provider signs: id tokens for a client that signs somebody in, access tokens for the services' APIs."""

from __future__ import annotations

import base64
import hashlib
import os
import secrets
import time
from pathlib import Path
from typing import Any

from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet, RSAKey

from deploy.local.identity.people import Client, Somebody

ALGORITHM = "RS256"
LIFE_S = 600


class Tokens:
    """Signs and reads the tokens of one issuer."""

    def __init__(self, issuer: str, audience: str, key: RSAKey) -> None:
        self.issuer, self._audience, self._key = issuer, audience, key

    def sign_with(self, key: RSAKey) -> None:
        """Take another key; the one before counts no longer."""
        self._key = key

    def public_keys(self) -> dict[str, Any]:
        """The JSON Web Key Set that others verify the tokens with."""
        return dict(KeySet([self._key]).as_dict(private=False, use="sig", alg=ALGORITHM))

    def id_token(self, somebody: Somebody, client: Client, nonce: str | None, access_token: str) -> str:
        """Says to the client who has signed in."""
        half = hashlib.sha256(access_token.encode()).digest()[:16]
        at_hash = base64.urlsafe_b64encode(half).rstrip(b"=").decode()
        said = {"aud": client.id, "auth_time": int(time.time()), "at_hash": at_hash} | claims(somebody)
        return self.sign(said | ({} if nonce is None else {"nonce": nonce}), "JWT")

    def access_token(self, somebody: Somebody, client_id: str, scope: str) -> str:
        """Opens the services' APIs, and the userinfo endpoint."""
        said = {"aud": self._audience, "client_id": client_id, "scope": scope, "jti": secrets.token_hex(8)}
        return self.sign(said | claims(somebody), "at+jwt")

    def sign(self, said: dict[str, Any], kind: str) -> str:
        """A signed token; what is said wins over the issuer's usual claims."""
        now = int(time.time())
        header = {"alg": ALGORITHM, "kid": self._key.kid, "typ": kind}
        return jwt.encode(header, {"iss": self.issuer, "iat": now, "exp": now + LIFE_S} | said, self._key)

    def read(self, token: str) -> dict[str, Any] | None:
        """What an access token of ours says; None where it is none or has expired."""
        try:
            found = jwt.decode(token, self._key, algorithms=[ALGORITHM])
            jwt.JWTClaimsRegistry(aud={"essential": True, "value": self._audience}).validate(found.claims)
        except (JoseError, ValueError):
            return None
        return found.claims


def claims(somebody: Somebody) -> dict[str, Any]:
    """What is said of a person, in the names of OpenID Connect; `sub` is no id of the university."""
    sub = hashlib.sha256(somebody.id.encode()).hexdigest()[:24]
    return {
        "sub": sub,
        "preferred_username": somebody.id,
        "name": somebody.name,
        "roles": list(somebody.roles),
    }


def signing_key(file: Path | None = None) -> RSAKey:
    """The key kept in the file, made where it is missing; without a file, one for this run alone."""
    if file is not None and file.exists():
        key = RSAKey.import_key(file.read_bytes())
        key.ensure_kid()
        return key
    key = RSAKey.generate_key(2048, auto_kid=True)
    if file is not None:
        with os.fdopen(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as opened:
            opened.write(key.as_pem(private=True))
    return key
