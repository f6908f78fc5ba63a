"""Moments, dates, lists and amounts as the language that is spoken now writes them, readable by machines too.

The forms are CLDR's; what is counted has its words in the catalog, since CLDR lacks the Welsh ones.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable
from typing import Final
from zoneinfo import ZoneInfo

from babel.dates import format_date, format_datetime
from babel.lists import format_list
from babel.numbers import format_decimal
from markupsafe import Markup

from services.kernel.web.i18n.catalogs import gettext, language, ngettext

_LOCALES: Final = {"en": "en_GB", "cy": "cy"}
_DAY, _TIME = "d MMMM y", "HH:mm"
_CLOSE = 10  # below, two decimals are worth reading


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


def weekday(iso: str) -> str:
    """An ISO date as "Monday 2 February"."""
    return format_date(dt.date.fromisoformat(iso), "EEEE d MMMM", locale=_locale())


def amount(value: float, unit: str) -> str:
    """A figure with its unit, counted as the language counts: "1 day", "2 ddiwrnod", "0.3", "43.5%".

    Args:
        value: rounded to what is worth reading.
        unit: as the register names it; one that it does not ship is written behind the number as it is.
    """
    rounded = round(value, 2 if abs(value) < _CLOSE else 1)
    text = number(rounded).replace("-", "−")
    whole = int(rounded) if rounded == int(rounded) else 0  # fractions take the form that most numbers take
    if unit == "percent":
        return f"{text}%"
    return _counted(whole, text, unit) if unit else text


def _counted(whole: int, text: str, unit: str) -> str:
    forms = {
        "days": ngettext("%(num)s day", "%(num)s days", whole, num=text),
        "minutes": ngettext("%(num)s minute", "%(num)s minutes", whole, num=text),
        "actions": ngettext("%(num)s action", "%(num)s actions", whole, num=text),
        "sessions": ngettext("%(num)s session", "%(num)s sessions", whole, num=text),
        "kinds of activity": ngettext("%(num)s kind of activity", "%(num)s kinds of activity", whole, num=text),
        "pieces of work": ngettext("%(num)s piece of work", "%(num)s pieces of work", whole, num=text),
    }
    return forms.get(unit) or gettext("%(value)s %(unit)s", value=text, unit=unit)


def _locale() -> str:
    return _LOCALES.get(language(), language())


def _local(at_ms: int, zone: ZoneInfo) -> dt.datetime:
    return dt.datetime.fromtimestamp(at_ms // 1000, zone)


def _marked(at: dt.datetime, pattern: str) -> Markup:
    text = format_datetime(at, pattern, tzinfo=at.tzinfo, locale=_locale())
    return Markup('<time datetime="{}">{}</time>').format(at.isoformat(), text)
