"""OULAD's tables as columns, from either form: the official CSV files, or Parquet files of the same names.

`oulad_files` gives rows, for a replay that takes its time; here ten million rows are read in seconds. Texts come as
arrays of `str`, "" where one is missing; numbers as floats, NaN where there is nothing, "?" or NaN.
"""

from __future__ import annotations

import csv
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from services.kernel.errors import ConfigurationError

try:
    import pyarrow as pa
    from pyarrow import compute as pc
    from pyarrow import csv as pa_csv
    from pyarrow.parquet import ParquetFile
except ImportError:  # it comes with what runs on one machine only
    raise ConfigurationError("Reading OULAD needs pyarrow: pip install 'signpost[local]'") from None

CODES = ("code_module", "code_presentation")
_MISSING = ["", "?", "NaN", "nan", "NA", "null", "None"]
_BLOCK = 1 << 24  # bytes of a CSV file at a time
_ROWS = 1 << 19  # of a Parquet file at a time

Columns = Mapping[str, Any]  # name → [rows], of str or of float64
Told = Callable[[float], None]  # the share of a table that is read


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which columns of a table: texts, and numbers."""

    table: str
    texts: Sequence[str]
    numbers: Sequence[str]

    @property
    def names(self) -> list[str]:
        """All of them."""
        return [*self.texts, *self.numbers]


def whole(folder: Path, wanted: Wanted) -> Columns:
    """All rows of a small table.

    Raises:
        ConfigurationError: the folder, the file or a column is missing, or holds what it should not; the message says
            which, and how to mend it.
    """
    parts = list(pieces(folder, wanted))
    return {name: np.concatenate([part[name] for part in parts]) for name in wanted.names}


def pieces(
    folder: Path, wanted: Wanted, told: Told = lambda _share: None, only: Collection[str] | None = None
) -> Iterator[Columns]:
    """The rows of a large table, some at a time; at least one piece, which may be empty.

    `only` names presentations, such as "BBB/2013J": parts of a folder that hold none of them are passed over.

    Raises:
        ConfigurationError: as `whole`.
    """
    for file, batch, given in _batches(folder, wanted, told, only):
        columns = {name: batch.column(name) for name in batch.schema.names}
        yield given | {
            name: _texts(columns[name]) if name in wanted.texts else _floats(file, name, columns[name])
            for name in wanted.names
            if name not in given
        }


def _batches(
    folder: Path, wanted: Wanted, told: Told, only: Collection[str] | None
) -> Iterator[tuple[Path, Any, dict[str, Any]]]:
    """Batches with their file, and the columns that are in none because the folders' names say them."""
    if not folder.is_dir():
        raise ConfigurationError(f"{folder} is no folder: name the one with OULAD's files")
    if (file := folder / f"{wanted.table}.csv").is_file():
        yield from ((file, batch, {}) for batch in _csv(file, wanted, told))
    elif parts := sorted((folder / f"{wanted.table}_ds").glob("code_module=*/code_presentation=*/*.parquet")):
        for number, file in enumerate(parts):
            codes = [part.partition("=")[2] for part in file.parts[-3:-1]]
            told(number / len(parts))
            if only is not None and "/".join(codes) not in only:
                continue
            for batch in _parquet(file, _without_codes(wanted), lambda _share: None):
                yield file, batch, {n: np.full(len(batch), c, object) for n, c in zip(CODES, codes, strict=True)}
    elif (file := folder / f"{wanted.table}.parquet").is_file():
        yield from ((file, batch, {}) for batch in _parquet(file, wanted, told))
    else:
        raise ConfigurationError(
            f"{folder} holds no {wanted.table}.csv, {wanted.table}.parquet or {wanted.table}_ds: "
            "name the folder with all of OULAD's files"
        )
    told(1.0)


def _without_codes(wanted: Wanted) -> Wanted:
    return Wanted(wanted.table, [text for text in wanted.texts if text not in CODES], wanted.numbers)


def _csv(file: Path, wanted: Wanted, told: Told) -> Iterator[Any]:
    with file.open(encoding="utf-8-sig", newline="", errors="replace") as text:
        _check(file, next(csv.reader(text), []), wanted)
    kinds = dict.fromkeys(wanted.texts, pa.dictionary(pa.int32(), pa.string()))
    kinds |= dict.fromkeys(wanted.numbers, pa.float64())
    size = max(file.stat().st_size, 1)
    try:
        with file.open("rb") as opened:
            reader = pa_csv.open_csv(
                opened,
                read_options=pa_csv.ReadOptions(block_size=_BLOCK),
                convert_options=pa_csv.ConvertOptions(
                    column_types=kinds,
                    include_columns=wanted.names,
                    null_values=_MISSING,
                    strings_can_be_null=True,
                ),
            )
            yield _empty(reader.schema, wanted)
            for batch in reader:
                told(opened.tell() / size)
                yield batch
    except (pa.ArrowException, OSError) as error:
        raise ConfigurationError(f"{file} cannot be read: {error}. Fetch it anew, or mend that line") from None


def _parquet(file: Path, wanted: Wanted, told: Told) -> Iterator[Any]:
    try:
        with ParquetFile(file) as parquet:
            _check(file, parquet.schema_arrow.names, wanted)
            done, rows = 0, max(parquet.metadata.num_rows, 1)
            yield pa.RecordBatch.from_pylist(
                [], schema=pa.schema([parquet.schema_arrow.field(n) for n in wanted.names])
            )
            for batch in parquet.iter_batches(batch_size=_ROWS, columns=wanted.names):
                yield batch
                told((done := done + len(batch)) / rows)
    except (pa.ArrowException, OSError) as error:
        raise ConfigurationError(f"{file} is no Parquet file that can be read: {error}. Fetch it anew") from None


def _empty(schema: Any, wanted: Wanted) -> Any:
    return pa.RecordBatch.from_pylist([], pa.schema([schema.field(name) for name in wanted.names]))


def _check(file: Path, names: Sequence[str], wanted: Wanted) -> None:
    if missing := [name for name in wanted.names if name not in names]:
        raise ConfigurationError(
            f"{file} has no column {', '.join(missing)}: its columns are {', '.join(names) or 'none'}. "
            "Name a folder with OULAD's files as they were published"
        )


def _texts(column: Any) -> Any:
    """[rows] of str."""
    plain = column.cast(pa.large_string())
    return np.asarray(pc.fill_null(plain, "").to_numpy(zero_copy_only=False), dtype=object)


def _floats(file: Path, name: str, column: Any) -> Any:
    """[rows] of float64."""
    if pa.types.is_dictionary(column.type):
        column = column.dictionary_decode()
    if pa.types.is_string(column.type) or pa.types.is_large_string(column.type):
        trimmed = pc.utf8_trim_whitespace(column)
        column = pc.if_else(pc.is_in(trimmed, pa.array(_MISSING, trimmed.type)), None, trimmed)
    try:
        return np.asarray(column.cast(pa.float64()).to_numpy(zero_copy_only=False), dtype=np.float64)
    except pa.ArrowInvalid as error:
        raise ConfigurationError(f"{file}: {name} holds what is no number: {error}") from None
