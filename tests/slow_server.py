"""Mail servers that hold one up: mute, dripping or endless at one place of the dialogue, on a real socket."""

import socket
import ssl
import threading
from types import TracebackType
from typing import Literal, Self

How = Literal["mute", "dripping", "endless lines", "endless line"]
DRIP_SECONDS = 0.03
USUAL = {
    "EHLO": "250-slow.example\r\n250-STARTTLS\r\n250 AUTH PLAIN",
    "STARTTLS": "220 go", "AUTH": "235 welcome", "MAIL": "250 ok", "RCPT": "250 ok", "DATA": "354 go",
    ".": "250 taken", "RSET": "250 ok", "QUIT": "221 bye",
}  # fmt: skip


class SlowServer:
    """Does what it does instead of answering the command `at` (`greeting`, `handshake` after STARTTLS, `.` after the
    message; `message`: it does not read it, or a little at a time), on as many connections as there are.

    `pause` is how many seconds it takes for each answer. `held_up` counts how often it was slow, `written` the bytes that it could get rid of; `mails` the messages that it took. `at` may be changed meanwhile.
    """

    def __init__(
        self, at: str = "", how: How = "mute", *, tls: ssl.SSLContext | None = None,
        starttls: ssl.SSLContext | None = None, **answers: str,
    ) -> None:  # fmt: skip
        self.at, self.how, self._tls, self._starttls = at, how, tls, starttls
        self._answers = USUAL | answers
        self.connections = self.mails = self.held_up = self.written = 0
        self.pause = 0.0
        self._over = threading.Event()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._listener.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 16_384)
        self._listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
        self.port = self._listener.getsockname()[1]
        self._threads = [threading.Thread(target=self._listen)]

    def __enter__(self) -> Self:
        self._threads[0].start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._over.set()
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for thread in self._threads:
            thread.join()

    def _listen(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            self.connections += 1
            thread = threading.Thread(target=self._serve, args=(connection,))
            self._threads.append(thread)
            thread.start()

    def _serve(self, connection: socket.socket) -> None:
        connection.settimeout(20)
        try:
            if self._tls:
                connection = self._tls.wrap_socket(connection, server_side=True)
            with connection:
                if self._answered(connection, "greeting", "220 slow.example"):
                    self._talk(connection)
        except OSError:
            connection.close()

    def _talk(self, connection: socket.socket) -> None:
        with connection.makefile("rb") as lines:
            while line := lines.readline():
                command = line.decode("latin-1").split()[0].upper()
                if not self._answered(connection, command, self._answers[command]):
                    return
                if command == "STARTTLS" and self._starttls:
                    break
                if command == "DATA":
                    while lines.readline() not in {b"", b".\r\n"}:
                        pass
                    self.mails += 1
                    if not self._answered(connection, ".", self._answers["."]):
                        return
            else:
                return
        with self._starttls.wrap_socket(connection, server_side=True) as secured:
            self._talk(secured)

    def _answered(self, connection: socket.socket, command: str, answer: str) -> bool:
        """Whether it was answered, and the next one is to be."""
        if command == self.at:
            self._hold_up(connection, b"250")
            return False
        self._over.wait(self.pause)
        self._say(connection, f"{answer}\r\n".encode())
        if command == "STARTTLS" and self.at == "handshake":
            self._hold_up(connection, b"\x16\x03\x03")
            return False
        if command == "DATA" and self.at == "message":
            self._read_little(connection)
            return False
        return True

    def _hold_up(self, connection: socket.socket, begin: bytes) -> None:
        self.held_up += 1
        match self.how:
            case "mute":
                self._over.wait()
            case "dripping":
                drops = begin + b"-" + b"and so on " * 1000
                for drop in drops:
                    self._say(connection, bytes([drop]))
                    if self._over.wait(DRIP_SECONDS):
                        return
            case "endless lines":
                while not self._over.is_set():
                    self._say(connection, (begin + b"-and so on\r\n") * 1000)
            case "endless line":
                self._say(connection, begin + b"-")
                while not self._over.is_set():
                    self._say(connection, b"and so on" * 1000)

    def _read_little(self, connection: socket.socket) -> None:
        while not self._over.wait(DRIP_SECONDS):
            if self.how != "mute" and not connection.recv(1024):
                return

    def _say(self, connection: socket.socket, data: bytes) -> None:
        left = data
        while left:
            sent = connection.send(left)
            self.written += sent
            left = left[sent:]
