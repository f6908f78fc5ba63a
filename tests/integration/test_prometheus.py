"""Operations: a real Prometheus understands the configuration and every service's metrics."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx2
import pytest

from deploy.local.machine.ports import free_port
from deploy.local.state import Ports, RunFile, StateFolder
from services.kernel.settings import KafkaSettings
from tests.support import CHECKOUT
from tests.support.programs import path_of
from tests.support.running_services import running_services
from tests.support.waiting import eventually

CONFIGURATION = CHECKOUT / "deploy" / "prometheus" / "prometheus.yml"
RULES = CONFIGURATION.with_name("rules.yml")
SERVICES = {"consent", "ingest", "indicators", "notify"}
ONE_METRIC_OF_EACH = {
    "signpost_outbox_backlog": {"consent", "notify"},
    "signpost_door_consent_age_seconds": {"ingest"},
    "signpost_consumer_lag_records": {"consent", "indicators", "notify"},
    "signpost_event_to_indicator_seconds_count": {"indicators"},
    "signpost_open_cases": {"notify"},
}

pytestmark = pytest.mark.needs("prometheus")


def configuration_for(ports: Ports) -> str:
    """The shipped configuration with other ports, and quicker."""
    text = CONFIGURATION.read_text().replace("5s", "1s").replace("4s", "1s")
    usual = Ports()
    for service in SERVICES:
        text = text.replace(f"127.0.0.1:{getattr(usual, service)}", f"127.0.0.1:{getattr(ports, service)}")
    return text


@contextmanager
def running_prometheus(folder: Path, run: RunFile) -> Iterator[httpx2.Client]:
    """A client of a Prometheus that watches the run."""
    (folder / "prometheus.yml").write_text(configuration_for(run.ports))
    shutil.copy(RULES, folder)
    port = free_port()
    with (folder / "prometheus.log").open("wb") as log:
        process = subprocess.Popen(
            [
                path_of("prometheus"),
                f"--config.file={folder}/prometheus.yml",
                f"--storage.tsdb.path={folder}/data",
                f"--web.listen-address=127.0.0.1:{port}",
            ],
            stdout=log,
            stderr=subprocess.STDOUT,
        )
    try:
        with httpx2.Client(base_url=f"http://127.0.0.1:{port}", trust_env=False) as client:
            yield client
    finally:
        process.terminate()
        process.wait(30)


def query(client: httpx2.Client, expression: str) -> list[dict[str, Any]]:
    """What Prometheus answers to an expression; nothing while it does not answer yet."""
    try:
        answer = client.get("/api/v1/query", params={"query": expression})
    except httpx2.TransportError:
        return []
    found: list[dict[str, Any]] = answer.json()["data"]["result"] if answer.is_success else []
    return found


def promtool(*arguments: str | Path, text: str = "") -> subprocess.CompletedProcess[str]:
    """Prometheus' own judge of files, which comes with it."""
    program = Path(path_of("prometheus")).with_name("promtool")
    return subprocess.run([program, *arguments], input=text, capture_output=True, text=True, check=False)


def lint(exposed: str) -> list[str]:
    """What Prometheus' own conventions say against a service's metrics."""
    return promtool("check", "metrics", text=exposed).stderr.splitlines()


def test_the_shipped_configuration_is_valid() -> None:
    done = promtool("check", "config", CONFIGURATION)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize(
    ("series", "alerts"),
    [
        ({'signpost_feed_stale{source="vle",partition="2"}': "1x120"}, {"SignpostFeedStale"}),
        ({'signpost_feed_stale{source="vle",partition="2"}': "0x120"}, set()),
        ({'signpost_episodes_held_total{reason="feed-stale"}': "0x60 3x60"}, {"SignpostStartsHeld"}),
        ({'signpost_episodes_held_total{reason="vacation"}': "0x60 3x60"}, set()),
        (
            {"signpost_clock_tick_timestamp_seconds": "-7200x120", "signpost_clock_live": "1x120"},
            {"SignpostClockStopped"},
        ),
        ({"signpost_clock_tick_timestamp_seconds": "-7200x120", "signpost_clock_live": "0x120"}, set()),
        ({"signpost_consent_receipts_oldest_seconds": "61x120"}, {"SignpostDecisionNotObeyed"}),
    ],
)
def test_an_alert_is_raised_when_somebody_should_look_and_not_else(
    tmp_path: Path, series: dict[str, str], alerts: set[str]
) -> None:
    """Judged by Prometheus itself, two hours on."""
    quiet = [{"eval_time": "120m", "alertname": name} for name in re.findall(r"alert: (\w+)", RULES.read_text())]
    inputs = [{"series": name, "values": values} for name, values in series.items()]
    test = {"interval": "1m", "input_series": inputs, "alert_rule_test": quiet}
    (tmp_path / "test.yml").write_text(json.dumps({"rule_files": [str(RULES)], "tests": [test]}))
    done = promtool("test", "rules", tmp_path / "test.yml")  # says of each alert that it was not expected
    assert set(re.findall(r"alertname: ?(\w+),", done.stdout + done.stderr)) == alerts


def test_every_alert_leads_to_a_heading_that_says_what_to_do() -> None:
    for place, _, heading in (runbook.partition("#") for runbook in re.findall(r"runbook: (\S+)", RULES.read_text())):
        headings = re.findall(r"^#+ (.*)$", (CHECKOUT / place).read_text(), re.MULTILINE)
        assert not heading or heading in {re.sub(r"[^a-z0-9 -]", "", h.lower()).replace(" ", "-") for h in headings}


def test_prometheus_reads_every_service(tmp_path: Path, kafka_settings: KafkaSettings) -> None:
    with running_services(StateFolder(tmp_path / "state"), kafka_settings) as run:
        with running_prometheus(tmp_path, run) as client:
            eventually(
                lambda: {r["metric"]["service"] for r in query(client, "up == 1")} == SERVICES,
                what="every service to be up for Prometheus",
            )

            def known() -> dict[str, set[str]]:
                return {m: {r["metric"]["service"] for r in query(client, m)} for m in ONE_METRIC_OF_EACH}

            eventually(lambda: known() == ONE_METRIC_OF_EACH, what="a metric of each service")
            assert query(client, "scrape_samples_scraped == 0") == []
        for name, url in run.services.items():
            assert lint(httpx2.get(f"{url}/metrics", trust_env=False).text) == [], name
