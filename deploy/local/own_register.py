"""The policy register of a run with the demo: the one that is shipped, and the vacation of the demo's own term.

The term ends on the day on which the demo is first run, so no shipped file can know its vacation.
"""

from __future__ import annotations

import re
from pathlib import Path

from deploy.demo.events import Span
from deploy.demo.timetable import vacation
from services.kernel.register import SHIPPED, load_register

_EARLIER = "registers"
_VACATION = """
# The vacation of the simulated term.

[[vacations]]
name = "demonstration"
title = "Reading week of the simulated term"
first_day = {first_day}
last_day = {last_day}
requirement = "R7"

[vacations.cy]
title = "Wythnos ddarllen y tymor efelychiedig"
"""


def write(folder: Path, span: Span) -> Path | None:
    """Write the register for a term into a folder, with the versions before it; None where the shipped one will do.

    It is a version of its own, and what is there already and has not changed is left as it is.
    """
    off = vacation(span)
    if not off:
        return None
    earlier = folder / _EARLIER
    earlier.mkdir(parents=True, exist_ok=True)
    shipped = load_register()
    for file in SHIPPED.with_name(_EARLIER).glob("*.toml"):
        _put(earlier / file.name, file.read_text("utf-8"))
    text = SHIPPED.read_text("utf-8")
    _put(earlier / f"{shipped.version}.toml", text)
    head, entries = text.split("[[purposes]]", 1)
    for name, value in (
        ("version", f"{shipped.version}-1"),
        ("replaces", shipped.version),
        ("note", "The vacation of the simulated term is declared."),
    ):
        head = re.sub(rf'^{name} = ".*"$', f'{name} = "{value}"', head, count=1, flags=re.MULTILINE)
    head = head.replace(shipped.cy["note"], "Datganwyd gwyliau'r tymor efelychiedig.")
    days = {"first_day": span.date(off.start), "last_day": span.date(off.stop - 1)}
    _put(folder / SHIPPED.name, f"{head}[[purposes]]{entries}{_VACATION.format(**days)}")
    return folder / SHIPPED.name


def _put(file: Path, text: str) -> None:
    if not file.exists() or file.read_text("utf-8") != text:
        file.write_text(text, "utf-8")
