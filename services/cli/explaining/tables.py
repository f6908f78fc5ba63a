"""An explanation for a person's eyes: a head, then a table for each thing that it rests on."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from zoneinfo import ZoneInfo

from rich.markup import escape
from rich.table import Table

from services.indicators.explanation.told import Explanation, FigureTold
from services.kernel.register import Register
from services.kernel.web.i18n.figures import FigureWords, held, unsaid

_NO = "–"


def tables(told: Explanation, register: Register, zone: ZoneInfo) -> list[str | Table]:
    """All that is to be printed, in order; moments are in the institution's time zone."""
    return [
        "\n".join(_head(told, zone)),
        _figures(told, register),
        _rules(told),
        _days(told),
        *([_work(told, zone)] if told.work else []),
        _grants(told, zone),
        *([_feeds(told, zone)] if told.feeds else []),
    ]


def _head(told: Explanation, zone: ZoneInfo) -> Iterator[str]:
    yield f"[bold]{told.student} on {escape(told.module)}[/], as of {_moment(told.as_of_ms, zone)}"
    yield f"The stream's clock stands at {_moment(told.clock_ms, zone)}; today is {told.day}."
    ends = f"to {told.end_day}" + (f", left on {told.left_day}" if told.left_day else "")
    yield f"On the module from {told.start_day} {ends}" + ("; part-time." if told.part_time else ".")
    for first_day, last_day in told.leave:
        yield f"On leave from {first_day} to {last_day}."
    if told.exempt:
        yield f"Exempt from {', '.join(told.exempt)}."
    yield f"Seen from {told.seen_day} on; days count without a break from {told.since_day} on, when {told.since}."
    yield f"Last active on {told.last_active_day or 'no day that is known'}."
    if told.held:
        yield f"[bold]Held:[/] {held(told.held)}"
    judged = "" if told.judged_by == told.register_version else f"; the worker judged last by {told.judged_by}"
    yield f"By register {told.register_version}{judged}; permitted by version {told.consent_version} of the consent."
    if told.cohort_day:
        yield f"What compares with the module is as of {told.cohort_day}."


def _figures(told: Explanation, register: Register) -> Table:
    table = _table("Figures", "Figure", "Value", "Says", "Made of", "Watch", "Alert", "Until", "Level", "Seen from")
    words = FigureWords(register, "tutor")
    for figure in told.figures:
        if figure.value is None:
            table.add_row(escape(figure.title), _NO, f"{unsaid(figure.unsaid or '', 'student')} ({figure.unsaid})")
            continue
        table.add_row(
            escape(figure.title),
            f"{_short(figure.value)} {escape(figure.unit)}",
            escape(words.sentence(figure.name, figure.value, figure.inputs)),
            ", ".join(f"{name} {_short(value)}" for name, value in figure.inputs.items()),
            *_limits(figure),
            figure.level,
            ", ".join(figure.sources),
        )
    return table


def _limits(figure: FigureTold) -> tuple[str, ...]:
    return tuple(_NO if limit is None else _short(limit) for limit in (figure.watch, figure.alert, figure.recovery))


def _rules(told: Explanation) -> Table:
    table = _table("\nRules", "Rule", "Rests on", "Open since", "Ended last", "Weeks in a row", "Held")
    for rule in told.rules:
        weeks = f"{rule.weeks[0]} of {rule.weeks[1]}" if rule.weeks[1] > 1 else _NO
        columns = (rule.since_day, rule.ended_day, weeks, rule.held)
        table.add_row(rule.name, rule.indicator, *(value or _NO for value in columns))
    return table


def _days(told: Explanation) -> Table:
    sources = sorted({source for day in told.days for source in day.actions})
    table = _table("\nDays of the last eight weeks", "Day", *sources, "Kinds", "Came", "Absent", "Counts")
    for day in told.days:
        marks = (str(number) if number else _NO for number in (day.attended, day.absent))
        sums = (str(day.actions.get(source, _NO)) for source in sources)
        table.add_row(day.day, *sums, ", ".join(day.kinds) or _NO, *marks, "yes" if day.counts else "vacation")
    return table


def _work(told: Explanation, zone: ZoneInfo) -> Table:
    table = _table("\nWork", "Piece", "Due", "Handed in", "")
    for work in told.work:
        due = _moment(work.due_ms, zone) + (", extended" if work.extended else "")
        handed = _NO if work.handed_ms is None else _moment(work.handed_ms, zone)
        if work.due_ms > told.as_of_ms:
            standing = "to come"
        elif work.handed_ms is None:
            standing = "missing"
        else:
            standing = "late" if work.handed_ms > work.due_ms else "in time"
        table.add_row(escape(work.name), due, handed, standing)
    return table


def _grants(told: Explanation, zone: ZoneInfo) -> Table:
    table = _table("\nPermitted", "Source", "From", "Until", "Notice", "Tutor", "Counted")
    for grant in told.grants:
        span = (_moment(grant.from_ms, zone), _moment(grant.until_ms, zone))
        table.add_row(grant.source, *span, grant.notice, _yes(grant.tutor), _yes(grant.counted))
    for source in told.not_permitted:
        table.add_row(source, "not permitted")
    return table


def _feeds(told: Explanation, zone: ZoneInfo) -> Table:
    table = _table("\nFeeds", "Source", "Last heard", "Silent for too long", "Back on")
    for feed in told.feeds:
        heard = _moment(feed.heard_ms, zone) if feed.heard_ms else "never"
        table.add_row(feed.source, heard, _yes(feed.stale), feed.back_day or _NO)
    return table


def _table(title: str, *columns: str) -> Table:
    table = Table(title=title, title_justify="left", box=None, pad_edge=False)
    for column in columns:
        table.add_column(column, overflow="fold")
    return table


def _moment(at_ms: int, zone: ZoneInfo) -> str:
    return dt.datetime.fromtimestamp(at_ms / 1000, zone).strftime("%Y-%m-%d %H:%M")


def _yes(said: bool) -> str:  # noqa: FBT001 - it is the value to say
    return "yes" if said else "no"


def _short(value: float) -> str:
    return f"{value:.2f}".rstrip("0").rstrip(".")
