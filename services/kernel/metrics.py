"""Every metric of every service, declared in this one place.

Units are seconds and bytes; labels are bounded (`source`, `reason`, `topic`, `partition`, `outcome`), never a student
or a module. Each service builds its own set on a registry that a test can replace.
"""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

_LATENCY = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60)


class _Metrics:
    """A service's metrics share a registry, which its `/metrics` serves."""

    def __init__(self, registry: CollectorRegistry | None = None) -> None:
        self.registry = registry if registry is not None else CollectorRegistry()

    def _counter(self, name: str, text: str, *labels: str) -> Counter:
        return Counter(f"signpost_{name}", text, labels, registry=self.registry)

    def _gauge(self, name: str, text: str, *labels: str) -> Gauge:
        return Gauge(f"signpost_{name}", text, labels, registry=self.registry)

    def _seconds(self, name: str, text: str, *labels: str) -> Histogram:
        return Histogram(f"signpost_{name}_seconds", text, labels, buckets=_LATENCY, registry=self.registry)


class IngestMetrics(_Metrics):
    """The door."""

    def __init__(self, registry: CollectorRegistry | None = None) -> None:
        super().__init__(registry)
        self.accepted = self._counter("events_accepted", "Events acknowledged by the broker", "source")
        self.discarded = self._counter("events_discarded", "Events let go at the door, by reason", "reason")
        self.refused = self._counter("events_refused", "Events refused at the door, by reason", "reason")
        self.stripped = self._counter("fields_stripped", "Special-category fields stripped at the door", "category")
        self.request = self._seconds("door_request", "Time from request to answer", "format", "outcome")
        self.consent_age = self._gauge("door_consent_age_seconds", "Age of the door's view of consent")
        self.consent_students = self._gauge("door_consent_students", "Students in the door's view of consent")
        self.tick = self._gauge("clock_tick_timestamp_seconds", "The last tick that the door wrote")
        self.live = self._gauge("clock_live", "Whether the door keeps the clock by its machine; not so in a replay")
        self.heard = self._gauge(
            "source_heard_timestamp_seconds", "When a kind of source was last heard, as the last tick says", "source"
        )


class ConsentMetrics(_Metrics):
    """The consent service."""

    def __init__(self, registry: CollectorRegistry | None = None) -> None:
        super().__init__(registry)
        self.decisions = self._counter("consent_decisions", "Decisions recorded", "state", "channel")
        self.ledger_anchored = self._gauge("ledger_anchored_timestamp_seconds", "The last anchor that was signed")
        self.ledger_verified = self._gauge("ledger_verified_timestamp_seconds", "The last check of the whole ledger")
        self.ledger_faults = self._gauge("ledger_faults", "What that check found wrong")
        self.anchoring_failures = self._counter("anchoring_failures", "Anchors that could not be signed", "reason")
        self.requests_open = self._gauge("requests_open", "Students' requests that are not closed", "kind")
        self.requests_overdue = self._gauge("requests_overdue", "Open requests whose deadline is missed", "kind")
        self.requests_deadline = self._gauge(
            "requests_deadline_seconds", "Until the soonest deadline ends; less than 0 once missed, +Inf for none"
        )
        self.reminders = self._counter("reminders", "Students reminded that a yes ends or must be given again", "kind")
        self.life_cycle_due = self._gauge("life_cycle_due", "Students whom the life cycle has to look at now")
        self.sign_in = SignInMetrics(self.registry)
        self.applied = self._seconds("consent_applied", "From a decision's record to its receipt", "consumer")
        self.outstanding = self._gauge("consent_receipts_outstanding", "Versions not yet answered for", "consumer")
        self.outstanding_age = self._gauge("consent_receipts_oldest_seconds", "Age of the oldest not yet answered for")
        self.asked_again = self._counter("consent_asked_again", "Students whose consent was published once more")
        self.records = self._counter("consent_records", "Records read off the log, by outcome", "topic", "outcome")
        self.lag = self._gauge("consumer_lag_records", "Records not yet read", "topic", "partition")
        self.dead_letters = self._counter("dead_letters", "Records set aside unread", "topic", "reason")
        self.outbox = OutboxMetrics(self.registry)


class IndicatorMetrics(_Metrics):
    """The indicators worker."""

    def __init__(self, registry: CollectorRegistry | None = None) -> None:
        super().__init__(registry)
        self.events = self._counter("indicator_events", "Events read off the log, by outcome", "outcome")
        self.flush = self._seconds("indicator_flush", "Time of one transaction")
        self.latency = self._seconds("event_to_indicator", "From a record's append to its indicator's commit")
        self.lag = self._gauge("consumer_lag_records", "Records not yet read", "topic", "partition")
        self.students = self._gauge("students_with_indicators", "Students with published figures", "partition")
        self.tick = self._gauge("indicator_tick_timestamp_seconds", "The last tick read", "partition")
        self.places = self._gauge("indicator_places", "Places of students on modules that are kept", "partition")
        self.state = self._gauge("indicator_state_bytes", "Memory of the columns of those places", "partition")
        self.sweep = self._seconds("indicator_sweep", "Time to judge a partition's places at a tick")
        self.recovery = self._seconds("shard_recovery", "From a shard's start to its first event")
        self.stale = self._gauge("feed_stale", "Whether a source was silent for too long", "source", "partition")
        self.held = self._counter("episodes_held", "Starts of episodes held back at a day's tick", "reason")
        self.register = self._gauge("register_info", "The register that places are judged by", "version")
        self.register_changed = self._counter("register_changed", "Shards whose state was judged by another register")
        self.triggers = self._counter("triggers", "Triggers raised, by state", "rule", "state")
        self.purged = self._counter("students_purged", "Students whose data was purged when consent ended")
        self.obeyed = self._seconds("consent_obeyed", "From a consent's record to the commit that obeys it")
        self.waits = self._counter("consent_waits", "Pauses for a consent version that the door had seen")
        self.norms_wait = self._seconds("indicator_norms_wait", "From a partition's counts of its cohorts to all norms")
        self.norms_missing = self._gauge("indicator_norms_missing", "Partitions that a shard waits for", "partition")
        self.norms_lost = self._counter("indicator_norms_lost", "Weeks whose counts are not all there any more")
        self.restarts = self._counter("shard_restarts", "Shards started again after a fault", "reason")
        self.dead_letters = self._counter("dead_letters", "Records set aside unread", "topic", "reason")
        self.enrolments = self._counter("enrolment_records", "Enrolment records read by the group", "outcome")


class NotifyMetrics(_Metrics):
    """Cases and delivery."""

    def __init__(self, registry: CollectorRegistry | None = None) -> None:
        super().__init__(registry)
        self.records = self._counter("notify_records", "Records consumed, by outcome", "topic", "outcome")
        self.lag = self._gauge("consumer_lag_records", "Records not yet read", "topic", "partition")
        self.open_cases = self._gauge("open_cases", "Cases that are not closed")
        self.mails_sent = self._gauge("mails_sent", "Messages that the mail server accepted, ever")
        self.mails_waiting = self._gauge("mails_waiting", "Messages not yet accepted by the mail server")
        self.deliveries = self._counter("deliveries", "Attempts to send, by outcome", "outcome")
        self.trigger_to_mail = self._seconds("trigger_to_mail", "From a trigger to its message's acceptance")
        self.dead_letters = self._counter("dead_letters", "Records set aside unread", "topic", "reason")
        self.sign_in = SignInMetrics(self.registry)
        self.outbox = OutboxMetrics(self.registry)


class SignInMetrics(_Metrics):
    """Who comes in; part of the services that have pages."""

    def __init__(self, registry: CollectorRegistry | None = None) -> None:
        super().__init__(registry)
        self.sign_ins = self._counter("sign_ins", "Sign-ins of people, by how they ended", "outcome")
        self.tokens = self._counter("bearer_tokens", "Bearer tokens of programs, by what came of them", "outcome")


class OutboxMetrics(_Metrics):
    """A transactional outbox's relay; part of the services that have one."""

    def __init__(self, registry: CollectorRegistry | None = None) -> None:
        super().__init__(registry)
        self.published = self._counter("outbox_published", "Records relayed to Kafka", "topic")
        self.backlog = self._gauge("outbox_backlog", "Records not yet relayed to Kafka")
        self.age = self._gauge("outbox_oldest_age_seconds", "Age of the oldest record not yet relayed")
        self.failures = self._counter("outbox_failures", "Rounds of the relay that failed", "reason")
