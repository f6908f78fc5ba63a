"""Where a program's processor time goes: a look at the stack now and then, as often as the system's clock allows.

It costs little and changes nothing of what it looks at, so a worker can be profiled at full speed. What a C function
takes, such as numpy's or the decoder's, is laid to the Python function that called it.
"""

from __future__ import annotations

import signal
from collections import Counter
from collections.abc import Iterator
from pathlib import PurePath
from types import FrameType
from typing import NamedTuple, Self

_EVERY_S = 0.001  # many systems round it up to some milliseconds
_OURS = "services"
_PACKAGES = ("aiokafka", "faust", "mode", "uvicorn")


class Place(NamedTuple):
    """Where time went: a module of ours or somebody's package, and the function."""

    module: str
    function: str


class Sampler:
    """Counts, while it is entered, in which function the main thread is, after each bit of processor time.

    Attributes:
        seen: the looks by place; one outside of our code counts for the package that the time was spent in.
    """

    def __init__(self, within: str = "") -> None:
        """With `within`, the name of a package, only looks count at which a function of it is running or waiting."""
        self.seen: Counter[Place] = Counter()
        self._within = within

    def __enter__(self) -> Self:
        signal.signal(signal.SIGPROF, self._look)
        signal.setitimer(signal.ITIMER_PROF, _EVERY_S, _EVERY_S)
        return self

    def __exit__(self, *_: object) -> None:
        signal.setitimer(signal.ITIMER_PROF, 0)

    def _look(self, _number: int, innermost: FrameType | None) -> None:
        stack = list(_outwards(innermost))
        if any(frame.f_code.co_filename.startswith("<frozen importlib") for frame in stack):
            return  # only at a program's start
        frames = [(_module(frame), frame.f_code.co_qualname) for frame in stack]
        if any(module.startswith(self._within) for module, _ in frames):
            known = (Place(module, function) for module, function in frames if module)
            self.seen[next(known, Place("elsewhere", frames[0][1]))] += 1


def _outwards(frame: FrameType | None) -> Iterator[FrameType]:
    while frame:
        yield frame
        frame = frame.f_back


def _module(frame: FrameType) -> str:
    """Its dotted name where it is ours or of a package that we know, else nothing."""
    parts = PurePath(frame.f_code.co_filename).with_suffix("").parts
    packages = _PACKAGES if "site-packages" in parts else (_OURS,)
    package = next((name for name in packages if name in parts), None)
    return ".".join(parts[parts.index(package) :]) if package else ""
