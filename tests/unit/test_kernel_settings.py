"""Settings come from the environment and a file; whatever is misspelt or wrong is named, with the way to mend it."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from pydantic import SecretStr, ValidationError

from services.kernel.errors import ConfigurationError
from services.kernel.settings import KafkaSettings, ServiceSettings, Settings, load_settings, required
from services.kernel.topics import CONSENT_STATE

Write = Callable[[str], Path]


@pytest.fixture(autouse=True)
def bare(monkeypatch: pytest.MonkeyPatch) -> None:
    """No setting of the machine that the tests run on."""
    for name in [name for name in os.environ if name.startswith("SIGNPOST_")]:
        monkeypatch.delenv(name)


@pytest.fixture
def write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Write:
    """Writes the settings file and names it in the environment."""

    def written(text: str) -> Path:
        file = tmp_path / "signpost.toml"
        file.write_text(text)
        monkeypatch.setenv("SIGNPOST_CONFIG", str(file))
        return file

    return written


def test_without_any_setting_the_defaults_stand() -> None:
    settings = load_settings()
    assert settings == Settings()
    assert settings.clock == "live"
    assert settings.kafka.bootstrap == "127.0.0.1:9092"
    assert settings.institution.zone.key == "Europe/London"
    ports = [settings.consent.port, settings.ingest.port, settings.indicators.port, settings.notify.port]
    assert ports == [8101, 8102, 8103, 8104]


def test_two_underscores_in_a_variable_reach_into_a_group(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SIGNPOST_CLOCK", "replay")
    monkeypatch.setenv("SIGNPOST_KAFKA__SESSION_TIMEOUT_S", "2.5")
    monkeypatch.setenv("SIGNPOST_INGEST__SOURCES_FILE", "here.json")
    monkeypatch.setenv("SIGNPOST_INSTITUTION__TIME_ZONE", "America/Havana")
    settings = load_settings()
    assert settings.clock == "replay"
    assert settings.institution.zone == ZoneInfo("America/Havana")
    assert settings.kafka.session_timeout_s == 2.5
    assert settings.ingest.sources_file == Path("here.json")


def test_a_file_holds_the_same_names_and_the_environment_wins_over_it(
    write: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    write('clock = "replay"\n[kafka]\npartitions = 3\nnamespace = "a-"\n')
    monkeypatch.setenv("SIGNPOST_KAFKA__PARTITIONS", "7")
    settings = load_settings()
    assert (settings.clock, settings.kafka.partitions, settings.kafka.namespace) == ("replay", 7, "a-")


@pytest.mark.parametrize(
    ("variable", "value", "said"),
    [
        ("SIGNPOST_KAFKA__PARTITIONS", "many", "SIGNPOST_KAFKA__PARTITIONS: .*valid integer"),
        ("SIGNPOST_KAFKA__PARTITIONS", "0", "SIGNPOST_KAFKA__PARTITIONS: .*greater than or equal to 1"),
        ("SIGNPOST_KAFKA__BOOTSTRP", "a:1", "SIGNPOST_KAFKA__BOOTSTRP: Extra"),
        ("SIGNPOST_KAFAK__BOOTSTRAP", "a:1", "SIGNPOST_KAFAK__BOOTSTRAP; correct the spelling"),
        ("SIGNPOST_KAFKA", "a:1", '"kafka".* set its parts, such as SIGNPOST_KAFKA__BOOTSTRAP'),
        ("SIGNPOST_CLOCK", "fast", "SIGNPOST_CLOCK: .*'live' or 'replay'"),
        ("SIGNPOST_CONSENT__PORT", "65536", "SIGNPOST_CONSENT__PORT: .*65535"),
        ("SIGNPOST_INSTITUTION__TIME_ZONE", "Mars/Base", "SIGNPOST_INSTITUTION__TIME_ZONE: .*such as 'Europe/London'"),
        ("SIGNPOST_INSTITUTION__TIME_ZONE", "../zone", "SIGNPOST_INSTITUTION__TIME_ZONE: .*no IANA time zone"),
    ],
)
def test_a_wrong_variable_is_named(variable: str, value: str, said: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(variable, value)
    with pytest.raises(ConfigurationError, match=f"(?s){said}"):
        load_settings()


def test_all_that_is_wrong_is_said_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SIGNPOST_KAFKA__PARTITIONS", "many")
    monkeypatch.setenv("SIGNPOST_CLOCK", "fast")
    with pytest.raises(ConfigurationError) as raised:
        load_settings()
    assert "SIGNPOST_KAFKA__PARTITIONS" in str(raised.value)
    assert "SIGNPOST_CLOCK" in str(raised.value)


def test_a_variable_of_the_platforms_own_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SIGNPOST_SERVICE_HOST", "10.0.0.1")  # as Kubernetes sets for a service called signpost
    assert load_settings() == Settings()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[kafka]\npartitons = 3", "SIGNPOST_KAFKA__PARTITONS: Extra"),
        ("[kafak]\npartitions = 3", "SIGNPOST_KAFAK: Extra"),
        ("[kafka\npartitions = 3", r"SIGNPOST_CONFIG names .*signpost\.toml, which is not TOML: .*line 1"),
    ],
)
def test_a_wrong_file_is_refused(text: str, said: str, write: Write) -> None:
    write(text)
    with pytest.raises(ConfigurationError, match=said):
        load_settings()


def test_a_file_that_is_no_text_is_refused(write: Write) -> None:
    write("").write_bytes(b'clock = "\xff"')
    with pytest.raises(ConfigurationError, match="which is not TOML"):
        load_settings()


def test_a_file_that_is_not_there_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SIGNPOST_CONFIG", str(tmp_path / "none.toml"))
    with pytest.raises(ConfigurationError, match=r"SIGNPOST_CONFIG names .*none\.toml, which is no file"):
        load_settings()


def test_a_secret_is_asked_for_by_name_and_never_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SIGNPOST_INSTITUTION__PSEUDONYM_SECRET", "a long random text")
    secret = load_settings().institution.pseudonym_secret
    assert required(secret, "SIGNPOST_INSTITUTION__PSEUDONYM_SECRET") == "a long random text"
    assert "random" not in repr(load_settings())


@pytest.mark.parametrize("secret", [None, SecretStr("")])
def test_a_missing_secret_says_which_variable_to_set(secret: SecretStr | None) -> None:
    with pytest.raises(ConfigurationError, match=r"^SIGNPOST_SESSION__SECRET is not set: put a long random text"):
        required(secret, "SIGNPOST_SESSION__SECRET")


def test_the_namespace_stands_before_topics_and_groups() -> None:
    kafka = KafkaSettings(namespace="test-")
    assert kafka.topic(CONSENT_STATE) == "test-consent-state"
    assert kafka.group("notify") == "test-signpost-notify"
    assert KafkaSettings().topic(CONSENT_STATE) == "consent-state"


def test_a_services_address_has_no_slash_at_its_end() -> None:
    assert ServiceSettings(host="consent", port=80).url == "http://consent:80"


def test_settings_do_not_change() -> None:
    with pytest.raises(ValidationError):
        Settings().clock = "replay"  # type: ignore[misc]  # that is the point
