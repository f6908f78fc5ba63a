"""Gives every test the shared fixtures; each stands in its module of `tests/support`."""

from hypothesis import HealthCheck, settings

# A slow machine is no fault: nothing here is judged by how long it takes.
settings.register_profile("untimed", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("untimed")

pytest_plugins = [
    "tests.support.programs",
    "tests.support.brokers",
    "tests.support.databases",
    "tests.support.browsers",
    "tests.support.consent",
    "tests.support.identity",
    "tests.support.notify",
    "tests.support.sites",
]
