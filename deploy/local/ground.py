"""What the services stand on: ports, and a Kafka broker, started here or one that runs already."""

from __future__ import annotations

import socket
from collections.abc import Callable

from kafka import KafkaAdminClient
from kafka.errors import KafkaError
from msgspec.structs import astuple, replace

from deploy.local.kafka.broker import Broker
from deploy.local.machine.ports import free_port_from
from deploy.local.state import Ports
from services.kernel.errors import TransientError

_OURS = ("consent", "ingest", "indicators", "notify", "mail", "smtp", "identity")
_IN_A_ROW = ("consent", "ingest", "indicators", "notify", "mail", "smtp", "broker", "controller", "identity")
Say = Callable[[str], None]


def wanted_ports(base: int | None, before: Ports | None) -> Ports:
    """Nine in a row from `base`; without one, those of the last run, or the usual ones."""
    if base is None:
        return before or Ports()
    return Ports(**{name: base + n for n, name in enumerate(_IN_A_ROW)})


def moved_where_taken(wanted: Ports, say: Say) -> Ports:
    """The same ports, except that one that is taken is replaced by the next free one; `say` is told.

    The broker looks after its own.
    """
    chosen = wanted
    for name in _OURS:
        port = getattr(wanted, name)
        free = free_port_from(port, exclude=set(astuple(chosen)) - {port})
        if free != port:
            say(f"Port {port} is taken: {name} listens on {free}")
        chosen = replace(chosen, **{name: free})
    return chosen


def cluster_of(bootstrap: str) -> str:
    """The id of the Kafka cluster that answers there.

    Raises:
        TransientError: none answers.
    """
    try:
        _connect_to_one(bootstrap)
        admin = KafkaAdminClient(bootstrap_servers=bootstrap.split(","), request_timeout_ms=10_000)
        try:
            return str(admin.describe_cluster()["cluster_id"])
        finally:
            admin.close()
    except (KafkaError, OSError, ValueError) as error:
        raise TransientError(
            f"No Kafka broker answers at {bootstrap}: {error}.\n"
            "Start it, or let `signpost up` start one: leave out --bootstrap and unset SIGNPOST_KAFKA__BOOTSTRAP."
        ) from error


def _connect_to_one(bootstrap: str) -> None:
    """Find out at once where nobody listens: the client itself would try for half a minute."""
    problem: OSError | None = None
    for address in bootstrap.split(","):
        host, _, port = address.strip().rpartition(":")
        try:
            socket.create_connection((host.strip("[]"), int(port)), timeout=3).close()
        except OSError as error:
            problem = error
        else:
            return
    raise problem or OSError("no address is given")


class WatchedBroker:
    """The broker, as the supervisor sees it."""

    name = "kafka"
    ended = "has ended"

    def __init__(self, broker: Broker) -> None:
        self._broker = broker

    @property
    def running(self) -> bool:
        """Whether its process is there."""
        return self._broker.pid is not None

    def start(self) -> None:
        """Start it again, with the data that it has."""
        self._broker.start()
