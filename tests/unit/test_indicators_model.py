"""Random lives of students against an oracle: a partition never holds, publishes or tells what consent does not permit.

`SIGNPOST_TEST_STEPS` says how many steps to take; `make test` takes five times as many as usual. A breach names the
seed of its run, which does the same each time.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace

import pytest
from msgspec import structs

from services.indicators.handlers import Partition
from services.indicators.handlers.students import Student
from services.indicators.ports import Changes
from services.kernel.clock import DAY_MS
from services.kernel.codec import decoder
from services.kernel.dead_letters import RawRecord
from services.kernel.events import ActivityRecorded, ConsentStateChanged, Grant
from services.kernel.ids import deterministic_id
from services.kernel.topics import ACTIVITY_EVENTS, CONSENT_STATE
from tests.support.model_runs import STEPS_A_RUN, MakePartition, Run, consent_record
from tests.support.partitions import record

STEPS = int(os.environ.get("SIGNPOST_TEST_STEPS", "20000"))
FEW_RUNS = 10
PARTS = 4  # so that a failure says early that there is one
decode_consent, decode_event = decoder(CONSENT_STATE), decoder(ACTIVITY_EVENTS)


def lives(seeds: Iterable[int], make: MakePartition = Partition) -> None:
    """Go through some."""
    for seed in seeds:
        life(seed, make)


def life(seed: int, make: MakePartition = Partition) -> Run:
    """Go through one life; a breach names its seed."""
    run = Run(seed, make)
    try:
        run.steps()
    except AssertionError as breach:
        raise AssertionError(f"seed {seed}: {breach}") from breach
    return run


@pytest.mark.requirement("R1")
@pytest.mark.parametrize("part", range(PARTS))
def test_no_breach_in_many_random_lives(part: int) -> None:
    """State, published figures and triggers equal, at every flush, what the whole history says may and must stand."""
    lives(range(part, STEPS // STEPS_A_RUN, PARTS))


class Retelling(Partition):
    """Broken: it takes consents for something else than they say."""

    def consent(self, record: RawRecord) -> Student:
        if record.value is None:
            return super().consent(record)
        return super().consent(consent_record("", self.heard(decode_consent(record.value))))

    def heard(self, state: ConsentStateChanged) -> ConsentStateChanged:
        raise NotImplementedError

    def _with(self, state: ConsentStateChanged, change: Callable[[Grant], Grant]) -> ConsentStateChanged:
        return structs.replace(state, grants=tuple(change(grant) for grant in state.grants))


class DeafToWithdrawals(Retelling):
    """What was permitted once stays, where nothing is any more."""

    def __init__(self, *arguments: object) -> None:
        self.known: dict[str, ConsentStateChanged] = {}
        super().__init__(*arguments)  # type: ignore[arg-type]  # just what `Partition` takes

    def heard(self, state: ConsentStateChanged) -> ConsentStateChanged:
        if state.grants:
            self.known[state.student] = state
        return self.known.get(state.student, state)


class DeafToOneSource(Retelling):
    """A source that is taken back stays, as long as anything else is permitted."""

    def __init__(self, *arguments: object) -> None:
        self.known: dict[str, ConsentStateChanged] = {}
        super().__init__(*arguments)  # type: ignore[arg-type]  # just what `Partition` takes

    def heard(self, state: ConsentStateChanged) -> ConsentStateChanged:
        before = self.known.get(state.student)
        if before and state.grants:
            listed = {(grant.purpose, grant.source) for grant in state.grants}
            kept = tuple(grant for grant in before.grants if (grant.purpose, grant.source) not in listed)
            state = structs.replace(state, grants=state.grants + kept)
        self.known[state.student] = state
        return state


class IgnoresStarts(Retelling):
    def heard(self, state: ConsentStateChanged) -> ConsentStateChanged:
        return self._with(state, lambda grant: structs.replace(grant, from_ms=grant.from_ms - 3 * DAY_MS))


class IgnoresEnds(Retelling):
    def heard(self, state: ConsentStateChanged) -> ConsentStateChanged:
        return self._with(state, lambda grant: structs.replace(grant, until_ms=grant.until_ms + DAY_MS))


class RevivesAtNewGrants(Retelling):
    """A new grant is taken for the old one that goes on."""

    def __init__(self, *arguments: object) -> None:
        self.first: dict[tuple[str, str, str], int] = {}
        super().__init__(*arguments)  # type: ignore[arg-type]  # just what `Partition` takes

    def heard(self, state: ConsentStateChanged) -> ConsentStateChanged:
        return self._with(
            state,
            lambda g: structs.replace(
                g, from_ms=self.first.setdefault((state.student, g.purpose, g.source), g.from_ms)
            ),
        )


class TellsTutorsUnasked(Retelling):
    def heard(self, state: ConsentStateChanged) -> ConsentStateChanged:
        own = tuple(grant for grant in state.grants if grant.purpose == "individual-indicators")
        return structs.replace(state, grants=own + tuple(structs.replace(g, purpose="tutor-notify") for g in own))


class NeverWaits(Partition):
    def apply(self, records: Sequence[RawRecord], *, consent_is_complete: bool = False) -> int:
        del consent_is_complete
        return super().apply(records, consent_is_complete=True)


class CountsTwice(Partition):
    """An event that comes again is taken for another one."""

    applied = 0

    def apply(self, records: Sequence[RawRecord], *, consent_is_complete: bool = False) -> int:
        self.applied += 1
        return super().apply([self._other(r) for r in records], consent_is_complete=consent_is_complete)

    def _other(self, taken: RawRecord) -> RawRecord:
        event = decode_event(taken.value or b"")
        if not isinstance(event, ActivityRecorded):
            return taken
        return record(structs.replace(event, id=deterministic_id(event.id, self.applied)))


class LosesEvents(Partition):
    def apply(self, records: Sequence[RawRecord], *, consent_is_complete: bool = False) -> int:
        done = super().apply(records[1:], consent_is_complete=consent_is_complete)
        return min(done + 1, len(records))


class DoesNotReconcile(Partition):
    def reconcile(self) -> None:
        self._consents._reconciled = True  # noqa: SLF001 - what was restored stays as it is


class LeavesNoTombstones(Partition):
    def changes(self, *, publish: bool = True) -> Changes:
        changes = super().changes(publish=publish)
        return replace(changes, indicators={s: value for s, value in changes.indicators.items() if value is not None})


class KeepsStates(Partition):
    def changes(self, *, publish: bool = True) -> Changes:
        changes = super().changes(publish=publish)
        return replace(changes, states={s: value for s, value in changes.states.items() if value is not None})


BROKEN = (
    DeafToWithdrawals, DeafToOneSource, IgnoresStarts, IgnoresEnds, RevivesAtNewGrants, TellsTutorsUnasked, NeverWaits,
    CountsTwice, LosesEvents, DoesNotReconcile, LeavesNoTombstones, KeepsStates,
)  # fmt: skip


@pytest.mark.requirement("R1")
@pytest.mark.parametrize("make", BROKEN)
def test_every_kind_of_breach_is_found_soon(make: MakePartition) -> None:
    """Were the partition broken in one of these ways, a few thousand steps would tell."""
    with pytest.raises(AssertionError, match="seed"):
        lives(range(FEW_RUNS), make)


def test_lives_hold_what_they_are_about() -> None:
    """Every kind of step comes up in a few lives."""
    counts = sum((life(seed).counts for seed in range(4)), start=life(4).counts)
    assert min(counts.values()) >= 5
