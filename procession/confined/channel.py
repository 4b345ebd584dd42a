"""Messages over a socket, each behind its length. One side may look at something else while it waits."""

import socket
from collections.abc import Callable

LOOK_SECONDS = 0.05
"""How often whoever waits looks up."""
MOST_BYTES = 256_000_000
"""Of one message; more than any mail or argument should have."""
_LENGTH_BYTES = 8

Watch = Callable[[], None]
"""Called now and then while a message is on its way; breaks it off by what it raises."""


class TooLong(Exception):
    """The other side announced a message of more than `MOST_BYTES`."""


class Channel:
    """One end. With a `watch` it is never stuck, whatever the other side does; without one it waits for ever."""

    def __init__(self, end: socket.socket) -> None:
        self._end = end

    def send(self, message: bytes, watch: Watch | None = None) -> None:
        """Raises:
        OSError: the other side is gone.
        """
        self._end.settimeout(LOOK_SECONDS if watch else None)
        left = memoryview(len(message).to_bytes(_LENGTH_BYTES, "big") + message)
        while left:
            try:
                left = left[self._end.send(left) :]
            except TimeoutError:
                if watch:
                    watch()

    def receive(self, watch: Watch | None = None) -> bytes:
        """Raises:
        EOFError, OSError: the other side is gone.
        TooLong: it says too much.
        """
        self._end.settimeout(LOOK_SECONDS if watch else None)
        size = int.from_bytes(self._read(_LENGTH_BYTES, watch), "big")
        if size > MOST_BYTES:
            raise TooLong
        return self._read(size, watch)

    def _read(self, size: int, watch: Watch | None) -> bytes:
        found = bytearray()
        while len(found) < size:
            try:
                piece = self._end.recv(min(size - len(found), 1 << 20))
            except TimeoutError:
                piece = None
            if piece == b"":
                raise EOFError
            found += piece or b""
            if watch and len(found) < size:
                watch()
        return bytes(found)

    def close(self) -> None:
        self._end.close()
