"""`/metrics`, `/health/live` and `/health/ready`, the same for every service."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from fastapi import APIRouter, Response
from fastapi.responses import JSONResponse
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest

Check = Callable[[], str | None]  # what is wrong, or None while it is well


def operations(registry: CollectorRegistry, checks: Mapping[str, Check]) -> APIRouter:
    """Routes for the platform. Live: the process answers. Ready: every check is well; the answer names those not."""
    router = APIRouter(include_in_schema=False)

    @router.get("/metrics")
    def metrics() -> Response:
        return Response(generate_latest(registry), media_type=CONTENT_TYPE_LATEST)

    @router.get("/health/live")
    def live() -> dict[str, bool]:
        return {"live": True}

    @router.get("/health/ready")
    def ready() -> JSONResponse:
        problems = {name: problem for name, check in checks.items() if (problem := check())}
        body = {"ready": not problems, "checks": {name: problems.get(name, "ok") for name in checks}}
        return JSONResponse(body, status_code=503 if problems else 200)

    return router
