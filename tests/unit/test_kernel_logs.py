"""Log lines are JSON, one an event, ours and the libraries' alike."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from typing import Any

import pytest
import structlog

from services.kernel.logs import configure_logs, log


@pytest.fixture(autouse=True)
def restored() -> Iterator[None]:
    """Leaves the process's logging as it was."""
    root, before = logging.getLogger(), structlog.get_config()
    handlers, level = root.handlers[:], root.level
    root.handlers.clear()  # so that they are not closed when ours takes their place
    levels = {name: found.level for name, found in root.manager.loggerDict.items() if isinstance(found, logging.Logger)}
    yield
    root.handlers[:] = handlers
    root.setLevel(level)
    for name, former in levels.items():
        logging.getLogger(name).setLevel(former)
    structlog.configure(**before)
    structlog.contextvars.clear_contextvars()


def lines(capsys: pytest.CaptureFixture[str]) -> list[dict[str, Any]]:
    """What was written since the last time."""
    return [json.loads(line) for line in capsys.readouterr().err.splitlines()]


def test_a_line_says_what_where_and_when(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logs("notify")
    log("test.of.logs").warning("record_set_aside", topic="enrolments", partition=2, offset=7)
    [line] = lines(capsys)
    assert line.pop("timestamp").endswith("Z")
    assert line == {
        "event": "record_set_aside", "service": "notify", "logger": "test.of.logs", "level": "warning",
        "topic": "enrolments", "partition": 2, "offset": 7,
    }  # fmt: skip


def test_a_librarys_line_looks_the_same(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logs("notify")
    logging.getLogger("some.library").info("said %s", "this")
    [line] = lines(capsys)
    assert (line["event"], line["service"], line["logger"]) == ("said this", "notify", "some.library")


def test_talkative_libraries_are_heard_from_warnings_on(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logs("notify")
    logging.getLogger("aiokafka.consumer").info("joined the group")
    logging.getLogger("aiokafka.consumer").warning("lost the group")
    assert [line["event"] for line in lines(capsys)] == ["lost the group"]


def test_a_failure_brings_its_traceback_in_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logs("notify")
    try:
        int("wrong")
    except ValueError:
        log("test.of.failures").exception("failed")
    [line] = lines(capsys)
    assert "ValueError: invalid literal" in line["exception"]


def test_a_level_can_be_chosen(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logs("notify", logging.ERROR)
    log("test.of.levels").warning("heard by nobody")
    assert lines(capsys) == []
