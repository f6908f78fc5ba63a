"""The local broker keeps what it was given, moves where its ports are taken, and leaves nothing behind."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from deploy.local.kafka.broker import Broker
from services.kernel.errors import ConfigurationError
from services.kernel.topics import ACTIVITY_EVENTS, CONSENT_STATE
from tests.support.brokers import OwnBroker, new_broker
from tests.support.kafka import fresh_settings, read_topic, write
from tests.support.waiting import eventually

_START_AND_WAIT = """
import sys
from pathlib import Path
from tests.support.brokers import new_broker
broker = new_broker(Path(sys.argv[1]))
broker.start()
print(broker.pid, flush=True)
sys.stdin.read()
"""


def test_what_was_written_outlives_a_stop_and_a_kill(own_broker: OwnBroker) -> None:
    broker = own_broker()
    settings = fresh_settings(broker)
    write(settings, CONSENT_STATE, "a", b"before the stop", partition=0)
    broker.restart()
    write(settings, CONSENT_STATE, "b", b"before the kill", partition=0)
    broker.restart(kill=True)
    write(settings, CONSENT_STATE, "c", b"after it", partition=0)
    values = [record.value for record in read_topic(settings, CONSENT_STATE)]
    assert values == [b"before the stop", b"before the kill", b"after it"]


def test_taken_ports_move_with_a_word_and_the_data_comes_along(tmp_path: Path) -> None:
    words: list[str] = []
    broker = new_broker(tmp_path / "broker")
    broker.say = words.append
    wanted = broker.port, broker.controller_port
    broker.start()
    settings = fresh_settings(broker)
    write(settings, ACTIVITY_EVENTS, "a", b"1", partition=0)
    broker.stop()
    with socket.create_server(("127.0.0.1", wanted[0])), socket.create_server(("127.0.0.1", wanted[1])):
        broker.start()
        moved = settings.model_copy(update={"bootstrap": broker.bootstrap})
        assert [record.value for record in read_topic(moved, ACTIVITY_EVENTS)] == [b"1"]
        broker.stop()
    assert broker.port != wanted[0]
    assert broker.controller_port != wanted[1]
    assert f"Port {wanted[0]} is taken: the broker's port for clients is {broker.port}" in words


def test_a_folder_in_use_is_refused(broker: Broker) -> None:
    with pytest.raises(ConfigurationError, match="is in use by another run"):
        new_broker(broker.folder).start()


def test_a_broker_that_cannot_start_says_why(tmp_path: Path) -> None:
    wrong = new_broker(tmp_path, log_segment_bytes="many")
    with pytest.raises(ConfigurationError, match="many"):
        wrong.start()
    assert wrong.pid is None
    wrong.settings = {}
    wrong.start()
    wrong.stop()


def test_what_a_killed_run_has_left_behind_is_ended_by_the_next(tmp_path: Path) -> None:
    run = subprocess.Popen(
        [sys.executable, "-c", _START_AND_WAIT, str(tmp_path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert run.stdout
    with run:
        orphan = int(run.stdout.readline())
        run.send_signal(signal.SIGKILL)
    words: list[str] = []
    following = new_broker(tmp_path)
    following.say = words.append
    following.start()
    following.stop()
    assert any(f"process {orphan}" in word for word in words)
    eventually(lambda: not _is_running(orphan), what="the end of the broker left behind")


def _is_running(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return Path(f"/proc/{pid}/cmdline").read_bytes() != b""  # a zombie has none
