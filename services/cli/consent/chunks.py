"""A registration file, cut into requests: a student's rows all in one, so that each can be judged by itself."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

ROWS = 2_000


@dataclass(slots=True)
class Chunk:
    """Some rows of a file.

    Attributes:
        body: CSV with a header.
        lines: the line of the file on which each of the rows begins.
    """

    body: bytes
    lines: list[int] = field(default_factory=list)


def chunks(content: bytes, rows: int = ROWS) -> list[Chunk]:
    """A CSV file's chunks, of about so many rows.

    Raises:
        InvalidMessage: it is no such file.
    """
    from services.consent.api.registration_forms import csv_records, decoded, header_of

    records = csv_records(decoded(content))
    _, header = next(records, (1, []))
    names = header_of(header)
    students: dict[str, list[tuple[int, list[str]]]] = {}
    for line, cells in records:
        person = dict(zip(names, cells, strict=False)).get("person", "")
        students.setdefault(person.casefold(), []).append((line, cells))
    return [_chunk(names, packed) for packed in _packed(list(students.values()), rows)]


def _packed(students: list[list[tuple[int, list[str]]]], rows: int) -> Iterator[list[tuple[int, list[str]]]]:
    packed: list[tuple[int, list[str]]] = []
    for theirs in students:
        if packed and len(packed) + len(theirs) > rows:
            yield packed
            packed = []
        packed += theirs
    if packed:
        yield packed


def _chunk(names: list[str], records: list[tuple[int, list[str]]]) -> Chunk:
    import csv
    import io

    text = io.StringIO()
    csv.writer(text).writerows([names, *(cells for _, cells in records)])
    return Chunk(text.getvalue().encode(), [line for line, _ in records])
