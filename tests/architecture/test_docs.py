"""What README and the documents name is there: files, headings, commands, settings, metrics, addresses."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import click
import pytest
from pydantic import BaseModel

from services.cli import main
from services.kernel.metrics import ConsentMetrics, IndicatorMetrics, IngestMetrics, NotifyMetrics
from services.kernel.settings import CONFIG_VARIABLE, Settings
from tests.support import CHECKOUT
from tests.support.access import CONSENT, NOTIFY

DOCUMENTS = [CHECKOUT / "README.md", *sorted((CHECKOUT / "docs").rglob("*.md"))]
ROOTS = (CHECKOUT, CHECKOUT / "tests", CHECKOUT / "services", CHECKOUT / "services" / "consent")
PAGES = {
    str(section.port): {route.removeprefix("GET ") for route in routes}
    for section, routes in ((Settings().consent, CONSENT), (Settings().notify, NOTIFY))
}
SERVICES = (ConsentMetrics(), IngestMetrics(), IndicatorMetrics(), NotifyMetrics())
METRICS = {metric.name for service in SERVICES for metric in service.registry.collect()}
each_document = pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.relative_to(CHECKOUT).as_posix())


def quoted(text: str) -> Iterator[str]:
    """What stands between backticks, and each line of what stands in a block of code; breaks are blanks."""
    blocks = r"^```\w*\n(.*?)^```"
    for block in re.findall(blocks, text, re.MULTILINE | re.DOTALL):
        yield from block.replace("\\\n", " ").splitlines()
    for phrase in re.findall(r"`([^`]+)`", re.sub(blocks, "", text, flags=re.MULTILINE | re.DOTALL)):
        yield " ".join(phrase.split())


def anchors(document: Path) -> set[str]:
    """The names of its headings, as a forge makes them."""
    headings = re.findall(r"^#+ (.*)$", document.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}


def settings(of: type[BaseModel], prefix: str) -> Iterator[str]:
    """The names of all environment variables, those of whole sections too."""
    for name, field in of.model_fields.items():
        variable = f"{prefix}{name.upper()}"
        yield variable
        if isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel):
            yield from settings(field.annotation, f"{variable}__")


def commands(phrase: str) -> Iterator[list[str]]:
    """The words of each `signpost …` in a phrase."""
    for part in re.split(r"&&|;|\||>", phrase):
        words = shlex.split(part, comments=True)
        while words and ("=" in words[0] or words[0] in {"until", "export"}):
            words = words[1:]
        if words and words[0].removeprefix(".venv/bin/") == "signpost":
            yield words[1:]


def lacks(words: list[str]) -> str | None:
    """The first word that is no command or option of the command line."""
    at: click.Command = main
    for word in words:
        if isinstance(at, click.Group) and not word.startswith("-"):
            if word not in at.commands:
                return word
            at = at.commands[word]
        elif word.startswith("--"):
            known = {name for option in at.params for name in (*option.opts, *option.secondary_opts)}
            if word.partition("=")[0] not in known | {"--help"}:
                return word
    return None


@each_document
def test_every_link_leads_somewhere(document: Path) -> None:
    lost = []
    for link in re.findall(r"\]\(([^)]+)\)", document.read_text()):
        path, _, anchor = link.partition("#")
        target = document.parent / path if path else document
        if not link.startswith("https://") and not (target.exists() and (not anchor or anchor in anchors(target))):
            lost.append(link)
    assert lost == []


@each_document
def test_every_file_that_is_named_is_there(document: Path) -> None:
    roots = (*ROOTS, document.parent)
    named = [name for name in quoted(document.read_text()) if re.fullmatch(r"[\w.-]+(/[\w.*-]+)+/?", name)]
    known = (
        "services/",
        "tests/",
        "docs/",
        "deploy/",
        "unit/",
        "integration/",
        "architecture/",
        "e2e",
        "kernel/",
        "adr/",
    )
    assert [name for name in named if name.startswith(known) and not any(next(r.glob(name), None) for r in roots)] == []


@each_document
def test_every_command_and_option_that_is_named_is_there(document: Path) -> None:
    lines = [line for line in quoted(document.read_text()) if "signpost " in line]
    assert [(words, word) for line in lines for words in commands(line) if (word := lacks(words))] == []


@each_document
def test_every_setting_that_is_named_is_there(document: Path) -> None:
    known = {CONFIG_VARIABLE, *settings(Settings, "SIGNPOST_")}
    assert set(re.findall(r"\bSIGNPOST_[A-Z][A-Z_]*[A-Z]\b", document.read_text())) - known == set()


@each_document
def test_every_metric_that_is_named_is_there(document: Path) -> None:
    named = set(re.findall(r"`(signpost_\w+)", document.read_text()))
    assert {name for name in named if name.removesuffix("_total") not in METRICS} == set()


@each_document
def test_every_page_of_this_machine_that_is_named_is_there(document: Path) -> None:
    named = re.findall(r"http://127\.0\.0\.1:(\d+)(/[\w./-]*)?", document.read_text())
    assert [(port, path) for port, path in named if port in PAGES and path not in PAGES[port]] == []
