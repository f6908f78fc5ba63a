"""The three forms in which a registration can come: JSON, one JSON object a line, and CSV as spreadsheets write it.

Each becomes rows of named texts, with the line on which each begins, so that whatever is wrong can be found again.
"""

from __future__ import annotations

import codecs
import csv
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import msgspec
from msgspec import Struct

from services.kernel.errors import InvalidMessage

Form = Literal["json", "ndjson", "csv"]
REQUIRED = ("person", "purpose", "source", "state", "from", "notice", "language")
COLUMNS = (*REQUIRED, "until")
_MEDIA: Mapping[str, Form] = {"text/csv": "csv", "application/x-ndjson": "ndjson", "application/jsonl": "ndjson"}
_SEPARATORS = ",;\t"
_SAVE_AS = "Save it as CSV in UTF-8; a spreadsheet calls that “CSV UTF-8”."


@dataclass(frozen=True, slots=True)
class RawRow:
    """A row as it came.

    Attributes:
        index: among the rows, from 0.
        line: on which it begins, from 1; None where there are no lines to count.
        content: a dictionary, or whatever else came.
        problem: why it is no row at all; empty where it is one.
    """

    index: int
    line: int | None
    content: Any
    problem: str = ""


class _Body(Struct, frozen=True, forbid_unknown_fields=True):
    decisions: list[Any]


def form_of(content_type: str) -> Form:
    """The form that a request's Content-Type says; JSON where it says nothing of these.

    Raises:
        InvalidMessage: it says another encoding than UTF-8.
    """
    media, _, parameters = content_type.lower().partition(";")
    charset = parameters.replace(" ", "").replace('"', "").partition("charset=")[2].partition(";")[0]
    if charset and charset not in {"utf-8", "utf8", "us-ascii"}:
        raise InvalidMessage("encoding", f"The encoding {charset} is not read. {_SAVE_AS}")
    return _MEDIA.get(media.strip(), "json")


def rows(body: bytes, form: Form) -> list[RawRow]:
    """The rows of a body.

    Raises:
        InvalidMessage: it is no such body at all.
    """
    return list(_READERS[form](body))


def decoded(body: bytes) -> str:
    """The text of a CSV file, without the mark that spreadsheets put before it.

    Raises:
        InvalidMessage: it is in another encoding.
    """
    if body.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        raise InvalidMessage("encoding", f"The file is in UTF-16. {_SAVE_AS}")
    try:
        return body.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = body.count(b"\n", 0, error.start) + 1
        raise InvalidMessage("encoding", f"Line {line} is not UTF-8. {_SAVE_AS}") from error


def csv_records(text: str) -> Iterator[tuple[int, list[str]]]:
    """The records of a CSV file that are not empty, the header first, each with the line on which it begins.

    Commas, semicolons and tabs are told apart by the header; a first line `sep=;` is passed over.

    Raises:
        InvalidMessage: its quotes do not close.
    """
    lines = text.splitlines(keepends=True)
    skipped = 1 if lines and lines[0].strip().lower().startswith("sep=") else 0
    header = next((line for line in lines[skipped:] if line.strip()), "")
    separator = max(_SEPARATORS, key=header.count)
    reader = csv.reader(lines[skipped:], delimiter=separator, strict=True, skipinitialspace=True)
    begins = skipped + 1
    try:
        for cells in reader:
            if any(cell.strip() for cell in cells):
                yield begins, [cell.strip() for cell in cells]
            begins = skipped + reader.line_num + 1
    except csv.Error as error:
        raise InvalidMessage("csv", f"Line {begins} cannot be read: {error}. Are its quotes closed?") from error


def header_of(cells: Sequence[str]) -> list[str]:
    """The names of the columns.

    Raises:
        InvalidMessage: one is missing, unknown or there twice.
    """
    names = [cell.casefold() for cell in cells]
    problems = [f"{name!r} is no column" for name in names if name not in COLUMNS]
    problems += [f"{name!r} is missing" for name in REQUIRED if name not in names]
    problems += [f"{name!r} is there twice" for name in COLUMNS if names.count(name) > 1]
    if problems:
        raise InvalidMessage(
            "header", f"The first line must name the columns {', '.join(COLUMNS)}: {'; '.join(problems)}."
        )
    return names


def _of_json(body: bytes) -> Iterator[RawRow]:
    try:
        decisions = msgspec.json.decode(body, type=_Body).decisions
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise InvalidMessage(
            "not-a-registration",
            f'{error}. Send one JSON object: {{"decisions": [{{"person": …}}, …]}}; or one JSON object a line as '
            "application/x-ndjson, or text/csv.",
        ) from error
    return (RawRow(index, None, content) for index, content in enumerate(decisions))


def _of_lines(body: bytes) -> Iterator[RawRow]:
    filled = ((number, line) for number, line in enumerate(body.splitlines(), 1) if line.strip())
    for index, (number, line) in enumerate(filled):
        try:
            yield RawRow(index, number, msgspec.json.decode(line))
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            yield RawRow(index, number, None, f"it is no JSON: {error}")


def _of_csv(body: bytes) -> Iterator[RawRow]:
    records = csv_records(decoded(body))
    _, cells = next(records, (1, []))
    names = header_of(cells)
    for index, (line, cells) in enumerate(records):
        if len(cells) > len(names):
            yield RawRow(index, line, None, f"it has {len(cells)} cells, and there are {len(names)} columns")
        else:
            filled = {name: cell for name, cell in zip(names, cells, strict=False) if cell}
            yield RawRow(index, line, filled)


_READERS: Mapping[Form, Callable[[bytes], Iterator[RawRow]]] = {"json": _of_json, "ndjson": _of_lines, "csv": _of_csv}
