"""What the university's provider says of somebody, as a person and roles of Signpost."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from services.kernel.errors import ConfigurationError
from services.kernel.settings import SignInSettings
from services.kernel.web.session import SignedIn


class ClaimMissing(Exception):  # noqa: N818 - whoever asked tells the person or program
    """A claim without which nobody can be told apart is missing; the text names it."""


class Claims:
    """Turns claims into people, as the settings say."""

    def __init__(self, settings: SignInSettings, known: Iterable[str]) -> None:
        """A reader of claims; `known` are the roles of the policy register.

        Raises:
            ConfigurationError: the settings name a role that the register does not declare.
        """
        self._settings, self._known = settings, tuple(known)
        if unknown := sorted(set(settings.roles.values()) - set(self._known)):
            raise ConfigurationError(
                f"SIGNPOST_SIGN_IN__ROLES: {', '.join(unknown)} is no role of the policy register; "
                f"it declares {', '.join(self._known)}"
            )

    def person(self, claims: Mapping[str, Any]) -> SignedIn:
        """The person that the claims speak of; without any role that is known here, `roles` is empty.

        Raises:
            ClaimMissing: there is nothing to tell who it is.
        """
        person_id = _named(claims, self._settings.person_claim)
        if not isinstance(person_id, str) or not person_id:
            raise ClaimMissing(f"The claim {self._settings.person_claim!r} that names the person is missing.")
        name = _named(claims, self._settings.name_claim)
        return SignedIn(person_id, name if isinstance(name, str) and name else person_id, self._roles(claims))

    def complete(self, claims: Mapping[str, Any]) -> bool:
        """Whether the claims hold all that is asked for; what is missing may stand at the userinfo endpoint."""
        wanted = (self._settings.person_claim, self._settings.name_claim, self._settings.roles_claim)
        return all(_named(claims, name) is not None for name in wanted)

    def _roles(self, claims: Mapping[str, Any]) -> tuple[str, ...]:
        """In the order of the register. Where no mapping is set, a value that is a role's name is that role."""
        said = _named(claims, self._settings.roles_claim)
        values = [said, *said.split()] if isinstance(said, str) else said if isinstance(said, list) else []
        mapping = self._settings.roles or {role: role for role in self._known}
        given = {mapping[value] for value in values if isinstance(value, str) and value in mapping}
        return tuple(role for role in self._known if role in given)


def _named(claims: Mapping[str, Any], name: str) -> Any:
    """A claim by its name, or by a path with dots such as `realm_access.roles`; None where there is none."""
    if name in claims:
        return claims[name]
    outer, dot, inner = name.partition(".")
    inside = claims.get(outer)
    return _named(inside, inner) if dot and isinstance(inside, Mapping) else None
