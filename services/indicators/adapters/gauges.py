"""What operations are told of one partition; see docs/operating.md for what each metric means."""

from __future__ import annotations

from collections.abc import Iterable

from services.indicators.handlers import Partition
from services.indicators.ports import Changes, Position
from services.kernel.clock import SystemClock
from services.kernel.logs import log
from services.kernel.metrics import IndicatorMetrics
from services.kernel.topics import ACTIVITY_EVENTS

_log = log(__name__)


class Gauges:
    """The metrics of one partition's shard."""

    def __init__(self, partition: int, metrics: IndicatorMetrics) -> None:
        self._label, self._metrics = str(partition), metrics
        self._sources: set[str] = set()

    def taken_over(self, before: Position, now: Position) -> None:
        """A state was taken over, which may have been judged by another version of the register."""
        if before.register and before.register != now.register:
            self._metrics.register_changed.inc()
            _log.info("register_changed", partition=self._label, before=before.register, now=now.register)

    def flushed(self, partition: Partition, changes: Changes, oldest_ms: int, consents_ms: Iterable[int]) -> None:
        """A flush is durable.

        Args:
            partition: whose.
            changes: that were written.
            oldest_ms: the record time of the first event in it; 0 where there was none.
            consents_ms: the record times of the consents in it.
        """
        metrics, now_ms = self._metrics, SystemClock().now_ms()
        metrics.purged.inc(partition.outcomes["purged"])
        for outcome, number in partition.outcomes.items():
            metrics.events.labels(outcome).inc(number)
        for reason, number in partition.held.items():
            metrics.held.labels(reason).inc(number)
        partition.outcomes.clear()
        partition.held.clear()
        for trigger in changes.triggers:
            metrics.triggers.labels(trigger.rule, trigger.state).inc()
        for at_ms in consents_ms:
            metrics.obeyed.observe(max(0, now_ms - at_ms) / 1000)
        if oldest_ms:
            metrics.latency.observe(max(0, now_ms - oldest_ms) / 1000)

    def stand(self, partition: Partition, lag: int) -> None:
        """How the partition stands now."""
        metrics, label, store = self._metrics, self._label, partition.store
        metrics.students.labels(label).set(partition.students)
        metrics.tick.labels(label).set(partition.clock_ms / 1000)
        metrics.lag.labels(ACTIVITY_EVENTS.name, label).set(lag)
        metrics.places.labels(label).set(store.roster.used)
        metrics.state.labels(label).set(sum(t.nbytes for t in (store.roster, store.windows, store.marks, store.work)))
        for source, feed in store.feeds.sources.items():
            metrics.stale.labels(source, label).set(feed.stale)

    def forget(self) -> None:
        """The partition is another worker's."""
        metrics = self._metrics
        for gauge in (metrics.students, metrics.tick, metrics.lag, metrics.places, metrics.state, metrics.stale):
            gauge.remove_by_labels({"partition": self._label})
