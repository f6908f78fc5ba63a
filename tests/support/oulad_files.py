"""OULAD's files in either form, made from rows."""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
from pyarrow import parquet

Rows = Sequence[Sequence[Any]]
CODES = ["code_module", "code_presentation"]
STUDENTS = 40
Tables = dict[str, tuple[list[str], list[list[Any]]]]


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


def tables() -> Tables:
    """Forty students on XYZ/2099J, of whom every third is silent and fails; and a second, short presentation."""
    of = ["XYZ", "2099J"]
    info = [
        [*of, n, "MF"[n % 2], "10-20" if n % 4 else "?", "0-35", "NY"[n % 5 == 0], "Fail" if n % 3 == 0 else "Pass"]
        for n in range(STUDENTS)
    ]
    registration = [[*of, n, "?" if n == 1 else -20, "?"] for n in range(STUDENTS)]
    clicks = [[*of, n, 70, day, 1 + n] for n in range(STUDENTS) if n % 3 for day in range(-5, 60, 1 + n % 4)]
    handed_in = [[900, n, 18 + n % 4, 0, 70] for n in range(STUDENTS) if n % 3]
    return {
        "courses": ([*CODES, "module_presentation_length"], [[*of, 60], ["ABC", "2099B", 30]]),
        "studentInfo": (
            [*CODES, "id_student", "gender", "imd_band", "age_band", "disability", "final_result"],
            [*info, ["ABC", "2099B", 5, "M", "?", "0-35", "N", "Withdrawn"]],
        ),
        "studentRegistration": (
            [*CODES, "id_student", "date_registration", "date_unregistration"],
            [*registration, ["ABC", "2099B", 5, 3, 9]],
        ),
        "vle": (["id_site", *CODES, "activity_type"], [[70, *of, "forumng"], [71, *of, "novelty"]]),
        "studentVle": ([*CODES, "id_student", "id_site", "date", "sum_click"], clicks),
        "assessments": (
            [*CODES, "id_assessment", "assessment_type", "date"],
            [[*of, 900, "TMA", 19], [*of, 901, "Exam", 20], [*of, 902, "CMA", "?"]],
        ),
        "studentAssessment": (["id_assessment", "id_student", "date_submitted", "is_banked", "score"], handed_in),
    }


def write(folder: Path, made: Mapping[str, tuple[list[str], Rows]], form: str = "csv") -> Path:
    """The tables as files of a form: csv, parquet, or partitioned."""
    for name, (columns, rows) in made.items():
        if form == "csv":
            write_csv(folder, name, columns, rows)
        elif form == "partitioned" and name == "studentVle":
            part = folder / "studentVle_ds" / "code_module=XYZ" / "code_presentation=2099J" / "part-0.parquet"
            write_parquet(part, columns[2:], [row[2:] for row in rows])
        else:
            write_parquet(folder / f"{name}.parquet", columns, rows)
    return folder
