"""What operations are told: documented, in base units, by bounded labels, and never about one person or module."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

from services.kernel.metrics import (
    ConsentMetrics,
    IndicatorMetrics,
    IngestMetrics,
    NotifyMetrics,
    OutboxMetrics,
    SignInMetrics,
)

ALL = [ConsentMetrics, IndicatorMetrics, IngestMetrics, NotifyMetrics, OutboxMetrics, SignInMetrics]
BOUNDED = {
    "category", "channel", "consumer", "format", "kind", "outcome", "partition", "reason", "rule", "source", "state",
    "topic", "version",
}  # fmt: skip
each = pytest.mark.parametrize("kind", ALL)


def declared(kind: type) -> Iterator[Counter | Gauge | Histogram]:
    """Every metric of a service, its outbox's and its sign-in's too."""
    for value in vars(kind()).values():
        if isinstance(value, OutboxMetrics | SignInMetrics):
            yield from declared(type(value))
        elif isinstance(value, Counter | Gauge | Histogram):
            yield value


@each
def test_labels_are_bounded_and_name_no_student_and_no_module(kind: type) -> None:
    metrics = list(declared(kind))
    assert metrics
    for metric in metrics:
        assert set(metric._labelnames) <= BOUNDED  # noqa: SLF001 - the client shows them only with values


@each
def test_every_metric_has_our_prefix_a_sentence_and_base_units(kind: type) -> None:
    for metric in declared(kind):
        described = next(iter(metric.describe()))
        assert described.name.startswith("signpost_")
        assert len(described.documentation.split()) > 1
        assert not described.name.endswith(("_ms", "_milliseconds", "_kb", "_total"))
        assert not isinstance(metric, Histogram) or described.name.endswith("_seconds")


@each
def test_a_service_brings_its_own_registry_or_takes_one(kind: type) -> None:
    registry = CollectorRegistry()
    assert kind(registry).registry is registry
    assert kind().registry is not kind().registry


@pytest.mark.parametrize("kind", [ConsentMetrics, NotifyMetrics])
def test_an_outboxs_metrics_are_served_with_its_services(kind: type) -> None:
    metrics = kind()
    metrics.outbox.backlog.set(3)
    assert b"signpost_outbox_backlog 3.0" in generate_latest(metrics.registry)
