"""The forms of a bulk registration: a spreadsheet's CSV and lines of JSON, and what is said where they are wrong."""

from __future__ import annotations

import json
from zoneinfo import ZoneInfo

import pytest

from services.consent.api.registration_body import Reader, RowError
from services.consent.api.registration_forms import COLUMNS, Form, form_of
from services.consent.notices import load_notices
from services.kernel.errors import InvalidMessage
from services.kernel.ids import Pseudonyms
from services.kernel.register import load_register
from tests.support.consent import row

REGISTER = load_register()
PSEUDONYMS = Pseudonyms("a secret")
READER = Reader(REGISTER, load_notices(REGISTER), PSEUDONYMS, ZoneInfo("Europe/London"))
HEADER = "person,purpose,source,state,from,until,notice,language"
LINE = "s1,individual-indicators,vle,given,2026-09-21T09:00:00+01:00,,2026-1,en"
REFUSED = "s2,tutor-notify,library,refused,2026-09-21T09:00:00+01:00,,2026-1,cy"


def read(text: str | bytes, form: Form = "csv") -> tuple[dict[str, int], list[RowError]]:
    """How many decisions of each student, and what is wrong."""
    decisions, errors = READER.read(text.encode() if isinstance(text, str) else text, form)
    return {student: len(said) for student, said in decisions.items()}, errors


BOTH = {PSEUDONYMS.of("s1"): 1, PSEUDONYMS.of("s2"): 1}


@pytest.mark.parametrize(
    "text",
    [
        f"{HEADER}\n{LINE}\n{REFUSED}\n",
        f"{HEADER}\r\n{LINE}\r\n{REFUSED}",
        f"\ufeff{HEADER}\n{LINE}\n\n,,,,,,,\n{REFUSED}\n",
        f"{HEADER}\n{LINE}\n{REFUSED}\n".replace(",", ";"),
        f"sep=;\n{HEADER}\n{LINE}\n{REFUSED}\n".replace(",", ";"),
        f"{HEADER}\n{LINE}\n{REFUSED}\n".replace(",", "\t"),
        f"{HEADER.upper()}\n{LINE.replace(',', ' , ')}\n{REFUSED}\n",
        "\n".join('"' + line.replace(",", '","') + '"' for line in (HEADER, LINE, REFUSED)),
    ],
    ids=["plain", "windows", "mark-and-empty-lines", "semicolons", "sep-line", "tabs", "blanks", "quoted"],
)
def test_what_spreadsheets_write_is_read(text: str) -> None:
    assert read(text) == (BOTH, [])


def test_columns_stand_in_any_order_and_until_may_be_left_out() -> None:
    text = "language,notice,from,state,source,purpose,person\nen,2026-1,2026-09-21T09:00:00Z,given,vle,student-view,s1"

    assert read(text) == ({PSEUDONYMS.of("s1"): 1}, [])


def test_the_three_forms_say_the_same() -> None:
    values = row("s1")
    line = ",".join(str(values.get(name, "")) for name in COLUMNS)
    forms: dict[Form, str] = {
        "json": json.dumps({"decisions": [values]}),
        "ndjson": json.dumps(values),
        "csv": f"{','.join(COLUMNS)}\n{line}",
    }
    (first, *others) = (READER.read(text.encode(), form) for form, text in forms.items())

    assert first[0]
    assert others == [first, first]


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "'person' is missing"),
        (f"{HEADER},fee\n", "'fee' is no column"),
        ("person,purpose,source,state,from,notice\n", "'language' is missing"),
        (f"{HEADER},person\n", "'person' is there twice"),
        (f"{HEADER}\n{LINE}".encode("utf-16"), "in UTF-16. Save it as CSV in UTF-8"),
        (f"{HEADER}\n{LINE}\ns\xe9,\n".encode("latin-1"), "Line 3 is not UTF-8"),
        (f'{HEADER}\n{LINE}\n"s2,tutor-notify\n', r"Line 3 cannot be read.*quotes closed"),
    ],
)
def test_a_file_that_is_none_is_refused_with_a_clear_word(text: str | bytes, problem: str) -> None:
    with pytest.raises(InvalidMessage, match=problem):
        read(text)


@pytest.mark.parametrize(
    ("line", "field", "problem", "mend"),
    [
        (LINE.replace("2026-09-21T09:00:00+01:00", "21/09/2026"), "from", "ISO 8601", "2026-09-21T09:00:00+01:00"),
        (LINE.replace("vle", ""), "source", "missing required field", "fields that the description"),
        ("s1", "purpose", "missing required field", "fields that the description"),
        (f"{LINE},more", "", "9 cells, and there are 8 columns", "write one decision"),
        (LINE.replace("individual-indicators", "special-category:health"), "purpose", "not declared", "student-view"),
        (LINE.replace("given", "refused"), "state", "contradicts another row", "said last"),
    ],
)
def test_a_wrong_row_is_found_by_its_line(line: str, field: str, problem: str, mend: str) -> None:
    """Also behind empty lines and a cell that goes over two lines."""
    two_lines = LINE.replace("s1", '"s\n3"')
    _, errors = read(f"{HEADER}\n{LINE}\n\n{two_lines}\n{line}\n")
    (error,) = errors

    assert (error.index, error.line, error.field) == (2, 6, field)
    assert problem in error.problem
    assert (error.other, error.other_line) == ((0, 2) if "contradicts" in problem else (None, None))
    assert mend in error.mend or mend in error.problem


def test_the_same_row_twice_is_no_contradiction() -> None:
    assert read(f"{HEADER}\n{LINE}\n{LINE}\n") == ({PSEUDONYMS.of("s1"): 2}, [])


def test_a_line_that_is_no_json_is_named() -> None:
    _, errors = read(f"{json.dumps(row())}\n\n{{\n[]\n", "ndjson")

    assert [(error.index, error.line) for error in errors] == [(1, 3), (2, 4)]
    assert "no JSON" in errors[0].problem


@pytest.mark.parametrize(
    ("content_type", "form"),
    [
        ("", "json"),
        ("application/json", "json"),
        ("text/csv", "csv"),
        ('Text/CSV; header=present; charset="UTF-8"', "csv"),
        ("application/x-ndjson", "ndjson"),
        ("application/jsonl; charset=utf-8", "ndjson"),
    ],
)
def test_the_content_type_says_which_form_it_is(content_type: str, form: Form) -> None:
    assert form_of(content_type) == form


def test_another_encoding_is_refused() -> None:
    with pytest.raises(InvalidMessage, match="windows-1252 is not read"):
        form_of("text/csv; charset=windows-1252")
