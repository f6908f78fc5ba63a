"""OULAD's tables off the disk, in either form: the official CSV files, or Parquet files of the same names.

A table may also be a folder `NAME_ds` of Parquet files, partitioned as `code_module=…/code_presentation=…`. Numbers
come as "11391" or 11391.0, and a missing one as nothing, "?" or NaN.
"""

from __future__ import annotations

import csv
import math
from collections.abc import Callable, Iterator, Sequence
from itertools import chain
from pathlib import Path
from typing import Any

from services.kernel.errors import ConfigurationError

Key = tuple[str, str]  # module, presentation
_CODES = ("code_module", "code_presentation")


def read(
    folder: Path, table: str, *, texts: Sequence[str] = (), numbers: Sequence[str] = (), only: Key | None = None
) -> Iterator[tuple[Any, ...]]:
    """The rows of a table: the texts, then the numbers as `int`, or None where one is missing.

    `only` keeps the rows of one module and presentation.

    Raises:
        ConfigurationError: a file, a column or a number in it is missing or wrong; the message says which.
    """
    for where, row in _rows(folder, table, (*texts, *numbers), only):
        yield (*row[: len(texts)], *_numbers(where, numbers, row[len(texts) :]))


def _rows(
    folder: Path, table: str, columns: Sequence[str], only: Key | None
) -> Iterator[tuple[Callable[[], str], Sequence[Any]]]:
    if (file := folder / f"{table}.csv").is_file():
        return _only(_csv(file, (*_wanted(only), *columns)), only)
    if (parts := folder / f"{table}_ds").is_dir():
        return _partitioned(parts, columns, only)
    if (file := folder / f"{table}.parquet").is_file():
        return _only(_parquet(file, (*_wanted(only), *columns)), only)
    raise ConfigurationError(
        f"{folder} holds no {table}.csv, {table}.parquet or {table}_ds: name the folder with OULAD's files"
    )


def _wanted(only: Key | None) -> Sequence[str]:
    return _CODES if only else ()


def _only(
    rows: Iterator[tuple[Callable[[], str], Sequence[Any]]], only: Key | None
) -> Iterator[tuple[Callable[[], str], Sequence[Any]]]:
    if only is None:
        return rows
    module, presentation = only
    return ((at, row[2:]) for at, row in rows if row[0] == module and row[1] == presentation)


def _csv(file: Path, columns: Sequence[str]) -> Iterator[tuple[Callable[[], str], Sequence[str]]]:
    with file.open(encoding="utf-8-sig", newline="") as text:
        lines = csv.reader(text)
        places = _places(file, next(lines, []), columns)

        def where() -> str:
            return f"{file.name} line {lines.line_num}"

        for line in lines:
            try:
                yield where, [line[place] for place in places]
            except IndexError:
                raise ConfigurationError(f"{where()} has too few columns: {len(line)}") from None


def _parquet(file: Path, columns: Sequence[str]) -> Iterator[tuple[Callable[[], str], Sequence[Any]]]:
    try:
        from pyarrow.parquet import ParquetFile  # noqa: PLC0415 - only this form needs it
    except ImportError:
        raise ConfigurationError(f"{file} needs pyarrow: pip install 'signpost[local]'") from None
    with ParquetFile(file) as parquet:
        _places(file, parquet.schema_arrow.names, columns)
        for batch in parquet.iter_batches(columns=list(columns)):
            values = batch.to_pydict()
            for row in zip(*(values[column] for column in columns), strict=True):
                yield lambda: file.name, row


def _partitioned(
    parts: Path, columns: Sequence[str], only: Key | None
) -> Iterator[tuple[Callable[[], str], Sequence[Any]]]:
    module, presentation = only or ("*", "*")
    files = sorted(parts.glob(f"code_module={module}/code_presentation={presentation}/*.parquet"))
    if not files:
        raise ConfigurationError(f"{parts} holds no Parquet file of {module}/{presentation}")
    return chain.from_iterable(_parquet(file, columns) for file in files)


def _places(file: Path, names: Sequence[str], columns: Sequence[str]) -> list[int]:
    if missing := [column for column in columns if column not in names]:
        raise ConfigurationError(f"{file} has no column {', '.join(missing)}: its columns are {', '.join(names)}")
    return [names.index(column) for column in columns]


def _numbers(where: Callable[[], str], columns: Sequence[str], values: Sequence[Any]) -> Iterator[int | None]:
    for column, value in zip(columns, values, strict=True):
        try:
            yield _number(value)
        except ValueError:
            raise ConfigurationError(f"{where()}: {column} is {value!r}, which is no number") from None


def _number(value: Any) -> int | None:
    if value is None or value in ("", "?"):
        return None
    number = float(value)
    return None if math.isnan(number) else int(number)
