"""The socket on which the trace store listens."""

import socket

_BACKLOG = 256


class ListenError(OSError):
    """The port cannot be opened; the message is shown to the operator."""


def listen(host: str, port: int) -> socket.socket:
    """Open a listening socket; port 0 picks any free port. Raises ListenError."""
    listener = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    # Accepted connections inherit it. Without it, each response with a body waits 40 ms for the client's delayed ACK.
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    try:
        listener.bind((host, port))
        listener.listen(_BACKLOG)
    except OSError as error:
        listener.close()
        reason = error.strerror or str(error)
        raise ListenError(
            f"The trace store cannot listen on {host} port {port}: {reason}. Nothing was changed."
            " Stop the process that uses this port, or choose another --port."
        ) from None
    return listener
