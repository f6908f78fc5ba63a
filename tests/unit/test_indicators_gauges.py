"""What operations are told of a partition: what is held, silent and kept, and nothing once another worker has it."""

from __future__ import annotations

import pytest
from prometheus_client import generate_latest

from services.indicators.adapters.gauges import Gauges
from services.indicators.handlers import Partition
from services.indicators.ports import Position
from services.kernel.clock import DAY_MS, SystemClock
from services.kernel.events import ClockTicked
from services.kernel.metrics import IndicatorMetrics
from tests.support.partitions import OTHER, STUDENT, active, partition, record
from tests.support.students import START_MS


@pytest.fixture
def metrics() -> IndicatorMetrics:
    return IndicatorMetrics()


def value(metrics: IndicatorMetrics, name: str, **labels: str) -> float | None:
    """What Prometheus reads."""
    return metrics.registry.get_sample_value(f"signpost_{name}", labels)


def ticked(made: Partition, days: int, heard_days: float) -> None:
    """A tick so many days after the start, by which the learning environment was last heard at a moment before."""
    at_ms, heard_ms = START_MS + days * DAY_MS, START_MS + int(heard_days * DAY_MS)
    made.apply([record(ClockTicked(at_ms=at_ms, heard={"vle": heard_ms}))])


def test_a_start_that_is_held_for_a_silent_feed_is_counted_and_the_feed_named(metrics: IndicatorMetrics) -> None:
    made, gauges = partition(STUDENT, OTHER), Gauges(3, metrics)
    made.timed = metrics.sweep.time
    made.apply([active(0.5)])
    ticked(made, 1, 0.9)
    ticked(made, 16, 14.5)
    changes = made.changes()
    gauges.flushed(made, changes, 0, [SystemClock().now_ms() - 50])
    gauges.stand(made, lag=7)
    assert changes.triggers == []
    assert (value(metrics, "episodes_held_total", reason="feed-stale") or 0) > 0
    assert value(metrics, "feed_stale", source="vle", partition="3") == 1
    assert value(metrics, "consumer_lag_records", topic="activity-events", partition="3") == 7
    assert value(metrics, "indicator_places", partition="3") == 2
    assert (value(metrics, "indicator_state_bytes", partition="3") or 0) > 100
    assert value(metrics, "indicator_sweep_seconds_count") == 2
    assert value(metrics, "consent_obeyed_seconds_count") == 1
    assert value(metrics, "indicator_events_total", outcome="counted") == 1
    gauges.flushed(made, changes, 0, [])
    assert value(metrics, "indicator_events_total", outcome="counted") == 1

    ticked(made, 17, 16.9)
    gauges.stand(made, lag=0)
    assert value(metrics, "feed_stale", source="vle", partition="3") == 0


def test_another_worker_s_partition_is_told_no_more(metrics: IndicatorMetrics) -> None:
    made = partition(STUDENT)
    ticked(made, 1, 0.5)
    for number in (3, 4):
        Gauges(number, metrics).stand(made, lag=1)
    Gauges(3, metrics).forget()
    told = generate_latest(metrics.registry).decode()
    assert 'partition="4"' in told
    assert 'partition="3"' not in told


@pytest.mark.parametrize(("before", "changes"), [("", 0), ("2026-2", 0), ("2026-1", 1)])
def test_a_state_that_another_register_judged_is_counted(metrics: IndicatorMetrics, before: str, changes: int) -> None:
    Gauges(0, metrics).taken_over(Position(register=before), Position(register="2026-2"))
    assert value(metrics, "register_changed_total") == changes
