"""OULAD's files in either form, made from rows."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
from pyarrow import parquet

Rows = Sequence[Sequence[Any]]


def write_csv(folder: Path, name: str, columns: Sequence[str], rows: Rows) -> None:
    with (folder / f"{name}.csv").open("w", encoding="utf-8", newline="") as file:
        csv.writer(file, quoting=csv.QUOTE_ALL).writerows([columns, *rows])


def write_parquet(file: Path, columns: Sequence[str], rows: Rows) -> None:
    """Numbers as floats, missing ones as null, as the dataset's usual Parquet form has them."""
    values = {
        column: [float(v) if isinstance(v, int) else None if v in ("", "?") else v for v in column_values]
        for column, column_values in zip(columns, zip(*rows, strict=True), strict=True)
    }
    file.parent.mkdir(parents=True, exist_ok=True)
    parquet.write_table(pa.table(values), file)
