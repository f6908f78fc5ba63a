"""`signpost status`: asks the services, adds up, and exits with 0 only when each is ready."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from prometheus_client import generate_latest

from deploy.local.environment import addresses
from deploy.local.machine.ports import free_port
from deploy.local.state import Ports, RunFile, StateFolder
from services.cli import main
from services.kernel.metrics import ConsentMetrics, IndicatorMetrics, IngestMetrics, NotifyMetrics

Serve = Callable[[str, bytes, dict[str, str]], str]


@pytest.fixture
def serve() -> Iterator[Serve]:
    """Starts a stand-in for a service: its metrics, and what its checks say."""
    servers = []

    def start(_name: str, metrics: bytes, checks: dict[str, str]) -> str:
        server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(metrics, checks))
        threading.Thread(target=server.serve_forever, daemon=True).start()
        servers.append(server)
        return f"http://127.0.0.1:{server.server_address[1]}"

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()


def _handler(metrics: bytes, checks: dict[str, str]) -> type[BaseHTTPRequestHandler]:
    ready = all(said == "ok" for said in checks.values())

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            is_metrics = self.path == "/metrics"
            self.send_response(200 if is_metrics or ready else 503)
            self.end_headers()
            self.wfile.write(metrics if is_metrics else json.dumps({"ready": ready, "checks": checks}).encode())

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    return Handler


def _metrics() -> dict[str, bytes]:
    consent, ingest, indicators, notify = ConsentMetrics(), IngestMetrics(), IndicatorMetrics(), NotifyMetrics()
    ingest.accepted.labels("vle").inc(1200)
    ingest.accepted.labels("library").inc(34)
    ingest.discarded.labels("no-grant").inc(56)
    for partition, students in enumerate((3, 4, 0, 5)):
        indicators.students.labels(str(partition)).set(students)
        indicators.tick.labels(str(partition)).set(1_768_900_000 + partition)
        indicators.lag.labels("activity-events", str(partition)).set(partition)
        indicators.stale.labels("vle", str(partition)).set(1)
        indicators.stale.labels("attendance", str(partition)).set(0)
    indicators.held.labels("feed-stale").inc(2)
    notify.open_cases.set(7)
    notify.mails_sent.set(9)
    each = {"consent": consent, "ingest": ingest, "indicators": indicators, "notify": notify}
    return {name: generate_latest(metrics.registry) for name, metrics in each.items()}


def _status(state: Path, urls: dict[str, str], *options: str) -> Result:
    folder = StateFolder(state)
    folder.make()
    folder.save_run(
        RunFile(bootstrap="127.0.0.1:1", cluster="c", clock="replay", services=urls, mail="", ports=Ports())
    )
    return CliRunner().invoke(main, ["status", "--state", str(state), *options])


def test_the_json_has_services_and_counts(tmp_path: Path, serve: Serve) -> None:
    urls = {name: serve(name, metrics, {"all": "ok"}) for name, metrics in _metrics().items()}
    done = _status(tmp_path, urls, "--json")
    assert done.exit_code == 0
    assert json.loads(done.output) == {
        "services": {name: {"url": url, "ready": True} for name, url in urls.items()},
        "counts": {
            "clock": "2026-01-20T09:06:40+00:00",
            "records_behind": 6,
            "silent_feeds": ["vle"],
            "events_accepted": 1234,
            "events_discarded": {"no-grant": 56},
            "students_with_indicators": 12,
            "episodes_held": {"feed-stale": 2},
            "open_cases": 7,
            "mails_sent": 9,
        },
    }


def test_the_table_names_what_is_not_well(tmp_path: Path, serve: Serve) -> None:
    checks = {"consent": {"relay": "its thread does not run"}}
    urls = {name: serve(name, metrics, checks.get(name, {"all": "ok"})) for name, metrics in _metrics().items()}
    done = _status(tmp_path, urls)
    assert done.exit_code == 1
    assert "relay: its thread does not run" in " ".join(done.output.split())
    assert "1,234" in done.output
    assert "Episodes held since the workers started: feed-stale 2" in " ".join(done.output.split())


def test_a_service_that_does_not_answer_is_not_ready_and_its_figures_are_unknown(tmp_path: Path, serve: Serve) -> None:
    urls = {name: serve(name, metrics, {}) for name, metrics in _metrics().items()}
    urls["notify"] = f"http://127.0.0.1:{free_port()}"
    done = _status(tmp_path, urls, "--json")
    assert done.exit_code == 1
    found = json.loads(done.output)
    assert found["services"]["notify"]["ready"] is False
    assert found["counts"]["open_cases"] is None
    assert found["counts"]["events_accepted"] == 1234


def test_something_else_on_the_port_is_not_taken_for_a_service(tmp_path: Path, serve: Serve) -> None:
    urls = {name: serve(name, b"<html>{", {}) for name in _metrics()}
    done = _status(tmp_path, urls)
    assert done.exit_code == 1
    assert "no service of Signpost" in " ".join(done.output.split())


def test_without_a_local_run_the_settings_say_where_to_ask(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    port = free_port()
    monkeypatch.setenv("SIGNPOST_INGEST__PORT", str(port))
    done = CliRunner().invoke(main, ["status", "--json", "--state", str(tmp_path / "none")])
    assert "signpost up" in done.stderr
    assert json.loads(done.stdout)["services"]["ingest"] == {"url": f"http://127.0.0.1:{port}", "ready": False}


def test_the_usual_addresses_are_those_of_the_settings() -> None:
    assert addresses(Ports())["consent"] == "http://127.0.0.1:8101"
