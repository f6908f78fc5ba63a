"""How a program that is measured is told what to read, and says how far it is."""

from __future__ import annotations

import argparse
import json
import time
from dataclasses import dataclass

_LINES = 50


@dataclass(frozen=True, slots=True)
class Job:
    """What to read.

    Attributes:
        bootstrap: the broker's address.
        topic: of the events.
        records: how many stand in it: the program is done when it has taken so many.
        name: that no other run has, for groups and topics; `figures` is there already.
        folder: for state on disk, empty.
    """

    bootstrap: str
    topic: str
    records: int
    name: str
    folder: str

    @property
    def figures(self) -> str:
        """The topic to write to."""
        return f"{self.name}-figures"


def job() -> Job:
    """From the command line."""
    parser = argparse.ArgumentParser()
    for name in ("bootstrap", "topic", "records", "name", "folder"):
        parser.add_argument(name, type=int if name == "records" else str)
    return Job(**vars(parser.parse_args()))


class Report:
    """Lines on the standard output: how many records were taken, when, and the processor's time until then.

    The first is written when the first record is there, the last when the last one was taken.
    """

    def __init__(self, records: int) -> None:
        self._records, self._taken, self._next = records, 0, 1

    def begin(self) -> None:
        """The first records are there, and nothing was done with them."""
        self._say()

    def taken(self, number: int = 1) -> None:
        """So many more were dealt with."""
        self._taken += number
        if self._taken >= self._next:
            self._next = min(self._taken + self._records // _LINES, max(self._records, self._taken + 1))
            self._say()

    def _say(self) -> None:
        print(json.dumps({"records": self._taken, "at": time.time(), "cpu_s": time.process_time()}), flush=True)  # noqa: T201 - its reader is the benchmark
