"""A listener is closed without resetting anyone: who has connected is served, who comes later is refused."""

import os
import socket
import subprocess
import sys
import threading

import pytest

from reviewapp.lib.http_server.closing import close_listener, is_open_in

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="Other systems have no such filter.")


def test_it_accepts_who_has_connected_and_refuses_who_comes_later() -> None:
    listener = socket.create_server(("127.0.0.1", 0))
    early = [socket.create_connection(listener.getsockname()) for _ in range(3)]
    accepted: list[socket.socket] = []
    outcomes: list[object] = []

    def accept() -> None:
        accepted.append(listener.accept()[0])
        if len(accepted) == 3:
            late.start()
            # Long enough for a handshake, if there were one.
            late.join(0.3)

    def connect() -> None:
        try:
            outcomes.append(socket.create_connection(address, timeout=20))
        except OSError as error:
            outcomes.append(type(error))

    address, late = listener.getsockname(), threading.Thread(target=connect)
    close_listener(listener, accept)
    late.join(20)
    for client, server in zip(early, accepted, strict=True):
        client.sendall(b"served")
        assert server.recv(6) == b"served"
    assert outcomes == [ConnectionRefusedError]


def test_it_knows_who_else_has_the_listener() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        command, number = [sys.executable, "-c", "input()"], listener.fileno()
        with subprocess.Popen(command, stdin=subprocess.PIPE, pass_fds=[number]) as other:
            assert is_open_in(other.pid, listener)
            other.communicate(b"\n")
        assert is_open_in(os.getpid(), listener)
        assert not is_open_in(os.getppid(), listener)
