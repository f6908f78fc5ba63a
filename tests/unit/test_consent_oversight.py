"""The officer's pages as figures and words, without a database."""

from __future__ import annotations

import datetime as dt

import pytest

from services.consent.domain.coverage import Coverage, Row, Share
from services.consent.domain.requests.deadlines import Deadline
from services.consent.domain.verification import Result
from services.consent.handlers.life_cycle import Renewal
from services.consent.handlers.oversight import Due, Ledger, Report, open_requests
from services.consent.handlers.propagation import Health
from services.consent.pages.oversight.lines import Line, bar, lines
from services.consent.pages.oversight.verdict import duration, judge
from services.kernel.clock import DAY_MS

DAY, LATER = "2026-09-28", "2026-11-02"
NOW = 1_790_000_000_000
NOBODY = {"ingest": 0, "indicators": 0, "notify": 0}
FINE = Result(at_ms=NOW, events=12_431, anchors=9, anchored_ms=NOW)
SLOW_LINE = (
    "We do not keep our word: 200 withdrawals in 30 days were applied everywhere, 99 in 100 within 7.2 s, not 5 s."
)
QUICK = Health(count=412, p50_s=0.21, p99_s=0.8, slowest_s=0.94, outstanding=NOBODY, oldest_s=None)
NONE_YET = Health(count=0, p50_s=None, p99_s=None, slowest_s=None, outstanding=NOBODY, oldest_s=None)


def due(days_left: int, *, running: bool = True) -> Due:
    day = dt.date(2026, 9, 21) + dt.timedelta(days=days_left)
    return Due("access", Deadline(task="answer", day=day, days_left=days_left, running=running))


def report(ledger: Result | None = FINE, withdrawals: Health = QUICK, *requests: Due) -> Report:
    renewal = Renewal(sent={}, waiting=0, coming=0)
    return Report(NOW, Ledger(ledger, checking=False), withdrawals, open_requests(requests), (), renewal)


@pytest.mark.requirement("R8")
def test_the_first_line_says_what_holds_with_its_figures() -> None:
    verdict = judge(report())
    assert verdict.holds is True
    assert verdict.sentence == (
        "We keep our word: the chain of 12,431 decisions holds; 412 withdrawals in 30 days were applied everywhere, "
        "the slowest in 0.9 s; no request is overdue."
    )


@pytest.mark.requirement("R8")
@pytest.mark.parametrize(
    ("found", "sentence"),
    [
        (
            report(Result(at_ms=NOW, events=9, anchors=1, anchored_ms=NOW, faults=1)),
            "We do not keep our word: the ledger is not as it was recorded in 1 place.",
        ),
        (
            report(FINE, QUICK, due(-1), due(3)),
            "We do not keep our word: 1 request is overdue.",
        ),
        (
            report(FINE, Health(0, None, None, None, {"ingest": 0, "indicators": 2, "notify": 1}, 61.0)),
            "We do not keep our word: indicators and notify have not confirmed a decision for 61 seconds.",
        ),
        (
            report(FINE, Health(200, 0.3, 7.2, 9.0, NOBODY, None)),
            SLOW_LINE,
        ),
    ],
)
def test_the_first_line_says_what_does_not_hold_and_nothing_else(found: Report, sentence: str) -> None:
    verdict = judge(found)
    assert verdict.holds is False
    assert verdict.sentence == sentence


@pytest.mark.parametrize(
    ("ledger", "words"),
    [
        (None, "the ledger has not been checked"),
        (
            Result(at_ms=NOW - 3 * DAY_MS, events=9, anchors=1, anchored_ms=NOW),
            "was not checked for more than two days",
        ),
    ],
)
def test_what_is_not_known_is_not_said_to_hold(ledger: Result | None, words: str) -> None:
    verdict = judge(report(ledger))
    assert verdict.holds is None
    assert verdict.sentence.startswith("We cannot show it all yet: ")
    assert words in verdict.sentence


def test_what_fails_outweighs_what_is_not_known() -> None:
    assert judge(report(None, QUICK, due(-1))).holds is False


def test_a_decision_that_is_just_on_its_way_is_no_failure() -> None:
    under_way = Health(0, None, None, None, {"ingest": 0, "indicators": 1, "notify": 1}, 0.4)
    assert judge(report(FINE, under_way)).holds is True
    assert "no withdrawal had to be applied" in judge(report(FINE, NONE_YET)).sentence


def test_open_requests_are_counted_by_kind_and_the_first_that_runs_is_due_first() -> None:
    found = open_requests([due(-2, running=False), due(1), due(9)])
    assert (found.by_kind, found.overdue, found.resting) == ({"access": 3}, 0, 1)
    assert found.next == due(1)


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0.04, "less than 0.1 s"),
        (0.94, "0.9 s"),
        (61.2, "61 seconds"),
        (180, "3 minutes"),
        (86_400, "24 hours"),
        (2e5, "2 days"),
    ],
)
def test_a_length_of_time_is_as_exact_as_it_matters(seconds: float, words: str) -> None:
    assert duration(seconds) == words


def test_a_module_with_one_presentation_is_one_line() -> None:
    everybody, module = Row(students=90), Row(module="A", students=40)
    full, part = (Row(module="A", start_day=DAY, mode=mode, students=20) for mode in ("full-time", "part-time"))
    table = Coverage(purposes=(), rows=(everybody, module, Row(module="A", start_day=DAY, students=40), full, part))
    assert lines(table) == [
        Line("everybody", 0, everybody),
        Line("module", 0, module),
        Line("mode", 1, full),
        Line("mode", 1, part),
    ]


def test_each_of_several_presentations_has_a_line_below_its_module() -> None:
    rows = (
        Row(students=90),
        Row(module="A", students=40),
        Row(module="A", start_day=DAY, students=20),
        Row(module="A", start_day=DAY, mode="full-time", students=10),
        Row(module="A", start_day=LATER),
        Row(module="B"),
        Row(module="B", start_day=DAY),
    )
    kinds = [(line.kind, line.depth) for line in lines(Coverage(purposes=(), rows=rows))]
    assert kinds == [
        ("everybody", 0),
        ("module", 0),
        ("presentation", 1),
        ("mode", 2),
        ("presentation", 1),
        ("module", 0),
    ]


def test_a_bar_is_as_long_as_its_share() -> None:
    assert 'class="bar" width="14.0"' in bar(Share(percent=25, reads="about"))
