"""Ports that are free, and others where they are not."""

from __future__ import annotations

import socket

from deploy.local.machine.ports import free_port, free_port_from, is_free


def test_a_free_port_is_kept_and_a_taken_one_moves_on() -> None:
    port = free_port()
    assert free_port_from(port) == port
    with socket.create_server(("127.0.0.1", port)):
        assert not is_free(port)
        assert free_port_from(port) > port


def test_an_excluded_port_is_never_given() -> None:
    port = free_port()
    assert free_port_from(port, exclude=[port]) != port
