"""Moments, dates and lists as the language that is spoken now writes them (CLDR), readable by machines too."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable
from typing import Final
from zoneinfo import ZoneInfo

from babel.dates import format_date, format_datetime
from babel.lists import format_list
from babel.numbers import format_decimal
from markupsafe import Markup

from services.kernel.web.i18n.catalogs import language

_LOCALES: Final = {"en": "en_GB", "cy": "cy"}
_DAY, _TIME = "d MMMM y", "HH:mm"


def moment(at_ms: int, *, zone: ZoneInfo) -> Markup:
    """A moment as "24 January 2014, 10:02" in the institution's time."""
    return _marked(_local(at_ms, zone), f"{_DAY}, {_TIME}")


def clock_time(at_ms: int, *, zone: ZoneInfo) -> Markup:
    """A moment as "10:02:07" in the institution's time."""
    return _marked(_local(at_ms, zone), f"{_TIME}:ss")


def date(at_ms: int, *, zone: ZoneInfo) -> Markup:
    """The local date of a moment as "24 January 2014"."""
    return day(_local(at_ms, zone).date().isoformat())


def day(iso: str) -> Markup:
    """An ISO date as "24 January 2014"."""
    text = format_date(dt.date.fromisoformat(iso), _DAY, locale=_locale())
    return Markup('<time datetime="{}">{}</time>').format(iso, text)


def listed(parts: Iterable[str]) -> str:
    """Names in a row: "a, b and c". Welsh has commas only, since its "and" would change the word that follows."""
    names = list(parts)
    return ", ".join(names) if language() == "cy" else format_list(names, locale=_locale())


def number(value: float) -> str:
    """A number as "1,234.5"."""
    return format_decimal(value, locale=_locale())


def _locale() -> str:
    return _LOCALES.get(language(), language())


def _local(at_ms: int, zone: ZoneInfo) -> dt.datetime:
    return dt.datetime.fromtimestamp(at_ms // 1000, zone)


def _marked(at: dt.datetime, pattern: str) -> Markup:
    text = format_datetime(at, pattern, tzinfo=at.tzinfo, locale=_locale())
    return Markup('<time datetime="{}">{}</time>').format(at.isoformat(), text)
