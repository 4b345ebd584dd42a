"""The connections that are open, so that what waits at them can be let go when the engine is to stop.

A connection that was handed a mail is left alone until it is answered: whether the server has the mail only its answer
can say.
"""

import contextlib
import socket
import threading
from dataclasses import dataclass

from procession.errors import TransportDeferred


class Sockets:
    """Safe to use from several threads."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.open: set[socket.socket] = set()
        self.are_cut = False

    def check(self) -> None:
        """Raises:
        TransportDeferred: nothing is begun any more.
        """
        if self.are_cut:
            raise TransportDeferred("no mail is begun any more")

    def cut(self) -> None:
        """Whoever waits at one of them finds it closed."""
        with self.lock:
            self.are_cut = True
            for one in self.open:
                with contextlib.suppress(OSError):  # the server was quicker
                    one.shutdown(socket.SHUT_RDWR)


@dataclass(slots=True)
class Line:
    """One connection among `sockets`, under a second number of the system's: the first one is TLS's soon, which would speak
    to the server before it closes."""

    sockets: Sockets
    _own: socket.socket | None = None

    def opened(self, connection: socket.socket) -> None:
        """Raises:
        OSError: no connection is opened any more.
        """
        self._own = connection.dup()
        self.free()
        if self.sockets.are_cut:
            raise ConnectionAbortedError("no connection is opened any more")

    def hold(self) -> None:
        """It cannot be cut from now on.

        Raises:
            TransportDeferred: it was cut before.
        """
        with self.sockets.lock:
            self._leave()
            self.sockets.check()

    def free(self) -> None:
        """It can be cut again."""
        with self.sockets.lock:
            if self._own and not self.sockets.are_cut:
                self.sockets.open.add(self._own)

    def close(self) -> None:
        with self.sockets.lock:
            self._leave()
            if self._own:
                self._own.close()
                self._own = None

    def _leave(self) -> None:
        if self._own:
            self.sockets.open.discard(self._own)
