"""Is everything ready, and what came through? Asked of the services themselves, over HTTP."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx2
from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.samples import Sample
from rich.markup import escape
from rich.table import Table

from deploy.local.state import SERVICES, StateFolder
from services.kernel.settings import load_settings
from services.kernel.topics import ACTIVITY_EVENTS

_TIMEOUT_S = 3.0
_NOBODY_ANSWERS = "nobody answers"
_SINCE = {"events": " since the door started", "episodes": " since the workers started"}  # by a count's first word


@dataclass(frozen=True, slots=True)
class ServiceStatus:
    """One service, as it answered.

    Attributes:
        problems: what is not well, by the name of the check.
        samples: its metrics; empty where it did not answer.
    """

    url: str
    ready: bool
    problems: Mapping[str, str] = field(default_factory=dict)
    samples: tuple[Sample, ...] = ()

    def total(self, name: str, **labels: str) -> float | None:
        """The sum of the metric's samples that have these labels; None where the service did not answer."""
        if not self.samples:
            return None
        return sum(sample.value for sample in self.samples if _matches(sample, name, labels))

    def values(self, name: str) -> list[float]:
        """The metric's value for each set of labels."""
        return [sample.value for sample in self.samples if sample.name == name]

    def where(self, name: str, label: str) -> list[str] | None:
        """The values of a label for which the metric is not 0; None where the service did not answer."""
        found = {s.labels[label] for s in self.samples if s.name == name and s.value}
        return sorted(found) if self.samples else None

    def by_label(self, name: str, label: str) -> dict[str, int]:
        """The metric's samples, by the value of a label."""
        return {s.labels[label]: int(s.value) for s in self.samples if s.name == name}


@dataclass(frozen=True, slots=True)
class Status:
    """All services."""

    services: Mapping[str, ServiceStatus]

    @property
    def ready(self) -> bool:
        """Whether each of them is ready."""
        return all(service.ready for service in self.services.values())

    @property
    def answered(self) -> bool:
        """Whether any of them answered."""
        return any(service.samples for service in self.services.values())

    def counts(self) -> dict[str, Any]:
        """The figures of the whole path; None where the service that counts it did not answer."""
        ingest, indicators, notify = (self.services[name] for name in ("ingest", "indicators", "notify"))
        students = indicators.total("signpost_students_with_indicators")
        ticks = indicators.values("signpost_indicator_tick_timestamp_seconds")
        return {
            "clock": _moment(min(ticks, default=0)),
            "records_behind": _whole(indicators.total("signpost_consumer_lag_records", topic=ACTIVITY_EVENTS.name)),
            "silent_feeds": indicators.where("signpost_feed_stale", "source"),
            "events_accepted": _whole(ingest.total("signpost_events_accepted_total")),
            "events_discarded": ingest.by_label("signpost_events_discarded_total", "reason"),
            "students_with_indicators": _whole(students),
            "episodes_held": indicators.by_label("signpost_episodes_held_total", "reason"),
            "open_cases": _whole(notify.total("signpost_open_cases")),
            "mails_sent": _whole(notify.total("signpost_mails_sent")),
        }

    def as_json(self) -> dict[str, Any]:
        """The form that `signpost status --json` prints."""
        services = {name: {"url": each.url, "ready": each.ready} for name, each in self.services.items()}
        return {"services": services, "counts": self.counts()}

    def as_tables(self) -> list[Table]:
        """The form for a person."""
        return [_services_table(self.services), _counts_table(self.counts())]


def known_urls(state: Path) -> dict[str, str]:
    """The services' base addresses: of the run that the folder holds, else those of the settings."""
    run = StateFolder(state).run()
    if run:
        return run.services
    settings = load_settings()
    of_settings = (settings.consent, settings.ingest, settings.indicators, settings.notify)
    return {name: each.url for name, each in zip(SERVICES, of_settings, strict=True)}


def ask(urls: Mapping[str, str]) -> Status:
    """Ask each service at its base address."""
    with httpx2.Client(timeout=_TIMEOUT_S, trust_env=False) as client:
        return Status({name: _ask(client, url) for name, url in urls.items()})


def _ask(client: httpx2.Client, url: str) -> ServiceStatus:
    try:
        readiness = client.get(f"{url}/health/ready")
        metrics = client.get(f"{url}/metrics").raise_for_status()
        checks = readiness.json()["checks"]
        samples = tuple(s for family in text_string_to_metric_families(metrics.text) for s in family.samples)
    except httpx2.HTTPError:
        return ServiceStatus(url, ready=False, problems={"connection": _NOBODY_ANSWERS})
    except (ValueError, LookupError):
        return ServiceStatus(url, ready=False, problems={"connection": "what answers is no service of Signpost"})
    problems = {name: said for name, said in checks.items() if said != "ok"}
    return ServiceStatus(url, ready=readiness.is_success, problems=problems, samples=samples)


def _matches(sample: Sample, name: str, labels: Mapping[str, str]) -> bool:
    return sample.name == name and labels.items() <= sample.labels.items()


def _moment(at_s: float) -> str | None:
    """In UTC, as a program reads it too; None before the first tick."""
    return dt.datetime.fromtimestamp(at_s, dt.UTC).isoformat() if at_s else None


def _whole(value: float | None) -> int | None:
    return None if value is None else int(value)


def _services_table(services: Mapping[str, ServiceStatus]) -> Table:
    table = Table(title="Services", title_justify="left", box=None, pad_edge=False)
    for column in ("Service", "Address", "State"):
        table.add_column(column, overflow="fold")
    for name, each in services.items():
        problems = "; ".join(f"{check}: {said}" for check, said in each.problems.items())
        table.add_row(name, each.url, "ready" if each.ready else f"[bold]not ready[/] ({escape(problems)})")
    return table


def _counts_table(counts: Mapping[str, Any]) -> Table:
    table = Table(title="\nCounts", title_justify="left", box=None, pad_edge=False, show_header=False)
    table.add_column()
    table.add_column(justify="right")
    for name, figure in _rows(counts):
        table.add_row(name, figure)
    return table


def _rows(counts: Mapping[str, Any]) -> Iterable[tuple[str, str]]:
    for name, figure in counts.items():
        words = name.replace("_", " ").capitalize() + _SINCE.get(name.partition("_")[0], "")
        if isinstance(figure, dict):
            yield from ((f"{words}: {reason}", f"{number:,}") for reason, number in figure.items())
        elif isinstance(figure, list):
            yield words, ", ".join(figure) or "none"
        else:
            yield words, "unknown" if figure is None else f"{figure:,}" if isinstance(figure, int) else figure
