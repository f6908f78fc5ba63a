"""`signpost consent import`: a dry run first, every wrong row by its line, and it can be run again after anything."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path

import pytest
import uvicorn
from click.testing import CliRunner, Result
from fastapi.testclient import TestClient
from sqlalchemy import Engine, func, select

from deploy.local.machine.ports import free_port
from services.cli import main
from services.cli.consent import chunks
from services.consent.adapters.ledger import consent_events
from services.kernel import database
from tests.support.consent import TOKEN
from tests.support.waiting import eventually

HEADER = "person,purpose,source,state,from,until,notice,language"
FROM = "2026-09-21T09:00:00+01:00"


@pytest.fixture
def url(consent_client: TestClient, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A consent service that listens, on a database of either kind."""
    port = free_port()
    config = uvicorn.Config(consent_client.app, host="127.0.0.1", port=port, lifespan="off", log_config=None)
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run)
    thread.start()
    eventually(lambda: server.started, what="a server that listens")
    monkeypatch.setenv("SIGNPOST_CONSENT__REGISTRAR_TOKEN", TOKEN)
    yield f"http://127.0.0.1:{port}"
    server.should_exit = True
    thread.join()


def file(folder: Path, *lines: str, header: str = HEADER) -> Path:
    path = folder / "registration.csv"
    path.write_text("\n".join([header, *lines]) + "\n", "utf-8")
    return path


def line(person: str, source: str = "vle", state: str = "given", purpose: str = "student-view") -> str:
    return f"{person},{purpose},{source},{state},{FROM},,2026-1,en"


def run(path: Path, *options: str) -> Result:
    return CliRunner().invoke(main, ["consent", "import", str(path), *options])


def recorded(engine: Engine) -> int:
    with database.reading(engine) as transaction:
        return transaction.execute(select(func.count()).select_from(consent_events)).scalar_one()


@pytest.mark.requirement("R3")
def test_a_file_is_checked_first_recorded_on_demand_and_can_be_sent_again(
    url: str, consent_engine: Engine, tmp_path: Path
) -> None:
    path = file(tmp_path, line("s1"), line("s2", state="refused"), line("s1", "library"), line("s1"))
    dry = run(path, "--url", url)

    assert dry.exit_code == 0, dry.output
    assert "What would be recorded" in dry.output
    assert "Nothing was recorded: this was a dry run. Add --commit to record it." in dry.output
    assert recorded(consent_engine) == 0

    done = run(path, "--url", url, "--commit")
    assert done.exit_code == 0, done.output
    assert "Done." in done.output
    assert recorded(consent_engine) == 3

    again = run(path, "--url", url, "--commit", "--json")
    assert json.loads(again.stdout) == {
        "dry_run": False,
        "recorded": 0,
        "unchanged": 4,
        "overtaken": 0,
        "students": 0,
        "states": {},
        "errors": [],
        "not_shown": 0,
    }
    assert recorded(consent_engine) == 3


def test_a_students_rows_go_together_so_that_all_is_counted_exactly(
    url: str, consent_engine: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However many requests it takes, and wherever in the file the rows stand."""
    monkeypatch.setattr(chunks.chunks, "__defaults__", (7,))
    sources = ("vle", "library", "attendance")
    path = file(tmp_path, *(line(f"s{number}", source) for source in sources for number in range(20)))
    totals = json.loads(run(path, "--url", url, "--json").stdout)
    assert len(chunks.chunks(path.read_bytes())) == 10

    assert (totals["dry_run"], totals["recorded"], totals["students"]) == (True, 60, 20)
    assert json.loads(run(path, "--url", url, "--commit", "--json").stdout) == totals | {"dry_run": False}
    assert recorded(consent_engine) == 60


def test_of_a_file_with_wrong_rows_nothing_is_recorded_and_each_is_found_by_its_line(
    url: str, consent_engine: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(chunks.chunks, "__defaults__", (2,))
    path = file(
        tmp_path, line("s1"), line("s2", "fees"), "", line("s3", state="maybe"), line("s1"), line("s1", state="refused")
    )
    done = run(path, "--url", url, "--commit")

    assert done.exit_code == 1
    assert "3 rows cannot be used, and nothing was recorded" in " ".join(done.output.split())
    errors = json.loads(run(path, "--url", url, "--json").stdout)["errors"]
    assert [(error["line"], error["field"]) for error in errors] == [(3, "source"), (5, "state"), (7, "state")]
    assert "(line 2)" in errors[2]["problem"]
    assert recorded(consent_engine) == 0


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"person;state\n", "'purpose' is missing"),
        (b"\xff\xfep\x00", "UTF-16"),
        (HEADER.encode() + b"\ns\xe9\n", "Line 2 is not UTF-8"),
    ],
)
def test_a_file_that_is_none_is_one_message(tmp_path: Path, content: bytes, words: str) -> None:
    path = tmp_path / "registration.csv"
    path.write_bytes(content)
    done = run(path)

    assert done.exit_code == 1
    assert words in done.output
    assert "Traceback" not in done.output


def test_a_wrong_token_is_explained(
    url: str, consent_engine: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SIGNPOST_CONSENT__REGISTRAR_TOKEN", "another")
    done = run(file(tmp_path, line("s1")), "--url", url, "--commit")

    assert done.exit_code == 1
    assert "SIGNPOST_CONSENT__REGISTRAR_TOKEN" in done.output
    assert recorded(consent_engine) == 0


def test_a_service_that_stays_away_is_given_up_and_the_command_can_be_run_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SIGNPOST_CONSENT__REGISTRAR_TOKEN", TOKEN)
    done = run(file(tmp_path, line("s1")), "--url", f"http://127.0.0.1:{free_port()}", "--patience", "0")

    assert done.exit_code == 2
    assert "Run the same command again" in done.output


class _Cutting(threading.Thread):
    """Stands between, and lets go of the first connections after the service has done its work, before it answers."""

    def __init__(self, behind: int, cuts: int) -> None:
        super().__init__()
        self._behind, self.cuts = behind, cuts
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listening.getsockname()[1]

    def run(self) -> None:
        with suppress(OSError):
            while True:
                ours, _ = self._listening.accept()
                with closing(ours), socket.create_connection(("127.0.0.1", self._behind)) as theirs:
                    self._serve(ours, theirs)

    def _serve(self, ours: socket.socket, theirs: socket.socket) -> None:
        request = b""
        while b"\r\n\r\n" not in request or len(request.partition(b"\r\n\r\n")[2]) < _length(request):
            request += ours.recv(65536)
        theirs.sendall(request)
        answer = b""
        while b"\r\n\r\n" not in answer or len(answer.partition(b"\r\n\r\n")[2]) < _length(answer):
            answer += theirs.recv(65536)
        if self.cuts:
            self.cuts -= 1
        else:
            ours.sendall(answer.replace(b"\r\n\r\n", b"\r\nconnection: close\r\n\r\n", 1))

    def stop(self) -> None:
        self._listening.shutdown(socket.SHUT_RDWR)
        self._listening.close()
        self.join()


def _length(message: bytes) -> int:
    headers = message.partition(b"\r\n\r\n")[0].lower().split(b"\r\n")
    return int(next(line for line in headers if line.startswith(b"content-length:")).partition(b":")[2])


@contextmanager
def cutting(url: str, cuts: int) -> Iterator[_Cutting]:
    between = _Cutting(int(url.rpartition(":")[2]), cuts)
    between.start()
    try:
        yield between
    finally:
        between.stop()


@pytest.mark.requirement("R3")
def test_a_connection_that_breaks_after_the_work_was_done_records_nothing_twice(
    url: str, consent_engine: Engine, tmp_path: Path
) -> None:
    path = file(tmp_path, *(line(f"s{number}") for number in range(50)))
    with cutting(url, cuts=3) as between:
        done = run(path, "--url", f"http://127.0.0.1:{between.port}", "--commit")

    assert done.exit_code == 0, done.output
    assert between.cuts == 0
    assert recorded(consent_engine) == 50
