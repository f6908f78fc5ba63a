"""Waiting for the services: until each is ready, and until all that went in has come out."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence

import httpx2

from deploy.local.machine.processes import Child
from deploy.local.status import ServiceStatus, Status, ask
from services.kernel.errors import ConfigurationError

READY_TIMEOUT_S = 120.0
STUCK_S = 60.0
_PAUSE_S = 0.25

Tell = Callable[[str], None]


def wait_ready(children: Sequence[Child], tell: Tell, timeout_s: float = READY_TIMEOUT_S) -> None:
    """Return when each child answers that it is ready; `tell` is told, again and again, which ones do not yet.

    Raises:
        ConfigurationError: one has ended or is not ready in time; the message has the end of its log.
    """
    deadline = time.monotonic() + timeout_s
    waiting = {child.name: child for child in children}
    said: dict[str, str] = {}
    with httpx2.Client(timeout=2, trust_env=False) as client:
        while waiting:
            said = {name: problem for name, child in waiting.items() if (problem := _problem(client, child))}
            waiting = {name: waiting[name] for name in said}
            tell(", ".join(waiting))
            if time.monotonic() > deadline:
                raise _failed(next(iter(waiting.values())), f"is not ready after {timeout_s:.0f} s", said)
            time.sleep(_PAUSE_S if waiting else 0)


def wait_caught_up(urls: Mapping[str, str], tell: Tell, stuck_s: float = STUCK_S) -> bool:
    """Return when every event is counted, every trigger is a case and every message is sent.

    Gives up, with False, when nothing has moved for `stuck_s`; `tell` is told what is left.
    """
    moved, left_before, calm = time.monotonic(), "", 0
    while calm < 2:  # noqa: PLR2004 - twice in a row: a gauge may stand at zero between two steps
        left = _left(ask(urls))
        calm = 0 if left else calm + 1
        if left != left_before:
            moved, left_before = time.monotonic(), left
            tell(left)
        if time.monotonic() - moved > stuck_s:
            return False
        time.sleep(_PAUSE_S)
    return True


def _problem(client: httpx2.Client, child: Child) -> str | None:
    if not child.running:
        raise _failed(child, child.ended, {})
    try:
        answer = client.get(f"{child.program.url}/health/ready")
    except httpx2.HTTPError:
        return "it does not answer yet"
    return None if answer.is_success else answer.text


def _failed(child: Child, what: str, said: Mapping[str, str]) -> ConfigurationError:
    answer = f"It says: {said[child.name]}\n" if child.name in said else ""
    return ConfigurationError(
        f"{child.name} {what}. {answer}The end of its log {child.log}:\n\n{child.said()}\n\n"
        "Mend what it names and run it again: what is done is kept. To begin anew: `make clean`."
    )


def _left(status: Status) -> str:
    """What is still on its way, in words; empty when nothing is."""
    if not all(service.samples for service in status.services.values()):
        return "a service to answer"
    consent, ingest, indicators, notify = (
        status.services[name] for name in ("consent", "ingest", "indicators", "notify")
    )
    waiting = {
        "decisions to publish": consent.total("signpost_outbox_backlog"),
        "enrolments to publish": notify.total("signpost_outbox_backlog"),
        "records to count": indicators.total("signpost_consumer_lag_records"),
        "partitions to reach the last tick": _behind(ingest, indicators),
        "records to notice": notify.total("signpost_consumer_lag_records"),
        "messages to send": notify.total("signpost_mails_waiting"),
    }
    return ", ".join(f"{count:,.0f} {what}" for what, count in waiting.items() if count)


def _behind(ingest: ServiceStatus, indicators: ServiceStatus) -> int:
    """How many partitions the worker has not read up to the door's last tick."""
    last = max(ingest.values("signpost_clock_tick_timestamp_seconds"), default=0)
    return sum(tick < last for tick in indicators.values("signpost_indicator_tick_timestamp_seconds"))
