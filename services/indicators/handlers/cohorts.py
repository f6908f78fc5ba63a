"""A partition's part in the weekly comparison: it counts its students, waits for all others, and then compares.

At the first tick of a local week a partition counts, and applies no event until the norms are there; so where a student
stands does not depend on which partition was faster. Norms are made from all partitions' counts of that tick.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import msgspec
import numpy as np

from services.indicators.domain.activity.gathering import ASSESSMENT, Store
from services.indicators.domain.activity.moments import StreamTime
from services.indicators.domain.activity.roster import FIGURES
from services.indicators.domain.cohort import (
    ALL_OF_IT,
    NOTHING,
    ModuleNorm,
    Norms,
    basis,
    cohort_figures,
    compare,
    count,
    members,
    monday,
)
from services.indicators.domain.permission import Permission
from services.indicators.domain.places import NEVER, Bools, Figure, Floats, Ints, Places
from services.kernel.events import CohortClosed, CohortCounted

KEY = b"\x00"  # in the state topic, before a module's name; no student's key begins so
_decode = msgspec.msgpack.Decoder(ModuleNorm).decode
_encode = msgspec.msgpack.Encoder().encode


class Cohorts:
    """What a partition knows of its modules' cohorts.

    Attributes:
        waiting: the Monday of the week that is counted and not compared yet; None where events may be applied.
        changed: records for the state topic, by key, until the caller clears it; None takes one away.
    """

    def __init__(self, partition: int) -> None:
        self.waiting: int | None = None
        self.changed: dict[bytes, bytes | None] = {}
        self._partition = partition
        self._norms: dict[str, ModuleNorm] = {}

    def restore(self, records: Mapping[bytes, bytes], waiting: int | None) -> None:
        """Take over what the state topic and the position say."""
        self.waiting = waiting
        self._norms = {key.removeprefix(KEY).decode(): _decode(raw) for key, raw in records.items()}

    def count(
        self, store: Store, time: StreamTime, permitted: Callable[[int], Permission]
    ) -> list[CohortCounted | CohortClosed]:
        """Count the cohorts of the tick's week, and wait from here on.

        Args:
            store: of the partition.
            time: as of the tick.
            permitted: what the student of a number permits.
        """
        self.waiting = day = monday(time.today)
        running = _running(store, time)
        since = _countable_since(store.roster["student"][running], permitted, time.day_of)
        places = running[since != NOTHING]
        gathered, figures = _basis(store, places, time)
        counted = members(
            gathered, figures, store.roster["start_day"][places].astype(np.int64), since[since != NOTHING]
        )
        roster = store.roster
        modules = sorted({roster.module_names[n] for n in np.unique(roster["module"][running]).tolist()})
        number = {module: n for n, module in enumerate(modules)}
        position = np.array([number.get(module, -1) for module in roster.module_names], np.int64)
        return count(
            day=day,
            partition=self._partition,
            modules=modules,
            running=np.bincount(position[roster["module"][running]], minlength=len(modules)).tolist(),
            module=position[roster["module"][places]],
            figures=counted,
        )

    def compare(self, norms: Norms, store: Store, time: StreamTime) -> Ints:
        """Let each place know where it stands in its module; gives the rows of which that is another than before."""
        self.waiting = None
        self._take(norms)
        roster = store.roster
        places = _running(store, time)
        places = places[roster.permitted(FIGURES)[places]]
        number = norms.number(roster.module_names)
        stands = np.full_like(roster["stands"][: roster.size], np.nan)
        stands[places] = compare(norms, number[roster["module"][places]], _basis(store, places, time)[1])
        before, roster["stands"][: roster.size] = roster["stands"][: roster.size].copy(), stands
        return np.flatnonzero(~_alike(before, stands).all(axis=1))

    def figures(self, store: Store, places: Ints) -> dict[str, Figure]:
        """The cohort's figures of these places, as of the last comparison; they rest on all that may be computed."""
        roster = store.roster
        numbers, module = np.unique(roster["module"][places], return_inverse=True)
        norms = [self._norms.get(roster.module_names[number]) for number in numbers.tolist()]
        return cohort_figures(roster["stands"][places], module, norms)

    def day(self, module: str) -> int | None:
        """The day whose norms the module's figures compare with."""
        norm = self._norms.get(module)
        return norm.day if norm else None

    def _take(self, norms: Norms) -> None:
        before, self._norms = self._norms, norms.by_module()
        gone: dict[bytes, bytes | None] = dict.fromkeys(map(_key, before.keys() - self._norms.keys()))
        self.changed |= gone | {_key(module): _encode(norm) for module, norm in self._norms.items()}


def _countable_since(students: Ints, permitted: Callable[[int], Permission], day_of: Callable[[int], int]) -> Ints:
    """[n]; for each student the local day from which on all that is computed may be counted, as of `members`."""
    numbers, place = np.unique(students, return_inverse=True)
    moments = [permitted(number).cohort_ms for number in numbers.tolist()]
    # The day of a grant is not wholly covered.
    days = [NOTHING if at_ms is None else day_of(at_ms) + 1 if at_ms else ALL_OF_IT for at_ms in moments]
    return np.array(days, np.int64)[place]


def _key(module: str) -> bytes:
    return KEY + module.encode()


def _running(store: Store, time: StreamTime) -> Ints:
    """The places that run today, whoever permits what; nobody on leave."""
    places = np.flatnonzero(store.roster["student"][: store.roster.size] != NEVER)
    held = store.roster.spans(places).held(time.today, vacation=False)
    running: Ints = places[held == 0]
    return running


def _basis(store: Store, places: Ints, time: StreamTime) -> tuple[Places, dict[str, Figure]]:
    gathered = store.gather(places, FIGURES, time.moment, np.full(len(places), time.at_ms), context=False)
    work_is_seen = store.roster.granted_days(FIGURES, places)[:, store.sources.index(ASSESSMENT)] != NEVER
    return gathered, basis(gathered, work_is_seen)


def _alike(one: Floats, other: Floats) -> Bools:
    alike: Bools = (one == other) | (np.isnan(one) & np.isnan(other))
    return alike
