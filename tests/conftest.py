"""Gives every test the shared fixtures; each stands in its module of `tests/support`."""

pytest_plugins = [
    "tests.support.programs",
    "tests.support.brokers",
    "tests.support.databases",
    "tests.support.browsers",
    "tests.support.consent",
    "tests.support.identity",
    "tests.support.sites",
]
