"""The keys that sign receipts and anchors, so that anybody with the public part can check them.

The file holds a JWK set: the first key, private, signs; the others were used before, and what they signed can still be
checked. Signatures are compact JWS by Ed25519, with a `typ` that says what was signed.
"""

from __future__ import annotations

import json
import os
import secrets
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, Literal

from joserfc import jws
from joserfc.errors import JoseError
from joserfc.jwk import Key, KeySet, OKPKey

from services.kernel.errors import ConfigurationError, InvalidMessage

ALGORITHM: Final = "Ed25519"
Kind = Literal["signpost-anchor", "signpost-receipt"]
_READ_BY_ALL = 0o007


class Keys:
    """A signing key, and the public part of it and of those before it."""

    def __init__(self, keys: list[OKPKey]) -> None:
        self._own, *_ = self._all = keys

    @classmethod
    def of_file(cls, file: Path) -> Keys:
        """The keys of the file; where there is none it is made, with a new key that only this user can read.

        Raises:
            ConfigurationError: the file cannot be used, or everybody on this machine can read it.
        """
        try:
            if not file.exists():
                _write_new(file, [OKPKey.generate_key(ALGORITHM, auto_kid=True)])
            if file.stat().st_mode & _READ_BY_ALL:
                raise ConfigurationError(
                    f"Everybody on this machine can read the signing key {file}, and so could sign in our name. Take "
                    "that right away (chmod o-rwx); if somebody may have read it, also put a new key in its place "
                    "with `signpost consent rotate-key`."
                )
            return cls(_private_first(json.loads(file.read_text("utf-8"))))
        except (OSError, ValueError, KeyError, TypeError, JoseError) as error:
            raise ConfigurationError(
                f"The signing key {file} (SIGNPOST_CONSENT__SIGNING_KEY_FILE) cannot be used: {error}. Put back the "
                "file that was there: with a new one nobody could tell who signed what came before."
            ) from error

    def sign(self, kind: Kind, content: Mapping[str, Any]) -> str:
        """The content as a compact JWS."""
        header = {"alg": ALGORITHM, "kid": self._own.kid, "typ": kind}
        data = json.dumps(content, ensure_ascii=False, separators=(",", ":")).encode()
        return jws.serialize_compact(header, data, self._own, algorithms=[ALGORITHM])

    @property
    def public(self) -> dict[str, Any]:
        """The public parts as a JWK set, the one in use first."""
        return {"keys": [key.as_dict(private=False, use="sig", alg=ALGORITHM) for key in self._all]}


class PublicKeys:
    """Checks what `Keys` signed."""

    def __init__(self, jwks: Any) -> None:
        """Take a JWK set, or one key.

        Raises:
            InvalidMessage: it is neither.
        """
        try:
            keys: list[Key] = [_key(public) for public in jwks.get("keys", [jwks])]
        except (AttributeError, TypeError, ValueError, KeyError, JoseError) as error:
            raise InvalidMessage("not-keys", f"It is no JSON Web Key Set with Ed25519 keys: {error}") from error
        if not keys:
            raise InvalidMessage("not-keys", "The JSON Web Key Set holds no key.")
        self._keys = KeySet(keys)

    def content(self, kind: Kind, signed: str) -> dict[str, Any]:
        """What was signed.

        Raises:
            InvalidMessage: it was not signed by one of the keys, was changed since, or is something else.
        """
        try:
            token = jws.deserialize_compact(signed.strip(), self._keys, algorithms=[ALGORITHM])
            content: Any = json.loads(token.payload)
        except (JoseError, ValueError) as error:
            raise InvalidMessage("not-signed", _why(error)) from error
        if token.headers().get("typ") != kind or not isinstance(content, dict):
            raise InvalidMessage("something-else", f"What was signed is no {kind}.")
        return content


def rotate(file: Path) -> Keys:
    """Put a new signing key in front; the public part of those before is kept.

    Raises:
        ConfigurationError: the file cannot be used.
    """
    try:
        before = _private_first(json.loads(file.read_text("utf-8")))
        retired = [OKPKey.import_key(key.as_dict(private=False)) for key in before]
        keys = [OKPKey.generate_key(ALGORITHM, auto_kid=True), *retired]
        fresh = file.with_name(f".{file.name}.{secrets.token_hex(4)}")
        _write(fresh, keys)
        fresh.replace(file)
        return Keys(keys)
    except (OSError, ValueError, KeyError, TypeError, JoseError) as error:
        raise ConfigurationError(f"The signing key {file} cannot be used: {error}") from error


def _private_first(content: Any) -> list[OKPKey]:
    if not isinstance(content, dict):
        raise TypeError("it is no JSON object")
    keys = [_key(key) for key in content.get("keys", [content])]
    if not keys or not keys[0].is_private:
        raise ValueError("its first key has no private part")
    return keys


def _key(content: Any) -> OKPKey:
    key = OKPKey.import_key(content)
    if key.curve_name != ALGORITHM:
        raise ValueError(f"a key is of the curve {key.curve_name}, not {ALGORITHM}")
    key.ensure_kid()
    return key


def _write_new(file: Path, keys: list[OKPKey]) -> None:
    """Of several instances that start at once, one writes."""
    file.parent.mkdir(parents=True, exist_ok=True)
    fresh = file.with_name(f".{file.name}.{secrets.token_hex(4)}")
    _write(fresh, keys)
    try:
        os.link(fresh, file)
    except FileExistsError:
        pass
    finally:
        fresh.unlink()


def _write(file: Path, keys: list[OKPKey]) -> None:
    own, *retired = keys
    content = {"keys": [own.as_dict(private=True), *(key.as_dict(private=False) for key in retired)]}
    with os.fdopen(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as opened:
        json.dump(content, opened, indent=2)


def _why(error: Exception) -> str:
    if "signature" in type(error).__name__.lower():
        return "The signature does not fit: it was changed after it was signed, or another key signed it."
    if "kid" in str(error).lower() or "key" in type(error).__name__.lower():
        return "It was signed by a key that is not among these."
    return f"It is no signed text of ours ({error})."
