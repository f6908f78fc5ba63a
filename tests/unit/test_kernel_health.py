"""What a platform asks each service: does it live, can it work, what does it count."""

from __future__ import annotations

from collections.abc import Mapping

from fastapi import FastAPI
from fastapi.testclient import TestClient
from prometheus_client import CollectorRegistry, Counter

from services.kernel.health import Check, operations


def client(checks: Mapping[str, Check], registry: CollectorRegistry | None = None) -> TestClient:
    """A service that has nothing but these routes."""
    app = FastAPI()
    app.include_router(operations(registry or CollectorRegistry(), checks))
    return TestClient(app)


def test_ready_while_every_check_is_well() -> None:
    answer = client({"database": lambda: None, "broker": lambda: None}).get("/health/ready")
    assert answer.status_code == 200
    assert answer.json() == {"ready": True, "checks": {"database": "ok", "broker": "ok"}}


def test_not_ready_says_what_is_wrong_and_what_is_not() -> None:
    answer = client({"database": lambda: None, "broker": lambda: "does not answer"}).get("/health/ready")
    assert answer.status_code == 503
    assert answer.json() == {"ready": False, "checks": {"database": "ok", "broker": "does not answer"}}


def test_it_lives_also_while_it_is_not_ready() -> None:
    answer = client({"broker": lambda: "does not answer"}).get("/health/live")
    assert answer.status_code == 200
    assert answer.json() == {"live": True}


def test_each_question_is_checked_anew() -> None:
    problems: list[str | None] = ["starting", None]
    asked = client({"shards": lambda: problems.pop(0)})
    assert [asked.get("/health/ready").status_code for _ in range(2)] == [503, 200]


def test_metrics_are_those_of_the_services_registry() -> None:
    registry = CollectorRegistry()
    Counter("signpost_things", "Things counted", registry=registry).inc(2)
    answer = client({}, registry).get("/metrics")
    assert answer.headers["content-type"].startswith("text/plain; version=")
    assert "signpost_things_total 2.0" in answer.text


def test_the_routes_are_no_part_of_the_described_interface() -> None:
    assert client({}).get("/openapi.json").json()["paths"] == {}
