"""Reading text strictly: JSON without its loopholes, and points in time that mean one moment only."""

from __future__ import annotations

import datetime as dt
import json
import re
from typing import Any

from services.ingest.domain import Refused

DEPTH = 32
_EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
_MILLISECOND = dt.timedelta(milliseconds=1)
_MOMENT = re.compile(
    r"\d{4}-\d\d-\d\dT\d\d:\d\d(?::\d\d(?:[.,]\d+)?)?(?:Z|\+\d\d(?::?\d\d)?|-(?!00:?(?:00)?\Z)\d\d(?::?\d\d)?)\Z"
)


def read_json(data: bytes) -> Any:
    """The JSON document, with exactly one meaning.

    Raises:
        Refused: it is not UTF-8 or not JSON, an object has a key twice, a number is not finite, text holds half a
            surrogate pair, or it nests too deeply.
    """
    try:
        text = data.decode("utf-8")
        found = _decode(text)
        if "\\u" in text:
            json.dumps(found, ensure_ascii=False).encode()
    except (UnicodeDecodeError, UnicodeEncodeError) as error:
        raise Refused("bad-utf-8", f"The text is not valid Unicode in UTF-8: {error.reason}. {_AS_UTF8}") from None
    except json.JSONDecodeError as error:
        where = f"line {error.lineno}, column {error.colno}"
        raise Refused("not-json", f"This is no JSON document: {error.msg} at {where}.") from None
    except RecursionError:
        raise Refused("too-deep", f"The document nests too deeply; {DEPTH} levels are allowed.") from None
    except ValueError:
        raise Refused("not-json", "A number in it has too many digits; write at most 300.") from None
    return found


def field_names(value: Any, depth: int = 0) -> set[str]:
    """Every key of every object in the document.

    Raises:
        Refused: it nests too deeply.
    """
    if depth > DEPTH:
        raise Refused("too-deep", f"The document nests too deeply; {DEPTH} levels are allowed.")
    names = set(value) if isinstance(value, dict) else set()
    for inner in value.values() if isinstance(value, dict) else value:
        if isinstance(inner, dict | list):
            names |= field_names(inner, depth + 1)
    return names


def moment_ms(text: str, latest_ms: int | None) -> int:
    """Milliseconds since 1970 of an ISO 8601 date and time with its offset.

    Raises:
        Refused: it is no such text, it is before 1970, or after `latest_ms`.
    """
    if not _MOMENT.match(text):
        raise Refused("bad-time", _AS_MOMENT)
    try:
        at_ms = (dt.datetime.fromisoformat(text.replace(",", ".")) - _EPOCH) // _MILLISECOND
    except (ValueError, OverflowError):
        raise Refused("bad-time", f"There is no such date, time or offset. {_AS_MOMENT}") from None
    if at_ms < 0:
        raise Refused("bad-time", "The time is before 1970; check the source system's clock and format.")
    if latest_ms is not None and at_ms > latest_ms:
        raise Refused("in-the-future", "The time is too far in the future; check the source system's clock and zone.")
    return at_ms


_AS_UTF8 = "Encode it as UTF-8, without lone surrogates."
_AS_MOMENT = "Write the time as ISO 8601 with date, time and offset, such as 2026-02-03T10:15:00+00:00."


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    made = dict(pairs)
    if len(made) != len(pairs):
        raise Refused("duplicate-key", "An object has the same key twice; send each key once.")
    return made


def _not_a_number(_name: str) -> Any:
    raise Refused("not-json", "NaN and Infinity are no JSON numbers; leave the field out.")


def _finite(text: str) -> float:
    value = float(text)
    if value in (float("inf"), float("-inf")):
        raise Refused("not-json", "A number in it is too large to be read.")
    return value


_decode = json.JSONDecoder(object_pairs_hook=_unique, parse_constant=_not_a_number, parse_float=_finite).decode
