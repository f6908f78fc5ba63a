"""What a local run decides before it starts anything: ports, secrets, and who is told which of them."""

from __future__ import annotations

import datetime as dt
import json
import socket
import stat
from pathlib import Path
from zoneinfo import ZoneInfo

import msgspec
import pytest

from deploy.demo.events import Span
from deploy.local import environment, own_register
from deploy.local.ground import cluster_of, moved_where_taken, wanted_ports
from deploy.local.identity.people import load_clients
from deploy.local.machine.ports import free_port, is_free
from deploy.local.state import SERVICES, Ports, RunFile, Secrets, StateFolder
from services.consent.pages.register.published import Published
from services.kernel.errors import ConfigurationError, TransientError
from services.kernel.register import load_register
from services.kernel.settings import load_settings

_IDENTITY = "http://127.0.0.1:8106"


def _run(ports: Ports) -> RunFile:
    urls = environment.addresses(ports)
    return RunFile(
        bootstrap="127.0.0.1:9", cluster="c", clock="replay", services=urls, mail="", ports=ports, identity=_IDENTITY
    )


def _environments(folder: StateFolder) -> dict[str, dict[str, str]]:
    programs = environment.services(folder, _run(Ports()), folder.secrets())
    return {program.name: dict(program.environment) for program in programs}


@pytest.fixture
def folder(tmp_path: Path) -> StateFolder:
    """A fresh state folder."""
    made = StateFolder(tmp_path / "state")
    made.make()
    return made


def test_ports_are_nine_in_a_row_from_a_base_else_those_of_the_last_run() -> None:
    before = Ports(consent=7000)
    assert wanted_ports(None, None) == Ports()
    assert wanted_ports(None, before) == before
    based = wanted_ports(9000, before)
    assert (based.consent, based.notify, based.mail, based.controller) == (9000, 9003, 9004, 9007)
    assert based.identity == 9008


def test_a_taken_port_is_moved_with_a_word_and_no_other_with_it() -> None:
    said = list[str]()
    base = next(port for port in iter(free_port, 0) if all(map(is_free, range(port, port + 9))))
    wanted = wanted_ports(base, None)
    with socket.create_server(("127.0.0.1", wanted.ingest)):
        moved = moved_where_taken(wanted, said.append)
    assert moved.consent == wanted.consent
    assert moved.indicators == wanted.indicators
    assert moved.ingest not in (wanted.ingest, *range(base, base + 9))
    assert said == [f"Port {wanted.ingest} is taken: ingest listens on {moved.ingest}"]


def test_secrets_are_made_once_and_only_their_owner_can_read_them(folder: StateFolder) -> None:
    made = folder.secrets()
    assert folder.secrets() == made
    assert len({getattr(made, name) for name in Secrets.__struct_fields__}) == 6
    assert stat.S_IMODE((folder.path / "secrets.json").stat().st_mode) == 0o600
    assert stat.S_IMODE(folder.path.stat().st_mode) == 0o700


def test_a_folder_of_an_older_version_is_continued_with(folder: StateFolder) -> None:
    """It has no sign-in's port and fewer secrets: those that it has stay, the others are made."""
    older = {"pseudonym_secret": "p", "session_secret": "s", "registrar_token": "r", "directory_token": "d"}
    (folder.path / "secrets.json").write_text(json.dumps(older))
    made = folder.secrets()
    assert {name: getattr(made, name) for name in older} == older
    assert len({*older.values(), made.sign_in_secret, made.program_secret}) == 6
    run = json.loads(msgspec.json.encode(_run(Ports(consent=7000))))
    del run["identity"], run["ports"]["identity"]
    (folder.path / "run.json").write_text(json.dumps(run))
    before = folder.run()
    assert before
    assert (before.ports.consent, before.ports.identity) == (7000, Ports().identity)


def test_the_sign_in_leads_back_to_the_services_only_and_its_secrets_stay_private(folder: StateFolder) -> None:
    site, program = environment.clients(_run(Ports()), folder.secrets())
    folder.save_clients([site, program])
    assert stat.S_IMODE(folder.clients.stat().st_mode) == 0o600
    assert load_clients(folder.clients) == [site, program]
    urls = environment.addresses(Ports())
    assert site.redirect_uris == tuple(f"{urls[name]}/sign-in/callback" for name in ("consent", "notify"))
    assert (site.program, program.redirect_uris) == (None, ())
    command = environment.identity(folder, _run(Ports())).command
    assert not {site.secret, program.secret} & set(command)


def test_a_broken_file_of_the_state_is_named(folder: StateFolder) -> None:
    (folder.path / "secrets.json").write_text("{")
    with pytest.raises(ConfigurationError, match=r"secrets\.json cannot be read(.|\n)*make clean"):
        folder.secrets()


def test_each_service_is_given_only_the_secrets_that_it_needs(folder: StateFolder) -> None:
    secrets = folder.secrets()
    given = {
        name: {secret for secret in Secrets.__struct_fields__ if getattr(secrets, secret) in variables.values()}
        for name, variables in _environments(folder).items()
    }
    assert given == {
        "consent": {"pseudonym_secret", "session_secret", "sign_in_secret", "registrar_token"},
        "ingest": {"pseudonym_secret"},
        "indicators": set(),
        "notify": {"pseudonym_secret", "session_secret", "sign_in_secret", "directory_token"},
    }


@pytest.mark.requirement("R1")
def test_the_worker_does_not_get_the_secret_of_the_pseudonyms_even_from_the_caller(
    folder: StateFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SIGNPOST_INSTITUTION__PSEUDONYM_SECRET", "the caller's own")
    monkeypatch.setenv("SIGNPOST_INDICATORS__FLUSH_S", "0.5")
    worker = _environments(folder)["indicators"]
    assert "the caller's own" not in worker.values()
    assert worker["SIGNPOST_INDICATORS__FLUSH_S"] == "0.5"


@pytest.mark.parametrize("name", SERVICES)
def test_the_services_understand_what_they_are_told(
    name: str, folder: StateFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    for variable, value in _environments(folder)[name].items():
        monkeypatch.setenv(variable, value)
    settings = load_settings()
    assert settings.clock == "replay"
    assert settings.kafka.bootstrap == "127.0.0.1:9"
    assert str(folder.path) in settings.consent.database_url or name != "consent"


@pytest.mark.parametrize(
    "bootstrap", [f"127.0.0.1:{free_port()}", "a-name-without-a-port", ""], ids=["closed", "no-port", "empty"]
)
def test_no_broker_at_the_given_address_is_said_with_what_to_do(bootstrap: str) -> None:
    with pytest.raises(TransientError, match="leave out --bootstrap"):
        cluster_of(bootstrap)


def test_the_run_s_own_register_declares_the_vacation_of_the_term(tmp_path: Path) -> None:
    """As a version of its own, with the shipped one kept as the one before; again, it changes nothing."""
    span = Span(dt.date(2026, 9, 28), 70, ZoneInfo("Europe/London"))
    file = own_register.write(tmp_path / "register", span)
    assert file
    published, shipped = Published.read(file), load_register()
    assert published.register.replaces == shipped.version != published.register.version
    assert [(v.first_day, v.last_day) for v in published.register.vacations] == [
        (dt.date(2026, 11, 2), dt.date(2026, 11, 8))
    ]
    assert {change.name for change in published.changes} == {"demonstration"}
    written = file.stat().st_mtime_ns
    assert own_register.write(tmp_path / "register", span) == file
    assert file.stat().st_mtime_ns == written


def test_a_short_term_needs_no_register_of_its_own(tmp_path: Path) -> None:
    """It has no vacation."""
    assert own_register.write(tmp_path / "register", Span(dt.date(2026, 9, 28), 14, ZoneInfo("Europe/London"))) is None
