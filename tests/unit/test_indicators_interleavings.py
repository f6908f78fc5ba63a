"""Several partitions, their topics and the faults of a group: however it comes about, the same bytes at the end."""

from __future__ import annotations

import random
from collections.abc import Iterator

from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import structs

from services.kernel.clock import DAY_MS, HOUR_MS
from services.kernel.events import ActivityRecorded, ConsentStateChanged, IndicatorsComputed
from tests.support.clusters import Cluster
from tests.support.logs import ALL_PURPOSES, SOURCES, Log, made_up
from tests.support.model_checks import read_indicators
from tests.support.students import START_MS, Slice, consent

LOG = made_up(students=30, days=23, events_a_day=40, seed=3)
seeds = st.integers(0, 1 << 32)


def ran(log: Log, seed: int = 0, restarts: float = 0.0, eager: float = 0.0) -> Cluster:
    """Let a cluster come to the end of a log."""
    cluster = Cluster(log)
    cluster.run(random.Random(seed), restarts, eager)
    return cluster


def assert_same(one: Cluster, other: Cluster) -> None:
    """The state topic, the published records and the triggers."""
    assert one.indicators == other.indicators
    assert one.triggers == other.triggers
    assert one.states == other.states


STRAIGHT = ran(LOG)


def test_the_log_holds_what_it_is_about() -> None:
    """Figures of cohorts, several rules, and ends of episodes."""
    said = [read_indicators(value) for value in STRAIGHT.indicators.values()]
    assert any(module.cohort_day for record in said for module in record.modules)
    assert len({trigger.rule for trigger in STRAIGHT.triggers}) >= 3
    assert {trigger.state for trigger in STRAIGHT.triggers} == {"opened", "recovered"}


@settings(max_examples=5)
@given(seeds, st.sampled_from([0.0, 0.05, 0.2]))
def test_partitions_batches_flushes_and_restarts(seed: int, restarts: float) -> None:
    """Whichever partition goes on, by how much, and when it is flushed or taken over from its last flush."""
    assert_same(ran(LOG, seed, restarts), STRAIGHT)


@settings(max_examples=3)
@given(seeds)
def test_order_between_two_ticks(seed: int) -> None:
    """Events between two ticks may come in any order, and more than once."""
    random_ = random.Random(seed)
    slices = [_shuffled(part, random_) for part in LOG.slices]
    assert_same(ran(Log(LOG.consents, LOG.enrolments, slices)), STRAIGHT)


def _shuffled(part: Slice, random_: random.Random) -> Slice:
    events = [*part.events, *random_.sample(part.events, len(part.events) // 10)]
    random_.shuffle(events)
    return Slice(events, part.tick)


@settings(max_examples=3)
@given(seeds)
def test_late_events_give_the_same_figures(seed: int) -> None:
    """Within the allowed lateness it makes no difference to the last figures when an event came."""
    late = ran(Log(LOG.consents, LOG.enrolments, list(_delayed(LOG.slices, random.Random(seed)))))
    assert late.indicators.keys() == STRAIGHT.indicators.keys()
    for student, value in late.indicators.items():
        assert figures(read_indicators(value)) == figures(read_indicators(STRAIGHT.indicators[student]))


def _delayed(slices: list[Slice], random_: random.Random) -> Iterator[Slice]:
    """Some events come up to three half days late; none towards the end, where they would not come at all."""
    waiting: dict[int, list[ActivityRecorded]] = {}
    for number, part in enumerate(slices):
        events = waiting.pop(number, [])
        for event in part.events:
            delay = random_.randint(1, 3) if number < len(slices) - 4 and random_.random() < 0.2 else 0
            in_time = event.occurred_ms > slices[number + delay].tick.at_ms - 60 * HOUR_MS
            if delay and in_time:
                waiting.setdefault(number + delay, []).append(event)
            else:
                events.append(event)
        yield Slice(events, part.tick)


def figures(said: IndicatorsComputed) -> dict[tuple[str, str], float]:
    """Those that hang on nothing but the days: levels remember the ticks, and cohorts are compared at some."""
    apart = {"volume-28-centile", "volume-28-robust-z", "engagement-index"}
    return {(m.module, i.name): i.value for m in said.modules for i in m.indicators if i.name not in apart}


def _deciding() -> Log:
    """A log in which students give, take back and give again their consent, each known to the door at once."""
    consents, versions = [], {}
    for number, enrolled in enumerate(LOG.enrolments):
        student, at_ms = enrolled.student, START_MS + (2 + number % 9) * DAY_MS + 7 * HOUR_MS
        given = [] if number % 4 == 1 else [_all_of_it(student, 1, START_MS - DAY_MS)]
        if number % 4:
            given.append(_all_of_it(student, 2, at_ms) if number % 4 == 1 else _nothing(student, 2, at_ms))
        if number % 4 == 3:
            given.append(_all_of_it(student, 3, at_ms + 2 * DAY_MS + HOUR_MS))
        consents += given
        versions[student] = given
    slices = [Slice([_judged(event, versions[event.student]) for event in p.events], p.tick) for p in LOG.slices]
    return Log(sorted(consents, key=lambda state: state.changed_ms), LOG.enrolments, slices)


def _all_of_it(student: str, version: int, at_ms: int) -> ConsentStateChanged:
    return consent(student, version, purposes=ALL_PURPOSES, sources=SOURCES, from_ms=at_ms)


def _nothing(student: str, version: int, at_ms: int) -> ConsentStateChanged:
    return ConsentStateChanged(student=student, version=version, changed_ms=at_ms)


def _judged(event: ActivityRecorded, decided: list[ConsentStateChanged]) -> ActivityRecorded:
    seen = max((state.version for state in decided if state.changed_ms <= event.occurred_ms), default=1)
    return structs.replace(event, consent_version=seen)


DECIDING = _deciding()
WITHOUT_HASTE = ran(DECIDING)


@settings(max_examples=5)
@given(seeds, st.sampled_from([0.0, 0.1]), st.sampled_from([0.0, 0.3, 1.0]))
def test_consents_between_events(seed: int, restarts: float, eager: float) -> None:
    """Whether a consent is read before or after the events around it, and whatever is started anew then."""
    assert_same(ran(DECIDING, seed, restarts, eager), WITHOUT_HASTE)
