"""What the directory import says of a student's place on a module: its days, leave, exemptions and work that is due.

A row is the whole of a place: leave, exemptions or work that it no longer names are there no longer.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Collection, Iterator
from typing import Annotated, Any

from msgspec import Meta, Struct, to_builtins

from services.kernel.clock import moment_ms
from services.kernel.events import Due, Enrolment, IsoDate, Leave, Slug, WorkName

MOST = 200  # spans of leave, exemptions or pieces of work of one place


class LeaveRow(Struct, frozen=True, forbid_unknown_fields=True):
    """Days on which nothing is expected of the student, the last one included."""

    first_day: IsoDate
    last_day: IsoDate


class DueRow(Struct, frozen=True, forbid_unknown_fields=True):
    """A piece of work, and by when: ISO 8601 with an offset; `extended` is the student's own later moment, if any."""

    assessment: WorkName
    due: str
    extended: str | None = None


class EnrolmentRow(Struct, frozen=True, forbid_unknown_fields=True):
    """A person's place on a module.

    Attributes:
        end_day: the last day.
        left_day: the first day after they left.
        leave: agreed absence.
        exempt: rules of the register that do not apply to them there.
        due: work that they have to hand in; what they need not is not listed.
    """

    person: Slug
    module: Slug
    start_day: IsoDate
    end_day: IsoDate
    left_day: IsoDate | None = None
    part_time: bool = False
    leave: Annotated[tuple[LeaveRow, ...], Meta(max_length=MOST)] = ()
    exempt: Annotated[tuple[Slug, ...], Meta(max_length=MOST)] = ()
    due: Annotated[tuple[DueRow, ...], Meta(max_length=MOST)] = ()


def wrong(row: EnrolmentRow, rules: Collection[str]) -> Iterator[tuple[str, str]]:
    """What is wrong with a row by itself: a short reason, and where it is and how to mend it."""
    named = [("start_day", row.start_day), ("end_day", row.end_day), ("left_day", row.left_day)]
    for number, leave in enumerate(row.leave):
        named += [(f"leave[{number}].first_day", leave.first_day), (f"leave[{number}].last_day", leave.last_day)]
    if unreal := [field for field, day in named if day is not None and _fails(dt.date.fromisoformat, day)]:
        yield "no-such-day", f"{', '.join(unreal)} must be a day of the calendar, as 2026-10-05"
        return
    if row.end_day < row.start_day:
        yield "ends-before-it-starts", "end_day must not be before start_day"
    for number, leave in enumerate(row.leave):
        if leave.last_day < leave.first_day:
            yield "leave-ends-before-it-starts", f"leave[{number}].last_day must not be before its first_day"
    if unknown := [rule for rule in row.exempt if rule not in rules]:
        yield "unknown-rule", f"exempt names {unknown}; the register's rules are {sorted(rules)}"
    yield from _wrong_due(row)


def place(row: EnrolmentRow) -> Enrolment:
    """The enrolment that a row states, in one order however it was sent."""
    due = [
        Due(
            assessment=work.assessment,
            due_ms=moment_ms(work.due),
            extended_ms=None if work.extended is None else moment_ms(work.extended),
        )
        for work in row.due
    ]
    leave = {Leave(first_day=span.first_day, last_day=span.last_day) for span in row.leave}
    return Enrolment(
        module=row.module,
        start_day=row.start_day,
        end_day=row.end_day,
        left_day=row.left_day,
        part_time=row.part_time,
        leave=tuple(sorted(leave, key=lambda span: (span.first_day, span.last_day))),
        exempt=tuple(sorted(set(row.exempt))),
        due=tuple(sorted(due, key=lambda work: (work.due_ms, work.assessment))),
    )


def stored(row: EnrolmentRow) -> dict[str, Any]:
    """A row as the database keeps it."""
    enrolment = place(row)
    columns = {name: getattr(enrolment, name) for name in Enrolment.__struct_fields__}
    lists = {name: to_builtins(list(columns[name])) for name in ("leave", "exempt", "due")}
    return {"person": row.person} | columns | lists


def _wrong_due(row: EnrolmentRow) -> Iterator[tuple[str, str]]:
    for number, work in enumerate(row.due):
        moments = {"due": work.due, "extended": work.extended}
        unread = {
            name: problem for name, moment in moments.items() if moment and (problem := _fails(moment_ms, moment))
        }
        for name, problem in unread.items():
            yield "no-such-moment", f"due[{number}].{name} {problem}; write it as 2026-10-05T12:00:00+01:00"
        if not unread and work.extended is not None and moment_ms(work.extended) < moment_ms(work.due):
            yield "extended-to-before-due", f"due[{number}].extended must not be before its due"
    names = [work.assessment for work in row.due]
    if twice := sorted({name for name in names if names.count(name) > 1}):
        yield "due-twice", f"due names {twice} more than once; give each piece of work one entry"


def _fails(read: Callable[[str], object], text: str) -> str:
    """What is wrong with a text by its reader; empty where it can be read."""
    try:
        read(text)
    except ValueError as error:
        return str(error)
    return ""
