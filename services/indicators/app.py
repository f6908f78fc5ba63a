"""Wires the indicators worker: the Faust app with its shards, and the operations' routes in a thread beside it."""

from __future__ import annotations

import gc
import threading

import uvicorn
from fastapi import FastAPI

from services.indicators.agents import Worker
from services.kernel.health import operations
from services.kernel.metrics import IndicatorMetrics
from services.kernel.settings import Settings


def run_worker(settings: Settings) -> None:
    """Work until told to stop by SIGINT or SIGTERM; an unforeseen error ends the process with a code other than 0."""
    # Millions of long-lived objects, hardly any in a cycle: looking through them often finds nothing and costs much.
    gc.set_threshold(50_000, 20, 100)
    metrics = IndicatorMetrics()
    worker = Worker(settings, metrics)
    routes = FastAPI(title="Signpost indicators", openapi_url=None)
    routes.include_router(operations(metrics.registry, {"shards": worker.problem}))
    server = _serve(routes, settings)
    try:
        worker.app.Worker(override_logging=False, redirect_stdouts=False, quiet=True).execute_from_commandline()
    finally:
        server.should_exit = True


def _serve(routes: FastAPI, settings: Settings) -> uvicorn.Server:
    """Serve in a thread, which leaves signals to Faust and goes on answering while the shards are busy."""
    where = settings.indicators
    server = uvicorn.Server(uvicorn.Config(routes, host=where.host, port=where.port, log_config=None, access_log=False))
    threading.Thread(target=server.run, name="operations", daemon=True).start()
    return server
