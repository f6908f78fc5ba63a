"""What the commands of the ledger stand on: its database, and the keys that sign."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from services.kernel.errors import ConfigurationError, InvalidMessage

if TYPE_CHECKING:
    from sqlalchemy import Engine

    from services.consent.signing import Keys, PublicKeys
    from services.kernel.settings import Settings


@contextmanager
def opened(settings: Settings) -> Iterator[Engine]:
    """The consent service's database, as it stands.

    Raises:
        ConfigurationError: there is none, or it is of another release.
    """
    from sqlalchemy.engine import make_url

    from services.consent.adapters.ledger import MIGRATIONS
    from services.kernel import database

    url = make_url(settings.consent.database_url)
    where = url.render_as_string(hide_password=True)
    mend = (
        "SIGNPOST_CONSENT__DATABASE_URL says where it is; `signpost serve consent` makes it, or brings it up to date."
    )
    if url.get_backend_name() == "sqlite" and not Path(url.database or "").is_file():
        raise ConfigurationError(f"There is no ledger at {where}. {mend}")
    engine = database.engine(settings.consent.database_url)
    try:
        if problem := database.behind(engine, MIGRATIONS):
            raise ConfigurationError(f"The ledger at {where} cannot be used: {problem}. {mend}")
        yield engine
    finally:
        engine.dispose()


def own_keys(settings: Settings) -> Keys:
    """The service's signing key, which must be there.

    Raises:
        ConfigurationError: it is not, or it cannot be used.
    """
    from services.consent.signing import Keys

    file = settings.consent.signing_key_file
    if not file.is_file():
        raise ConfigurationError(
            f"There is no signing key at {file}: SIGNPOST_CONSENT__SIGNING_KEY_FILE says where it is; the service "
            "makes it when it first starts."
        )
    return Keys.of_file(file)


def public_keys(place: str | None, settings: Settings) -> PublicKeys:
    """The public keys from a file or an address; by default from the service's own key file.

    Raises:
        ConfigurationError: they are not there, or are none.
    """
    from services.consent.signing import PublicKeys

    if place is None:
        return PublicKeys(own_keys(settings).public)
    try:
        return PublicKeys(_fetched(place) if place.startswith(("https://", "http://")) else _read(place))
    except InvalidMessage as error:
        raise ConfigurationError(f"{place} cannot be used. {error}") from error


def _read(place: str) -> Any:
    from json import loads

    try:
        return loads(Path(place).read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise ConfigurationError(f"{place} is no file with public keys (JSON): {error}") from error


def _fetched(address: str) -> Any:
    import httpx2

    try:
        answer = httpx2.get(address, timeout=10, follow_redirects=True)
        return answer.raise_for_status().json()
    except (httpx2.HTTPError, ValueError) as error:
        raise ConfigurationError(
            f"The public keys at {address} cannot be had: {error}. The consent service publishes them at "
            "/.well-known/jwks.json; a file of them will do as well."
        ) from error
