"""Mail out over SMTP (RFC 5321) on connections that are kept open.

    smtp.py             settings, and which connection takes a mail
    smtp_opening.py     a connection is opened, secured and signed in
    smtp_connection.py  a mail is handed over on it; what each failure means
    smtp_dialogue.py    how long the server may take, and how much it may say
    sockets.py          what is cut when the engine is to stop
    pace.py             how many mails a second
    breaker.py          whether it is asked at all

A connection that was idle may have been closed by the server. That shows at the first command of the next
mail, when nothing has been handed over yet: the mail then goes over a fresh connection.
"""

import threading
from collections.abc import Sequence
from time import monotonic
from types import TracebackType
from typing import Self

from procession.errors import NotTried, TransportDeferred
from procession.ports import Delivery
from procession.transports.breaker import Breaker
from procession.transports.pace import Pace
from procession.transports.smtp_connection import Connection, StaleConnection
from procession.transports.smtp_dialogue import HAND_OVER_SECONDS
from procession.transports.smtp_opening import SmtpSettings, open_connection
from procession.transports.sockets import Sockets

__all__ = ["SmtpMailOut", "SmtpSettings"]


class SmtpMailOut:
    """Implements `procession.ports.MailOut`; safe to call from several threads."""

    def __init__(self, settings: SmtpSettings, *, breaker: Breaker | None = None) -> None:
        self._settings = settings
        self._breaker = breaker or Breaker(str(settings))
        self._pace = Pace(settings.per_second)
        self._idle: list[Connection] = []
        self._lock = threading.Lock()
        self._free = threading.BoundedSemaphore(settings.connections)
        self._open = Sockets()

    @property
    def connections(self) -> int:
        return self._settings.connections

    def send(self, sender: str, recipients: Sequence[str], mime: bytes) -> Delivery:
        """See `procession.ports.MailOut.send`. Waits for a free connection, and for its turn if there is a pace.

        Raises:
            NotAsked: the server did not answer the mails before.
            NotTried: `break_off` was called.
        """
        try:
            self._open.check()
            self._breaker.check()
            self._pace.wait()
            with self._free, self._breaker.guarded():
                self._open.check()
                return self._handed_over(sender, recipients, mime)
        except TransportDeferred as error:
            if self._open.are_cut:
                raise NotTried(
                    "The mail was broken off before a server had it: the engine is to stop."
                ) from error
            raise

    def break_off(self) -> None:
        """Begin no mail any more, and let go of those that no server has the last byte of."""
        self._open.cut()

    def _handed_over(self, sender: str, recipients: Sequence[str], mime: bytes) -> Delivery:
        until = monotonic() + HAND_OVER_SECONDS
        connection = self._take(until)
        try:
            return connection.hand_over(sender, recipients, mime, until)
        except StaleConnection:  # the next one that was kept may be as silent
            connection.close()
            connection = open_connection(self._settings, until, self._open)
            return connection.hand_over(sender, recipients, mime, until)
        finally:
            self._give_back(connection)

    def probe(self, sender: str = "") -> str:
        """What works, in one sentence, after opening a connection and signing in, and naming a sender if there is one.

        Raises:
            TransportDeferred, TransportRefused, ConfigurationError: what does not.
        """
        connection = open_connection(self._settings)
        try:
            if sender:
                connection.try_sender(sender)
        finally:
            connection.quit()
        return connection.described

    def close(self) -> None:
        """Say goodbye on every idle connection. A later `send` opens new ones."""
        with self._lock:
            idle, self._idle = self._idle, []
        for connection in idle:
            connection.quit()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _take(self, until: float) -> Connection:
        """The connection used last, if it is young enough; otherwise a new one."""
        while True:
            with self._lock:
                connection = self._idle.pop() if self._idle else None
            if connection is None:
                return open_connection(self._settings, until, self._open)
            if monotonic() - connection.used_at < self._settings.idle.total_seconds():
                return connection
            connection.quit()

    def _give_back(self, connection: Connection) -> None:
        if not connection.usable:
            connection.close()
        elif connection.mails >= self._settings.mails_per_connection:
            connection.quit()
        else:
            with self._lock:
                self._idle.append(connection)
