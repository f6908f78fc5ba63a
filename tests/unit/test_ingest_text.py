"""Reading JSON and times strictly."""

from __future__ import annotations

import datetime as dt
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.ingest.domain import Refused
from services.ingest.formats.text import DEPTH, field_names, moment_ms, read_json

_TEXT = st.text(st.characters(exclude_categories=["Cs"]))
_DOCUMENTS = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(10**18), 10**18)
    | st.floats(allow_nan=False, allow_infinity=False)
    | _TEXT,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(_TEXT, inner, max_size=4),
    max_leaves=20,
)


def refusal(data: bytes) -> str:
    """The reason why a document is refused."""
    with pytest.raises(Refused) as caught:
        read_json(data)
    return caught.value.reason


@given(document=_DOCUMENTS, escaped=st.booleans())
def test_what_is_json_is_read_as_it_was_meant(*, document: Any, escaped: bool) -> None:
    assert read_json(json.dumps(document, ensure_ascii=escaped).encode()) == document


@given(st.binary(max_size=60))
def test_any_bytes_are_read_or_refused(data: bytes) -> None:
    """Nothing but a refusal comes out of bytes that nobody foresaw."""
    try:
        read_json(data)
    except Refused as refused:
        assert refused.detail  # noqa: PT017 - either is right


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b'{"a": 1, "a": 2}', "duplicate-key"),
        (b'{"b": [{"a": 1, "a": 1}]}', "duplicate-key"),
        (b'{"a": NaN}', "not-json"),
        (b"[-Infinity]", "not-json"),
        (b"[1e999]", "not-json"),
        (b"[" + b"9" * 5000 + b"]", "not-json"),
        (b'["\xff"]', "bad-utf-8"),
        (b'["\\ud800"]', "bad-utf-8"),
        (b'{"\\udc00": 1}', "bad-utf-8"),
        (b"\xef\xbb\xbf{}", "not-json"),
        (b"{'a': 1}", "not-json"),
        (b"{} {}", "not-json"),
        (b"", "not-json"),
        (b"[" * 100_000, "too-deep"),
    ],
)
def test_loopholes_of_json_are_refused(data: bytes, reason: str) -> None:
    assert refusal(data) == reason


def test_a_refusal_repeats_nothing_of_the_document() -> None:
    for data in (
        b'{"secret-name": "secret-value", }',
        b'["secret-value \\ud800"]',
        b'{"secret-name":1,"secret-name":1}',
    ):
        with pytest.raises(Refused) as caught:
            read_json(data)
        assert "secret" not in caught.value.detail


def test_field_names_are_found_at_every_depth() -> None:
    assert field_names({"a": [{"b": {"c": 1}}, [[{"d": 0}]]], "e": "f"}) == {"a", "b", "c", "d", "e"}


def test_nesting_has_an_end() -> None:
    document: Any = {}
    for _ in range(DEPTH + 1):
        document = [document]
    with pytest.raises(Refused, match="levels"):
        field_names(document)


@given(st.datetimes(dt.datetime(1970, 1, 2), dt.datetime(2200, 1, 1), timezones=st.timezones()))  # noqa: DTZ001 - with zones
def test_every_moment_is_read_to_the_millisecond(moment: dt.datetime) -> None:
    if moment.utcoffset() and moment.utcoffset() % dt.timedelta(minutes=1):  # type: ignore[operator]  # checked before
        return  # local mean times of old have seconds in their offset, which no system writes
    assert moment_ms(moment.isoformat().replace("-00:00", "+00:00"), None) == int(moment.timestamp() * 1000 // 1)


@pytest.mark.parametrize(
    "text",
    [
        "2026-02-03T10:15:00Z",
        "2026-02-03T10:15Z",
        "2026-02-03T10:15:00,000+00:00",
        "2026-02-03T11:15:00.000000+0100",
        "2026-02-03T09:15:00-01",
    ],
)
def test_the_usual_forms_of_iso_8601_are_read(text: str) -> None:
    assert moment_ms(text, None) == 1_770_113_700_000


@pytest.mark.parametrize(
    "text",
    [
        "2026-02-03T10:15:00",
        "2026-02-03",
        "2026-02-03 10:15:00Z",
        "2026-02-30T10:15:00Z",
        "2026-02-03T25:15:00Z",
        "2026-02-03T10:15:00-00:00",
        "2026-02-03T10:15:00+99:00",
        "1969-12-31T23:59:59Z",
        "0000-01-01T00:00:00Z",
        "20260203T101500Z",
        "1770113700",
        "",
    ],
)
def test_a_time_that_is_not_one_moment_is_refused(text: str) -> None:
    with pytest.raises(Refused) as caught:
        moment_ms(text, None)
    assert caught.value.reason == "bad-time"


def test_a_time_beyond_the_latest_allowed_is_refused() -> None:
    assert moment_ms("2026-02-03T10:15:00Z", 1_770_113_700_000) == 1_770_113_700_000
    with pytest.raises(Refused) as caught:
        moment_ms("2026-02-03T10:15:00.001Z", 1_770_113_700_000)
    assert caught.value.reason == "in-the-future"
