"""A shard's receipts for consents: part of the very transaction that takes away what they do not permit."""

from __future__ import annotations

from collections.abc import Mapping

from services.kernel.clock import SystemClock
from services.kernel.codec import encode
from services.kernel.events import ConsentApplied


def receipts_for(obeyed: Mapping[str, int]) -> list[tuple[bytes | None, bytes | None]]:
    """Records, by key and value, that say which version of each student's consent is obeyed from now on."""
    at_ms = SystemClock().now_ms()
    return [
        (
            student.encode(),
            encode(ConsentApplied(student=student, version=version, consumer="indicators", applied_ms=at_ms)),
        )
        for student, version in obeyed.items()
    ]
