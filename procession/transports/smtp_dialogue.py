"""What is said on one SMTP connection, within bounds: how long the server may take, and how much it may say.

A time-out of each read bounds nothing: a server that sends a byte now and then is never silent. So each phase has an
end besides, by a monotonic clock. With T for the time-out of one silence (the setting `smtp.timeout_seconds`):

    phase                                        ends after                             at the default of 30 s
    connect, TLS, EHLO, STARTTLS, AUTH           2 T                                    1 minute
    MAIL, RCPT, DATA                             2 T, and T / 10 for each command       69 s for one recipient
    the message                                  2 T, and 1 s for each 32 kB            1 minute for a small one
    its answer                                   2 T                                    1 minute
    RSET, QUIT                                   T, at most 5 s                         5 s
    all that one mail takes                      12 minutes, its connection included

RFC 5321, 4.5.3.2 asks a client to grant 5 minutes to the greeting, to MAIL and to each RCPT, 2 to DATA, 3 to each block
of the message and 10 to its answer, for a client that gives up early and sends again makes copies. Here a mail that
nobody answered for after its last byte is left to a person, unless its step says `on_unknown: resend`, and one that was put off is tried again, so
impatience doubles no mail; and a person waits for ours, at the customer's own server, which is no relay far away. Who wants
the RFC's waits sets a time-out of 600 s: no phase is shorter than one silence, as long as the whole is not over. That has to end
before an engine looks upon a mail in its hands as one that broke off (`procession.takeover.LONGEST_HAND_OVER`).

A reply has at most 256 lines of at most 8,192 bytes, and 64 KiB in all. RFC 5321, 4.5.3.1.5 allows lines of 512 bytes, but
servers greet with more; 8,192 is the limit of `smtplib` too. So one connection never holds more than that of what a server says.

What is not bounded here: a handshake after STARTTLS has what the answer before it had, so it may end a silence later;
and how long the system looks up a name. The resolver has limits of its own (resolv.conf(5)).
"""

import io
import smtplib
import socket
import ssl
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from math import inf
from typing import TYPE_CHECKING, Any

from typing_extensions import override

from procession.transports.sockets import Line

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer, WriteableBuffer

SILENCES = 2
COMMAND = 0.1
"""Of a silence: what each command adds to its phase; a mail may have many recipients."""
BYTES_PER_SECOND = 32_000
"""Four connections share an uplink of one megabit a second."""
COURTESY_SECONDS = 5.0
HAND_OVER_SECONDS = 720.0
"""All that one mail takes. The RFC's ten minutes for the last answer fit in."""

LINE_BYTES, LINES, REPLY_BYTES = 8192, 256, 65_536
PIECE_BYTES = 65_536
"""What is written at once; each piece may take a silence."""


@dataclass(slots=True)
class Patience:
    """How long a server may still take. `silence_seconds` is how long it may say nothing, or read nothing; `until` is when
    all that the mail of the moment takes is over, by `monotonic`."""

    silence_seconds: float
    monotonic: Callable[[], float] = time.monotonic
    until: float = inf
    _ends: float = field(default=0.0, init=False)

    def for_opening(self) -> None:
        self._begin(SILENCES * self.silence_seconds)

    def for_commands(self, count: int) -> None:
        self._begin((SILENCES + COMMAND * count) * self.silence_seconds)

    def for_message(self, size: int) -> None:
        self._begin(SILENCES * self.silence_seconds + size / BYTES_PER_SECOND)

    def for_answer(self) -> None:
        self._begin(SILENCES * self.silence_seconds)

    def for_courtesy(self) -> None:
        """What became of the mail is known."""
        self._ends = self.monotonic() + min(COURTESY_SECONDS, self.silence_seconds)

    def _begin(self, seconds: float) -> None:
        self._ends = min(self.monotonic() + seconds, self.until)

    def seconds(self) -> float:
        """For the next thing that is waited for; above 0.

        Raises:
            TimeoutError: the time is up.
        """
        left = self._ends - self.monotonic()
        if left <= 0:
            raise TimeoutError("timed out")
        return min(left, self.silence_seconds)


class Dialogue(smtplib.SMTP):
    """`smtplib.SMTP`, over TLS from the beginning if there is a `context`, which ends within bounds whatever a server does."""

    def __init__(
        self,
        host: str,
        port: int,
        ehlo_name: str,
        patience: Patience,
        line: Line,
        context: ssl.SSLContext | None = None,
    ) -> None:
        """Connect and read the greeting. By its `line` the connection can be cut from the first moment.

        Raises:
            OSError, smtplib.SMTPException: it is not there, or does not greet.
        """
        self.patience, self.line, self._context = patience, line, context
        patience.for_opening()
        super().__init__(host, port, ehlo_name or None, timeout=patience.silence_seconds)

    def _get_socket(self, host: str, port: int, _timeout: float) -> socket.socket:
        """What `smtplib` calls to connect, and what its own TLS connection overrides too."""
        opened = self._connected(host, port)
        if self._context is None:
            return opened
        try:
            opened.settimeout(self.patience.seconds())
            return self._context.wrap_socket(opened, server_hostname=host)
        except OSError:
            opened.close()
            self.line.close()
            raise

    @override
    def close(self) -> None:
        super().close()
        self.line.close()

    def _connected(self, host: str, port: int) -> socket.socket:
        """To the first of the host's addresses that answers; all of them share the time there is."""
        last: OSError = OSError("its name has no address")
        for family, kind, protocol, _, address in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM):
            opened = socket.socket(family, kind, protocol)
            try:
                self.line.opened(opened)
                opened.settimeout(self.patience.seconds())
                opened.connect(address)
            except OSError as error:
                opened.close()
                self.line.close()
                last = error
            else:
                return opened
        raise last

    @override
    def send(self, s: "ReadableBuffer | str") -> None:
        """Raises:
        SMTPServerDisconnected: the last of these bytes was not taken.
        """
        left = memoryview(s.encode(self.command_encoding) if isinstance(s, str) else s)
        if self.sock is None:
            raise smtplib.SMTPServerDisconnected("the connection is closed")
        try:
            while left:
                self.sock.settimeout(self.patience.seconds())
                left = left[self.sock.send(left[:PIECE_BYTES]) :]
        except OSError as error:
            self.close()
            raise smtplib.SMTPServerDisconnected("the connection was lost") from error

    @override
    def getreply(self) -> tuple[int, bytes]:
        """The code, or -1 if there is none, and the words of all lines.

        Raises:
            SMTPServerDisconnected: no answer, none in time, or one without end.
        """
        words: list[bytes] = []
        left = REPLY_BYTES
        for _ in range(LINES):
            line = self._line(min(LINE_BYTES, left))
            left -= len(line)
            words.append(line[4:].strip(b" \t\r\n"))
            code = int(line[:3]) if line[:3].isdigit() else -1
            if code < 0 or line[3:4] != b"-":
                return code, b"\n".join(words)
        self.close()
        raise smtplib.SMTPServerDisconnected("its answer has no end")

    def _line(self, most: int) -> bytes:
        if self.file is None:
            self.file = io.BufferedReader(_Received(self.sock, self.patience), LINE_BYTES)
        try:
            line: bytes = self.file.readline(most + 1)
        except OSError as error:
            self.close()
            raise smtplib.SMTPServerDisconnected(f"Connection unexpectedly closed: {error}") from error
        if not line or len(line) > most:
            self.close()
            why = "its answer has no end" if line else "Connection unexpectedly closed"
            raise smtplib.SMTPServerDisconnected(why)
        return line


class _Received(io.RawIOBase):
    """The bytes that come in. Not the socket's own file: that waits anew for each read, and refuses to go on after one
    that timed out."""

    def __init__(self, connection: Any, patience: Patience) -> None:
        self._connection, self._patience = connection, patience

    @override
    def readable(self) -> bool:
        return True

    @override
    def readinto(self, buffer: "WriteableBuffer") -> int:
        self._connection.settimeout(self._patience.seconds())
        return int(self._connection.recv_into(buffer))


def reason(error: BaseException) -> str:
    """Why the connection was lost, in a few words."""
    if isinstance(error, smtplib.SMTPResponseException) and error.smtp_code < 0:
        return "what answers there does not speak SMTP"
    if isinstance(error, smtplib.SMTPResponseException):
        words = error.smtp_error
        text = words.decode("utf-8", "replace") if isinstance(words, bytes) else str(words)
        return f"{error.smtp_code} {text}"
    found = cause(error)
    if isinstance(found, TimeoutError):
        return "no answer in time"
    return (getattr(found, "strerror", None) or str(found)).rstrip(".")


def cause(error: BaseException) -> BaseException:
    """What `smtplib` tells of as a lost connection only."""
    return error.__context__ if isinstance(error.__context__, OSError) else error
