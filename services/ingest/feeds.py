"""When each kind of source was last heard from, whoever it was about.

Ticks carry it, so that whoever reads the log can tell a student who is away from a feed that is broken.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from services.kernel.metrics import IngestMetrics


class Feeds:
    """The kinds of sources whose systems may send events, and when one of them last did.

    Several doors each say what they have heard themselves; who reads their ticks goes by the latest.
    """

    def __init__(self, kinds: Iterable[str], metrics: IngestMetrics) -> None:
        self._heard_ms = dict.fromkeys(sorted(kinds), 0)
        self._metrics = metrics

    def heard(self, source: str, at_ms: int) -> None:
        """A system of that kind sent something valid."""
        self._heard_ms[source] = max(self._heard_ms.get(source, 0), at_ms)

    def recovered(self, heard: Mapping[str, int]) -> None:
        """An earlier tick says so; a source that no system is connected for any more is not watched."""
        for source in heard.keys() & self._heard_ms.keys():
            self.heard(source, heard[source])

    def last(self, at_ms: int) -> dict[str, int]:
        """When each was last heard, as of a moment; 0 for never."""
        return {source: min(heard_ms, at_ms) for source, heard_ms in self._heard_ms.items()}

    def said(self, heard: Mapping[str, int]) -> None:
        """A tick carried it to everybody."""
        for source, heard_ms in heard.items():
            self._metrics.heard.labels(source).set(heard_ms / 1000)

    def wrong(self, heard: Mapping[str, int], at_ms: int) -> str | None:
        """Why a replayer cannot have heard that by a moment."""
        if heard.keys() - self._heard_ms.keys():
            known = ", ".join(self._heard_ms) or "none"
            return f"a source is not connected; name only those that the door's list of source systems has: {known}."
        if any(heard_ms > at_ms for heard_ms in heard.values()):
            return "nothing can be heard after the tick; give the last moment before it."
        return None
