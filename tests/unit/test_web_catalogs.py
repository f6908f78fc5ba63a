"""Every text for students and the public has its Welsh, and nothing else is in the catalogs."""

from __future__ import annotations

import re
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path

import pytest
from babel.messages.catalog import Catalog, Message
from babel.messages.checkers import python_format
from babel.messages.extract import extract_from_dir
from babel.messages.pofile import read_po, write_po
from jinja2 import Environment, nodes

from services.kernel.web.i18n.catalogs import SHARED
from tests.support import CHECKOUT

WEB, CONSENT = SHARED.parent, CHECKOUT / "services" / "consent" / "pages"
PLACES = {"kernel/web": WEB, "consent/pages": CONSENT}
FOR_STAFF = ("staff", "oversight")  # how the names of files or folders begin that are in English only
TEMPLATES = [
    file
    for folder in (WEB, CONSENT)
    for file in sorted(folder.rglob("*.html"))
    if not any(part.startswith(FOR_STAFF) for part in file.relative_to(folder).parts)
]
_JINJA = re.compile(r"\{%-? *trans.*?endtrans *-?%\}|\{#.*?#\}|\{%.*?%\}|\{\{.*?\}\}", re.DOTALL)
# Tags, attributes that a macro gives, characters by name, names of files, and ours.
_NOT_SHOWN = re.compile(r"<[^>]*>|[\w-]+=\"[^\"]*\"|&\w+;|\w+\.\w+|Signpost")
KEYWORDS = {"_": None, "gettext": None, "ngettext": (1, 2), "said": None}
HOW = [("**.py", "python"), ("**.html", "jinja2")]
OPTIONS = {"**.html": {"trimmed": "true", "trim_blocks": "true", "lstrip_blocks": "true", "silent": "false"}}


def written(folder: Path) -> dict[str | tuple[str, ...], str]:
    """Each text that the folder's templates and views want in the reader's language, and where."""
    found = extract_from_dir(str(folder), method_map=HOW, options_map=OPTIONS, keywords=KEYWORDS)
    return {
        message: f"{file}:{line}"
        for file, line, message, _, _ in found
        if message and not any(part.startswith(FOR_STAFF) for part in Path(file).parts)
    }


def catalog(folder: Path) -> Catalog:
    with (folder / "locale" / "cy.po").open("rb") as file:
        return read_po(file, locale="cy", abort_invalid=True)


def messages(folder: Path) -> Iterator[Message]:
    return (message for message in catalog(folder) if message.id)


def as_entries(missing: dict[str | tuple[str, ...], str]) -> str:
    """What to add to the catalog, ready to be filled in."""
    wanted = Catalog(locale="cy")
    for message, where in missing.items():
        wanted.add(message, auto_comments=[where])
    entries = BytesIO()
    write_po(entries, wanted, omit_header=True, width=0)
    return entries.getvalue().decode()


@pytest.mark.parametrize("place", PLACES)
def test_each_text_has_its_welsh(place: str) -> None:
    translated = {
        message.id
        for message in messages(PLACES[place])
        if message.string and all(_forms(message)) and not message.fuzzy
    }
    missing = {text: where for text, where in written(PLACES[place]).items() if text not in translated}
    assert not missing, f"add to services/{place}/locale/cy.po:\n\n{as_entries(missing)}"


@pytest.mark.parametrize("place", PLACES)
def test_the_catalog_holds_nothing_that_no_page_says(place: str) -> None:
    said = written(PLACES[place])
    assert [message.id for message in messages(PLACES[place]) if message.id not in said] == []


@pytest.mark.parametrize("place", PLACES)
def test_what_is_filled_in_is_the_same_in_both_languages(place: str) -> None:
    for message in messages(PLACES[place]):
        if message.python_format:
            python_format(catalog(PLACES[place]), message)


@pytest.mark.parametrize("file", TEMPLATES, ids=[str(file.relative_to(CHECKOUT / "services")) for file in TEMPLATES])
def test_nothing_is_written_into_a_template_past_the_catalog(file: Path) -> None:
    text = file.read_text("utf-8")
    shown = _NOT_SHOWN.sub(" ", _JINJA.sub(" ", text))
    assert re.findall(r"[^\W\d_]{2,}", shown) == []
    tree = Environment(extensions=["jinja2.ext.i18n"]).parse(text)
    asked = [id(node) for call in tree.find_all(nodes.Call) if _asks(call) for node in call.find_all(nodes.Const)]
    plain = [node.value for node in tree.find_all(nodes.Const) if id(node) not in asked]
    assert [value for value in plain if isinstance(value, str) and re.match(r"[A-Z]\w* \w", value)] == []


def _asks(call: nodes.Call) -> bool:
    return isinstance(call.node, nodes.Name) and call.node.name in {"_", "gettext", "ngettext"}


def _forms(message: Message) -> list[object]:
    return list(message.string) if isinstance(message.string, (list, tuple)) else [message.string]
