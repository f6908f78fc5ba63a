"""Ports of this machine: whether one is free, and another one where it is not."""

from __future__ import annotations

import random
import socket
from collections.abc import Collection

# Below the range from which systems number outgoing connections. A client that keeps trying a port of that range
# on its own machine can be given the very same number for its own end, and then connects to itself.
_RANDOM = range(20_000, 30_000)
_TRIES = 500


def is_free(port: int) -> bool:
    """Whether a server could listen on this port of 127.0.0.1 now."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def free_port(exclude: Collection[int] = ()) -> int:
    """A random free port of 127.0.0.1 that is not in `exclude`."""
    for port in random.sample(_RANDOM, _TRIES):
        if port not in exclude and is_free(port):
            return port
    raise OSError(f"None of {_TRIES} ports of 127.0.0.1 in {_RANDOM.start}-{_RANDOM.stop} was free")


def free_port_from(port: int, exclude: Collection[int] = ()) -> int:
    """`port` itself if it is free and not in `exclude`, else the next one that is."""
    for candidate in range(port, min(port + _TRIES, 65_536)):
        if candidate not in exclude and is_free(candidate):
            return candidate
    return free_port(exclude)
