"""Languages with their catalogs, and the one that is spoken now."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar, Token
from dataclasses import dataclass, field
from gettext import NullTranslations
from io import BytesIO
from pathlib import Path

from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po
from babel.support import Translations

SOURCE = "en"  # the language in which texts are written in templates and views
NAMES = {"en": "English", "cy": "Cymraeg"}  # each in its own words
SHARED = Path(__file__).parents[1] / "locale"


@dataclass(frozen=True, slots=True)
class Language:
    """A language to speak in; `offered` are the codes that its reader may choose from."""

    code: str = SOURCE
    translations: NullTranslations = field(default_factory=NullTranslations)
    offered: tuple[str, ...] = (SOURCE,)


ENGLISH = Language()
_spoken: ContextVar[Language] = ContextVar("language", default=ENGLISH)


class Languages:
    """English, and each language that has a catalog `CODE.po` in one of the folders.

    The catalog of the shared pages is added to each. Without a folder, all is in English.

    Raises:
        OSError, ValueError: a catalog cannot be read.
    """

    def __init__(self, *folders: Path) -> None:
        files = [file for folder in folders for file in sorted(folder.glob("*.po"))]
        codes = (SOURCE, *dict.fromkeys(file.stem for file in files))
        self._languages = {code: Language(code, _translations(code, [*folders, SHARED]), codes) for code in codes}

    @property
    def codes(self) -> tuple[str, ...]:
        """All that is offered, English first."""
        return tuple(self._languages)

    def of(self, code: str) -> Language:
        """That language, or English where it is not offered."""
        return self._languages.get(code, self._languages[SOURCE])


def language() -> str:
    """The code of the language that is spoken now."""
    return _spoken.get().code


def offered() -> tuple[str, ...]:
    """The languages that the reader may choose from now."""
    return _spoken.get().offered


def speak(spoken: Language) -> Token[Language]:
    """From now on, for what runs for this request only."""
    return _spoken.set(spoken)


@contextmanager
def speaking(spoken: Language) -> Iterator[None]:
    """Speak it inside, for instance for a letter to somebody else than who asks."""
    token = speak(spoken)
    try:
        yield
    finally:
        _spoken.reset(token)


def gettext(message: str, **values: object) -> str:
    """The message in the language that is spoken now, with `%(name)s` filled in; a percent sign is written `%%`."""
    return _spoken.get().translations.gettext(message) % values


def ngettext(one: str, many: str, number: int, **values: object) -> str:
    """The same for something that is counted; `%(num)s` is the number."""
    return _spoken.get().translations.ngettext(one, many, number) % {"num": number, **values}


def message(text: str) -> str:
    """The text in the language that is spoken now, with nothing filled in; templates do so themselves."""
    return _spoken.get().translations.gettext(text)


def messages(one: str, many: str, number: int) -> str:
    """The same for something that is counted."""
    return _spoken.get().translations.ngettext(one, many, number)


def _translations(code: str, folders: Sequence[Path]) -> NullTranslations:
    files = [file for folder in folders if (file := folder / f"{code}.po").exists()]
    if not files:
        return NullTranslations()
    first, *others = map(_compiled, files)
    for other in others:
        first.merge(other)
    return first


def _compiled(file: Path) -> Translations:
    with file.open("rb") as text:
        catalog = read_po(text, locale=file.stem, abort_invalid=True)
    compiled = BytesIO()
    write_mo(compiled, catalog)
    compiled.seek(0)
    return Translations(compiled)
