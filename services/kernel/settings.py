"""Every setting of every service, read once from the environment and a file.

One prefix, `SIGNPOST_`; nested names join with two underscores, so `SIGNPOST_KAFKA__BOOTSTRAP` is
`settings.kafka.bootstrap`. A TOML file named by `SIGNPOST_CONFIG` holds the same names in lower case; the
environment wins over it.
"""

from __future__ import annotations

import datetime as dt
import os
import tomllib
from pathlib import Path
from typing import Annotated, Literal, Self
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationError, field_validator, model_validator
from pydantic_settings import (
    BaseSettings,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    SettingsError,
    TomlConfigSettingsSource,
)

from services.kernel.errors import ConfigurationError
from services.kernel.topics import Topic

CONFIG_VARIABLE = "SIGNPOST_CONFIG"
_THIS_MACHINE = ("127.0.0.1", "::1", "localhost")
Port = Annotated[int, Field(ge=0, le=65535)]


class Section(BaseModel):
    """A group of settings; an unknown name in it is an error, not a silent typo."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class KafkaSettings(Section):
    """How to reach the broker, and how its topics are laid out."""

    bootstrap: str = Field("127.0.0.1:9092", description="host:port, several separated by commas")
    namespace: str = Field("", description="put before every topic, group and transactional id")
    partitions: int = Field(4, ge=1, description="of every topic; changing it means a rebuild")
    replication: int = Field(1, ge=1, description="replication factor of the topics")
    session_timeout_s: float = Field(10.0, gt=0, description="a worker silent for so long loses its shards")

    def topic(self, topic: Topic) -> str:
        """The topic's name on this broker."""
        return f"{self.namespace}{topic.name}"

    def group(self, name: str) -> str:
        """A consumer group's, transactional producer's or Faust app's id on this broker."""
        return f"{self.namespace}signpost-{name}"


class InstitutionSettings(Section):
    """Facts of the university."""

    name: str = "University of Signpost"
    time_zone: str = Field("Europe/London", description="an IANA zone; local dates are counted in it")
    data_protection_contact: str = Field("", description="address or page of the data protection officer, made public")
    pseudonym_secret: SecretStr | None = Field(
        None, description="key of the pseudonyms; the indicators workers must not have it"
    )

    @field_validator("time_zone")
    @classmethod
    def _known_zone(cls, name: str) -> str:
        try:
            ZoneInfo(name)
        except (ZoneInfoNotFoundError, ValueError) as error:
            raise ValueError(f"{name!r} is no IANA time zone; write one such as 'Europe/London'") from error
        return name

    @property
    def zone(self) -> ZoneInfo:
        """The institution's time zone."""
        return ZoneInfo(self.time_zone)


class SessionSettings(Section):
    """A person's session, from sign-in to sign-out."""

    secret: SecretStr | None = Field(None, description="key that signs session cookies")
    idle_minutes: int = Field(30, gt=0, description="a session ends after so long without use")
    longest_hours: int = Field(8, gt=0, description="and after so long in any case")
    secure_cookies: bool = Field(default=True, description="off only for plain HTTP on this machine")


class SignInSettings(Section):
    """The university's OpenID provider, and how its claims become roles here."""

    issuer: str | None = Field(None, description="the provider's issuer, as in its discovery document")
    client_id: str = Field("signpost", description="of this service at the provider")
    client_secret: SecretStr | None = Field(None, description="of this service at the provider")
    scope: str = Field("openid profile", description="what is asked of the provider; more where it gives roles for it")
    audience: str = Field("signpost-api", description="that bearer tokens must be for; not the client's own id")
    person_claim: str = Field("preferred_username", description="holds the institution's id of the person")
    name_claim: str = Field("name", description="holds the name to show")
    roles_claim: str = Field("roles", description="holds the roles, as a list or separated by spaces")
    roles: dict[str, str] = Field(
        {}, description="a role of the register for a value of the roles claim; where empty, a role's own name counts"
    )

    @field_validator("issuer")
    @classmethod
    def _private_on_its_way(cls, issuer: str | None) -> str | None:
        url = urlsplit(issuer or "https://none")
        if url.scheme == "https" or (url.scheme == "http" and url.hostname in _THIS_MACHINE):
            return issuer
        raise ValueError(f"{issuer!r} is no https address; http is for a provider on this machine only")

    @model_validator(mode="after")
    def _id_tokens_are_no_bearer_tokens(self) -> Self:
        if self.audience == self.client_id:
            raise ValueError("audience and client_id must differ: what a browser signs in with is no key to the API")
        if "openid" not in self.scope.split():
            raise ValueError("scope must hold the word 'openid'")
        return self


class ServiceSettings(Section):
    """Where a service listens and how others link to it."""

    host: str = "127.0.0.1"
    port: Port

    @property
    def url(self) -> str:
        """Base address, without a slash at the end."""
        return f"http://{self.host}:{self.port}"


class ConsentSettings(ServiceSettings):
    """The consent service."""

    port: Port = 8101
    database_url: str = "sqlite:///.signpost/consent.db"
    registrar_token: SecretStr | None = Field(None, description="bearer token of the bulk registration API")
    public_url: str = Field("http://127.0.0.1:8101", description="address of the portal, as students reach it")
    signing_key_file: Path = Field(
        Path(".signpost/consent-key.json"), description="private JWK that signs receipts and anchors"
    )
    notices_folder: Path | None = Field(
        None, description="the university's own notices, VERSION.LANGUAGE.toml; default: those shipped"
    )
    renewal_days: int = Field(42, ge=1, description="before a grant ends, reminders begin; they are spread over these")
    last_reminder_days: int = Field(7, ge=0, description="before the end, a second reminder")
    reminders_per_minute: int = Field(120, ge=1, description="at most so many students are reminded in a minute")
    change_request_days: int = Field(5, ge=1, description="in which a request to change consent is answered")
    complaint_answer_days: int = Field(60, ge=1, description="in which a complaint is answered")
    holidays: tuple[dt.date, ...] = Field(
        (), description="public holidays, as ISO dates: a deadline moves past them, as past a weekend"
    )

    @model_validator(mode="after")
    def _first_reminders_have_days_to_spread_over(self) -> Self:
        if self.renewal_days < self.last_reminder_days + 2:
            raise ValueError("renewal_days must be at least two more than last_reminder_days")
        return self


class IngestSettings(ServiceSettings):
    """The door."""

    port: Port = 8102
    sources_file: Path = Field(Path(".signpost/sources.json"), description="source systems, keys as hashes")
    max_body_bytes: int = Field(4_000_000, gt=0)
    max_batch: int = Field(1000, gt=0, description="events in one request")
    max_in_flight_bytes: int = Field(64_000_000, gt=0, description="of all requests at once; beyond it 503")
    consent_staleness_s: float = Field(5.0, gt=0, description="beyond it the door closes with 503")


class IndicatorsSettings(ServiceSettings):
    """The indicators worker; it listens for operations only."""

    port: Port = 8103
    lateness_hours: int = Field(48, ge=0, description="older events are counted and dropped")
    flush_s: float = Field(0.25, gt=0, description="longest wait from a change to its transaction")
    flush_events: int = Field(250_000, gt=0, description="a transaction holds at most about so many events")


class NotifySettings(ServiceSettings):
    """Cases, pages for tutors, delivery."""

    port: Port = 8104
    database_url: str = "sqlite:///.signpost/notify.db"
    directory_token: SecretStr | None = Field(None, description="bearer token of the directory import API")
    public_url: str = Field("http://127.0.0.1:8104", description="address of the links in messages")
    smtp_host: str = "127.0.0.1"
    smtp_port: Port = 8025
    mail_from: str = "signpost@university.example"


class Settings(BaseSettings):
    """All settings; build with `load_settings`."""

    model_config = SettingsConfigDict(env_prefix="SIGNPOST_", env_nested_delimiter="__", extra="forbid", frozen=True)

    clock: Literal["live", "replay"] = Field(
        "live", description="live: the door writes a tick each hour; replay: whoever replays writes them"
    )
    register_file: Path | None = Field(None, description="the policy register; default: the one shipped")
    kafka: KafkaSettings = KafkaSettings()
    institution: InstitutionSettings = InstitutionSettings()
    session: SessionSettings = SessionSettings()
    sign_in: SignInSettings = SignInSettings()
    consent: ConsentSettings = ConsentSettings()
    ingest: IngestSettings = IngestSettings()
    indicators: IndicatorsSettings = IndicatorsSettings()
    notify: NotifySettings = NotifySettings()

    @classmethod
    def settings_customise_sources(  # noqa: D102 - pydantic's own hook
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003 - one file form is enough
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003 - the same
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        file = os.environ.get(CONFIG_VARIABLE)
        sources = (init_settings, env_settings)
        return (*sources, TomlConfigSettingsSource(settings_cls, Path(file))) if file else sources


def load_settings() -> Settings:
    """Read the environment and the file.

    Raises:
        ConfigurationError: a value is missing, unknown or wrong; the message names each and says how to set it.
    """
    file = os.environ.get(CONFIG_VARIABLE)
    if file and not Path(file).is_file():
        raise ConfigurationError(f"{CONFIG_VARIABLE} names {file}, which is no file")
    if unknown := _unknown_sections():
        raise ConfigurationError(f"Settings that there are not: {', '.join(unknown)}; correct the spelling")
    try:
        return Settings()
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"{CONFIG_VARIABLE} names {file}, which is not TOML: {error}") from error
    except SettingsError as error:
        raise ConfigurationError(f"{error}: set its parts, such as SIGNPOST_KAFKA__BOOTSTRAP") from error
    except ValidationError as error:
        lines = [_explain(found["loc"], found["msg"]) for found in error.errors()]
        raise ConfigurationError("Settings that cannot be used:\n" + "\n".join(lines)) from error


def required(secret: SecretStr | None, name: str) -> str:
    """The secret's text.

    Raises:
        ConfigurationError: it is not set.
    """
    if secret is None or not secret.get_secret_value():
        raise ConfigurationError(f"{name} is not set: put a long random text into that variable or the file")
    return secret.get_secret_value()


def _unknown_sections() -> list[str]:
    """Misspelt variables, which pydantic passes over. Without `__` it may be another's, such as a service address."""
    nested = [name for name in os.environ if name.startswith("SIGNPOST_") and "__" in name]
    known = Settings.model_fields
    return sorted(n for n in nested if n.removeprefix("SIGNPOST_").split("__")[0].lower() not in known)


def _explain(location: tuple[int | str, ...], problem: str) -> str:
    name = "SIGNPOST_" + "__".join(str(part).upper() for part in location)
    return f"  {name}: {problem}"
