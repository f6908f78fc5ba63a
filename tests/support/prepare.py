"""Fetch and install what tests need, once, before they run side by side: the broker's jars, browsers, servers."""

from __future__ import annotations

from deploy.local.kafka.jars import broker_jars
from tests.support.brokers import JARS
from tests.support.programs import PROGRAMS, missing


def main() -> None:
    """Get everything that can be had; a test that lacks something says so itself."""
    broker_jars(JARS)
    for name in PROGRAMS:
        if not PROGRAMS[name].find():
            print(missing(name) or f"installed {name}, which some tests need")


if __name__ == "__main__":
    main()
