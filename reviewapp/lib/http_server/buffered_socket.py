"""A socket to which a response is written without waiting for a slow client."""

import errno
import select
import socket
import tempfile
from typing import IO, Any

from reviewapp.lib.http_server import limits

_PIECE = 256 * 1024


class BufferedSocket(socket.socket):
    """Takes over a connected socket. What the client does not take at once waits here until `flush` sends it."""

    def __init__(self, connected: socket.socket) -> None:
        super().__init__(fileno=connected.detach())
        super().setblocking(False)
        self._waiting: IO[bytes] | None = None
        self._sent = 0
        self._size = 0

    @property
    def is_flushed(self) -> bool:
        """Whether all that was written is sent."""
        return self._waiting is None

    def setblocking(self, flag: bool) -> None:
        """Does nothing: gunicorn's threads ask for a blocking socket."""

    def sendall(self, data: Any, flags: int = 0) -> None:
        """Send what the client takes at once, keep the rest. Raises BrokenPipeError if it no longer takes any."""
        view = memoryview(data).cast("B")
        if self._waiting is None:
            view = view[self._try_send(view) :]
        if not view:
            return
        if self._waiting is None:
            self._waiting = tempfile.SpooledTemporaryFile(limits.MEMORY_BYTES)  # noqa: SIM115 -- closed when sent
            self._sent = self._size = 0
        self._waiting.seek(self._size)
        self._waiting.write(view)
        self._size += len(view)
        while self._size - self._sent > limits.RESPONSE_BYTES:
            self._wait_to_flush()

    def send(self, data: Any, flags: int = 0) -> int:
        """Like `sendall`. Returns the number of bytes."""
        self.sendall(data)
        return len(data)

    def sendfile(self, file: Any, offset: int = 0, count: int | None = None) -> int:
        """Like `sendall`, for a file."""
        file.seek(offset)
        total = 0
        while piece := file.read(_PIECE if count is None else min(_PIECE, count - total)):
            self.sendall(piece)
            total += len(piece)
        return total

    def flush(self) -> int:
        """Send what the client takes now of what is waiting. Returns the number of bytes. Raises OSError."""
        total = 0
        while self._waiting is not None:
            self._waiting.seek(self._sent)
            piece = self._waiting.read(_PIECE)
            sent = self._try_send(memoryview(piece))
            self._sent += sent
            total += sent
            if self._sent == self._size:
                self._discard()
            elif sent < len(piece):
                break
        return total

    def close(self) -> None:
        """Close the socket and drop what is waiting."""
        self._discard()
        super().close()

    def _try_send(self, view: memoryview) -> int:
        try:
            return super().send(view)
        except BlockingIOError:
            return 0

    def _wait_to_flush(self) -> None:
        poller = select.poll()
        poller.register(self, select.POLLOUT)
        if not poller.poll(limits.SEND_SECONDS * 1000):
            raise BrokenPipeError(errno.EPIPE, "The client stopped reading")
        self.flush()

    def _discard(self) -> None:
        if self._waiting is not None:
            self._waiting.close()
            self._waiting = None
