"""What all partitions counted, gathered by week, until a shard asks for the norms that it adds up to.

A week's norms are there once every partition has said that it has counted all. What a partition said first holds: one
that was built anew counts again, by the consents of today, and must not change what others went on from.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field

from services.indicators.domain.cohort import INDEX_PARTS, Norms, merge
from services.kernel.clock import day_number
from services.kernel.codec import decoder
from services.kernel.dead_letters import RawRecord
from services.kernel.errors import InvalidMessage
from services.kernel.events import CohortClosed, CohortCounted
from services.kernel.topics import COHORT_NORMS

_decode = decoder(COHORT_NORMS)
_NOTHING_WANTED = 1 << 40  # later than any day


@dataclass(slots=True)
class _Week:
    """What was said of one week: by partition while it is counting, and the counts of those that have closed it.

    It is torn where the topic no longer reaches back to all that a partition had counted before it closed.
    """

    counting: dict[int, list[bytes]] = field(default_factory=lambda: defaultdict(list))
    counted: list[bytes] = field(default_factory=list)
    closed: set[int] = field(default_factory=set)
    torn: bool = False
    norms: Norms | None = None


class Weeks:
    """The weeks from the first on that a shard of this worker may still need; records are kept as bytes until then.

    Attributes:
        lost: weeks whose norms are empty, since not all of their counts are there any more.
    """

    def __init__(self, partitions: int) -> None:
        self._partitions = range(partitions)
        self._weeks: dict[int, _Week] = defaultdict(_Week)
        self._newest = dict.fromkeys(self._partitions, -1)
        self._wanted: dict[int, int] = {}
        self._from = _NOTHING_WANTED
        self.lost: set[int] = set()

    def want(self, partition: int, day: int | None) -> bool:
        """An own shard needs weeks from this Monday on, or none any more; gives whether all must be read again."""
        self._wanted.pop(partition, None)
        if day is not None:
            self._wanted[partition] = day
        before, self._from = self._from, min(self._wanted.values(), default=_NOTHING_WANTED)
        if self._from < before:
            self.clear()
            return True
        for old in [day for day in list(self._weeks) if day < self._from]:
            del self._weeks[old]
        return False

    def clear(self) -> None:
        """All will be read again from the topic's beginning."""
        self._weeks.clear()
        self._newest = dict.fromkeys(self._partitions, -1)

    def take(self, record: RawRecord) -> bool:
        """Take in a record of the topic; gives whether it closed a week.

        Raises:
            InvalidMessage: it cannot be read, or stands where it does not belong.
        """
        said: CohortCounted | CohortClosed = _decode(record.value or b"")
        partition = record.partition
        if said.partition != partition:
            raise InvalidMessage("wrong-partition", "a partition's counts must stand in the partition that counted")
        day = day_number(said.day)
        if day < self._from:
            return False
        week = self._weeks[day]
        if isinstance(said, CohortCounted):
            week.counting[partition].append(record.value or b"")
            return False
        return self._close(week, partition, day, said.modules)

    def ready(self, day: int) -> bool:
        """Whether nothing of the week is to be waited for, since all is there or some of it never will be."""
        return not self.missing(day) or self._is_lost(day)

    def norms(self, day: int) -> Norms | None:
        """The norms of the week, None while they are not ready; adding up large cohorts takes a second or two."""
        week = self._weeks[day]
        if week.norms is None and self.ready(day):
            if self._is_lost(day):
                self.lost.add(day)
                week.counted.clear()
            week.norms = merge(day, map(_decode, week.counted), INDEX_PARTS)
            week.counted.clear()
        return week.norms

    def missing(self, day: int) -> list[int]:
        """The partitions that have not said all of the week."""
        return [partition for partition in self._partitions if partition not in self._weeks[day].closed]

    def _close(self, week: _Week, partition: int, day: int, modules: int) -> bool:
        counted = week.counting.pop(partition, [])
        if partition in week.closed:
            return False
        week.torn |= len(counted) != modules
        week.counted += counted
        week.closed.add(partition)
        self._newest[partition] = max(self._newest[partition], day)
        return True

    def _is_lost(self, day: int) -> bool:
        """Whether counts of the week are gone: a partition has closed later ones only, or said more than is there."""
        return self._weeks[day].torn or any(self._newest[partition] > day for partition in self.missing(day))
