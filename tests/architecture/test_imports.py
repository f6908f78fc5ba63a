"""Who may import whom, so that rules stay free of input and output and the services meet on Kafka only."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.support import CHECKOUT
from tests.support.source import Module, modules

SERVICES = ("consent", "ingest", "indicators", "notify")
# Beside the standard library: arithmetic, and the typed structs that the contracts are made of.
LIBRARIES = ("numpy", "msgspec")
# Of the kernel a domain may know what is said and the pure rules about it; nothing that reads, writes or listens.
CONTRACTS = tuple(
    f"services.kernel.{name}" for name in ("clock", "consents", "errors", "events", "ids", "register", "topics")
)
METRIC_TYPES = {f"prometheus_client.{name}" for name in ("Counter", "Gauge", "Histogram", "Summary", "Info", "Enum")}


def is_domain(module: Module) -> bool:
    """Whether it is a service's `domain.py` or in its `domain/`."""
    return "domain" in module.name.split(".")[2:]


def within(name: str, *packages: str) -> bool:
    """Whether a dotted name is one of the packages or in one."""
    return any(name == package or name.startswith(f"{package}.") for package in packages)


def test_the_contracts_of_import_linter_hold() -> None:
    command = Path(sys.executable).with_name("lint-imports")
    done = subprocess.run([command, "--no-cache"], cwd=CHECKOUT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize("module", [m for m in modules("services") if is_domain(m)], ids=lambda m: m.name)
def test_a_domain_knows_only_values_and_the_contracts(module: Module) -> None:
    own = f"services.{module.name.split('.')[1]}.domain"
    beyond = {
        name
        for name in module.imports
        if name.split(".")[0] not in sys.stdlib_module_names and not within(name, own, *LIBRARIES, *CONTRACTS)
    }
    assert beyond == set()


def test_every_service_has_a_domain() -> None:
    assert {m.name.split(".")[1] for m in modules("services") if is_domain(m)} == set(SERVICES)


def test_metrics_are_declared_in_the_kernel_only() -> None:
    declaring = {m.name for m in modules("services", "deploy") if m.imports & METRIC_TYPES}
    assert declaring == {"services.kernel.metrics"}


def test_only_the_settings_and_the_command_line_read_the_environment() -> None:
    reading = {m.name for m in modules("services") if m.imports & {"os.environ", "os.getenv"} or "os.environ" in m.text}
    assert reading <= {"services.kernel.settings", "services.cli"}


def test_the_indicators_worker_has_no_way_from_a_pseudonym_to_a_person() -> None:
    for module in modules("services/indicators"):
        assert "services.kernel.ids.Pseudonyms" not in module.imports, module.place
        assert "pseudonym_secret" not in module.text, module.place
