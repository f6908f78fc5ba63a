"""Fixtures: a real browser and a page of it; mark the test `needs("chromium")`."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

from tests.support.programs import path_of

# --no-sandbox: as root Chromium does not start with it; it only ever opens pages of our own servers.
_ARGUMENTS = (
    "--no-sandbox",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-dev-shm-usage",
    "--disable-gpu",
    "--no-first-run",
)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Chromium, without a window. For one module: while it lives, its thread cannot run another event loop."""
    with sync_playwright() as playwright:
        running = playwright.chromium.launch(executable_path=path_of("chromium"), args=list(_ARGUMENTS))
        yield running
        running.close()


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    """A page with cookies of its own."""
    context = browser.new_context(locale="en-GB", timezone_id="Europe/London")
    yield context.new_page()
    context.close()
