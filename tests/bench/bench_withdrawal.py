"""How long from a student's click on "withdraw everything" until every service obeys, on the running stack under load.

A few hundred students withdraw through the portal's real form, at random moments and several at once, while events of
everybody flow. Each consumer says by a receipt since when it obeys; from outside, a reader of the topics checks that it
does: no event of theirs after the receipt of the door, tombstones where their figures stood, no open case.
"""

from __future__ import annotations

import random
import sqlite3
import tempfile
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx2
import msgspec
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from deploy.demo.stack import Stack
from deploy.demo.university import people
from services.kernel.topics import ENGAGEMENT_INDICATORS
from tests.bench.indicators.machine import machine
from tests.support import CHECKOUT
from tests.support.identity import hidden_fields
from tests.support.stack import Up
from tests.support.waiting import eventually
from tests.support.withdrawals import CONSUMERS, Follower, Load, Seen, figures
from tests.support.workers import last_values

STUDENTS, WITHDRAWING = 450, 300
CLICKS_PER_S, AT_ONCE = 5.0, 8
EVENTS_PER_S = 400.0
RESULT = CHECKOUT / "build" / "bench" / "withdrawal.json"
_PATIENCE_S = 120.0


@dataclass(frozen=True, slots=True)
class Click:
    """When a student clicked, and when the page answered."""

    student: str
    clicked_ms: int
    answered_ms: int


class Student:
    """A signed-in student with the portal's page before them."""

    def __init__(self, pseudonym: str, browser: httpx2.Client) -> None:
        self.pseudonym, self._browser = pseudonym, browser
        self._fields = hidden_fields(browser.get("/").raise_for_status().text)

    def withdraw(self) -> Click:
        """Click."""
        clicked_ms = _now_ms()
        answer = self._browser.post("/withdraw", data=self._fields, follow_redirects=False)
        assert answer.status_code == httpx2.codes.SEE_OTHER, answer.text
        return Click(self.pseudonym, clicked_ms, _now_ms())


def withdraw_all(students: list[Student], advance: Callable[[], object]) -> list[Click]:
    """Let them click at random moments, `CLICKS_PER_S` on average."""
    random_ = random.Random(1)
    with ThreadPoolExecutor(AT_ONCE) as pool:
        clicks = []
        for student in students:
            time.sleep(random_.expovariate(CLICKS_PER_S))
            clicks.append(pool.submit(student.withdraw))
            advance()
        return [click.result() for click in clicks]


def left_behind(up: Up, seen: Mapping[str, Seen]) -> dict[str, int]:
    """What breaks the promise, counted; all must be 0."""
    late = [at for one in seen.values() for at in one.appended if at > one.applied["ingest"]]
    marks = ",".join("?" * len(seen))
    with closing(sqlite3.connect(f"file:{up.state.path / 'notify.db'}?mode=ro", uri=True)) as notify:

        def counted(query: str) -> int:
            return int(notify.execute(f"SELECT count(*) FROM {query} AND student IN ({marks})", [*seen]).fetchone()[0])

        return {
            "events_after_the_doors_receipt": len(late),
            "values_after_a_tombstone": sum(one.revived for one in seen.values()),
            "open_cases": counted("support_case WHERE state <> 'closed'"),
            "figures_at_notify": counted("indicators WHERE true"),
        }


def measure(up: Up, progress: Progress) -> dict[str, Any]:
    """Sign in, let events flow, withdraw, wait until all is said; gives the figures."""
    known = last_values(up.kafka, ENGAGEMENT_INDICATORS)
    modules = {
        person: [module["module"] for module in msgspec.json.decode(known[pseudonym])["modules"]]
        for person in (one.id for one in people(up.demo) if one.role == "student")
        if (pseudonym := up.pseudonyms.of(person)) in known
    }
    chosen = random.Random(2).sample(sorted(modules), min(WITHDRAWING, len(modules) - 20))
    with ExitStack() as signed_in:
        signing_in = progress.add_task("students sign in", total=len(chosen))
        students = []
        for person in chosen:
            browser = signed_in.enter_context(up.signed_in("consent", person))
            students.append(Student(up.pseudonyms.of(person), browser))
            progress.advance(signing_in)
        follower = Follower(up.kafka, {student.pseudonym for student in students})
        load = Load(Stack.load(up.state.stack), modules, EVENTS_PER_S)
        follower.start()
        load.start()
        eventually(lambda: follower.events > EVENTS_PER_S, _PATIENCE_S, "events that flow")
        began, before = time.monotonic(), follower.events
        withdrawing = progress.add_task("students withdraw", total=len(students))
        clicks = withdraw_all(students, lambda: progress.advance(withdrawing))
        eventually(
            lambda: all(s.everywhere for s in follower.seen.values()), _PATIENCE_S, "every receipt and tombstone"
        )
        flowed = (follower.events - before) / (time.monotonic() - began)
        load.stop()
        follower.stop()
    broken = left_behind(up, follower.seen)
    assert not any(broken.values()), broken
    return result(clicks, follower.seen, load, flowed)


def result(clicks: list[Click], seen: Mapping[str, Seen], load: Load, events_per_s: float) -> dict[str, Any]:
    """The figures: from the click to each consumer's receipt, and where the time went."""
    pairs = [(click, seen[click.student]) for click in clicks]
    stopped = figures([max(s.applied.values()) - c.clicked_ms for c, s in pairs])
    purged = figures([max(*s.tombstones.values(), s.shown["notify"]) - c.clicked_ms for c, s in pairs])
    stages: dict[str, Callable[[Click, Seen], int]] = {
        "click to answer": lambda c, _: c.answered_ms - c.clicked_ms,
        "click to record": lambda c, s: s.recorded - c.clicked_ms,
        "record to topic": lambda _, s: s.published - s.recorded,
        **{f"topic to {name}": lambda _, s, name=name: s.applied[name] - s.published for name in CONSUMERS},  # type: ignore[misc]  # the default binds the loop's
    }
    consumers = {name: figures([s.applied[name] - c.clicked_ms for c, s in pairs]) for name in CONSUMERS}
    figured = {
        "n": len(pairs),
        "p50_s": stopped.p50_s,
        "p99_s": stopped.p99_s,
        "max_s": stopped.max_s,
        "purge_p50_s": purged.p50_s,
        "purge_p99_s": purged.p99_s,
        "consumers": consumers,
        "stages": {name: figures([stage(c, s) for c, s in pairs]) for name, stage in stages.items()},
        "load": {
            "events_per_s": round(events_per_s),
            "answer": figures([1000 * s for s in load.answer_s]),
            "answers": {str(status): number for status, number in load.answers.items()},
        },
    }
    return dict(msgspec.to_builtins(figured))


def show(measured: dict[str, Any]) -> None:
    """Print the figures."""
    table = Table(title=f"{measured['n']} withdrawals, {measured['load']['events_per_s']} events/s meanwhile")
    for column in ("seconds", "p50", "p99", "most"):
        table.add_column(column, justify="left" if column == "seconds" else "right")
    table.add_row("stopped everywhere", *(f"{measured[name]:.3f}" for name in ("p50_s", "p99_s", "max_s")))
    table.add_row("purged, seen from outside", f"{measured['purge_p50_s']:.3f}", f"{measured['purge_p99_s']:.3f}", "")
    for name, one in {
        **measured["consumers"],
        **measured["stages"],
        "door's answer": measured["load"]["answer"],
    }.items():
        table.add_row(name, *(f"{one[figure]:.3f}" for figure in ("p50_s", "p99_s", "max_s")))
    Console().print(table)


def main() -> None:
    """Measure, show, and write the figures down."""
    ran_on = machine()
    columns = TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn()
    with tempfile.TemporaryDirectory(prefix="signpost-bench-") as name, Progress(*columns) as progress:
        up = Up(Path(name), STUDENTS)
        starting = progress.add_task(f"a stack with {STUDENTS} students and their term", total=None)
        try:
            up.start()
            progress.update(starting, total=1, completed=1)
            measured = measure(up, progress) | {"machine": ran_on}
        finally:
            up.kill_all()
    RESULT.parent.mkdir(parents=True, exist_ok=True)
    RESULT.write_bytes(msgspec.json.format(msgspec.json.encode(measured)) + b"\n")
    show(measured)


def _now_ms() -> int:
    return time.time_ns() // 1_000_000


if __name__ == "__main__":
    main()
