"""Close a listening socket so that no client that has connected is reset, on Linux; elsewhere a few may be."""

import ctypes
import os
import select
import socket
import struct
import sys
import time
from collections.abc import Callable

from reviewapp.lib.http_server import limits

# Seconds in which handshakes that have begun end.
SETTLE_SECONDS = 0.1
# Linux's option that gives a socket a filter for its packets.
_SO_ATTACH_FILTER = 26
# The filter: load the byte of TCP's flags; with SYN drop the packet, otherwise pass it on.
_DROP_SYN = b"".join(
    struct.pack("HBBI", *instruction)
    for instruction in ((0x30, 0, 0, 13), (0x45, 0, 1, 0x02), (0x06, 0, 0, 0), (0x06, 0, 0, 0xFFFFFFFF))
)


def close_listener(listener: socket.socket, accept: Callable[[], None]) -> None:
    """Accept what has connected with `accept`, then close the listener.

    Clients that connect meanwhile get no answer, try again a second later, and are refused. A listener that the parent
    process has too goes on accepting there, or in other children.
    """
    ends_at = time.monotonic()
    if not is_open_in(os.getppid(), listener) and _drop_handshakes(listener):
        ends_at += SETTLE_SECONDS
    poller = select.poll()
    poller.register(listener, select.POLLIN)
    # No more than can wait: without free file descriptors, `accept` would be called for ever.
    for _ in range(limits.CONNECTIONS):
        if not poller.poll(max(0.0, ends_at - time.monotonic()) * 1000):
            break
        accept()
    listener.close()


def is_open_in(pid: int, listener: socket.socket) -> bool:
    """Whether a process has this socket; True if that cannot be read."""
    inode = os.fstat(listener.fileno()).st_ino
    try:
        return any(os.stat(f"/proc/{pid}/fd/{number}").st_ino == inode for number in os.listdir(f"/proc/{pid}/fd"))
    except OSError:
        return True


def _drop_handshakes(listener: socket.socket) -> bool:
    """Returns whether the socket could be given the filter."""
    if sys.platform != "linux" or listener.family not in (socket.AF_INET, socket.AF_INET6):
        return False
    instructions = ctypes.create_string_buffer(_DROP_SYN)
    program = struct.pack("HP", len(_DROP_SYN) // 8, ctypes.addressof(instructions))
    try:
        listener.setsockopt(socket.SOL_SOCKET, _SO_ATTACH_FILTER, program)
    except OSError:
        return False
    return True
