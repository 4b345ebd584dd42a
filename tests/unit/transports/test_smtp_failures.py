"""Servers that answer oddly, played word by word on a real socket."""

import socket
import threading
from collections.abc import Mapping
from datetime import timedelta
from types import TracebackType
from typing import Any, Self

import pytest

from procession.errors import (
    ConfigurationError,
    ProcessionError,
    TransportDeferred,
    TransportRefused,
    Unanswered,
    UnknownOutcome,
)
from procession.transports.smtp import SmtpMailOut, SmtpSettings

BOB, ANN = "bob@us.example", "ann@acme.example"
MIME = b"Subject: x\r\n\r\nHello\r\n"
EHLO = "250-odd.example\r\n250-SIZE 1000\r\n250 8BITMIME"
CUT = "cut"
"""Close the connection instead of answering."""
USUAL = {
    "EHLO": EHLO,
    "MAIL": "250 ok",
    "RCPT": "250 ok",
    "DATA": "354 go",
    ".": "250 taken",
    "RSET": "250 ok",
    "QUIT": "221 bye",
}


class OddServer:
    """Answers one connection after the other, each command with the words it was given for it; notes the commands."""

    def __init__(self, answers: Mapping[str, str], greeting: str = "220 odd.example") -> None:
        self._answers, self._greeting = {**USUAL, **answers}, greeting
        self.once: dict[str, str] = {}
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self.commands: list[str] = []
        self.port = self._listener.getsockname()[1]

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._thread.join()

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            with connection, connection.makefile("rwb") as stream:
                try:
                    self._talk(connection, stream)
                except OSError:
                    continue

    def _talk(self, connection: socket.socket, stream: Any) -> None:
        answer, command = self._greeting, ""
        while answer != CUT:
            stream.write(f"{answer}\r\n".encode())
            stream.flush()
            line = stream.readline()
            while command == "DATA" and answer.startswith("354") and line not in {b"", b".\r\n"}:
                line = stream.readline()
            if not line:
                return
            word, _, rest = line.decode("latin-1").strip().partition(" ")
            command = word.upper()
            self.commands.append(f"{command} {rest}".strip())
            answer = self.once.pop(command, None) or self._answers.get(command, CUT)
        connection.shutdown(socket.SHUT_RDWR)

    def settings(self, **changes: Any) -> SmtpSettings:
        given: dict[str, Any] = {
            "host": "127.0.0.1", "port": self.port, "security": "none", "timeout": timedelta(seconds=3),
            "ehlo_name": "client.example",
        }  # fmt: skip
        return SmtpSettings(**(given | changes))


def failure(
    answers: Mapping[str, str], *, greeting: str = "220 odd.example", mime: bytes = MIME, **changes: Any
) -> ProcessionError:
    with OddServer(answers, greeting) as server, SmtpMailOut(server.settings(**changes)) as out:
        with pytest.raises(ProcessionError) as raised:
            out.send(BOB, [ANN], mime)
        return raised.value


@pytest.mark.parametrize("command", ["EHLO", "MAIL", "RCPT", "DATA"])
def test_a_connection_cut_before_the_message_puts_the_mail_off(command: str) -> None:
    assert type(failure({command: CUT})) is Unanswered


def test_a_connection_cut_after_the_message_leaves_the_outcome_unknown() -> None:
    error = failure({".": CUT})

    assert type(error) is UnknownOutcome
    assert error.hint == "Ask the recipient, or look at the mail server's log, before it is sent again."


@pytest.mark.parametrize("answer", ["what?", "354 more", "999 no"])
def test_an_answer_that_makes_no_sense_leaves_the_outcome_unknown(answer: str) -> None:
    assert type(failure({".": answer})) is UnknownOutcome


def test_an_answer_without_end_leaves_the_outcome_unknown() -> None:
    assert type(failure({".": "250 " + "x" * 9000})) is UnknownOutcome


@pytest.mark.parametrize(
    ("greeting", "kind"),
    [
        ("421 4.3.2 too busy", TransportDeferred),
        ("554 5.3.2 no service", TransportDeferred),
        ("what?", Unanswered),
    ],
)
def test_a_server_that_greets_nobody_puts_the_mail_off(greeting: str, kind: type[TransportDeferred]) -> None:
    error = failure({}, greeting=greeting)

    assert type(error) is kind
    assert "does not take mail now" in error.message


def test_what_does_not_speak_smtp_is_told_as_such() -> None:
    assert failure({}, greeting="HTTP/1.1 400 Bad").message.endswith("what answers there does not speak SMTP")


def test_a_server_that_says_nothing_may_be_spoken_to_in_the_wrong_way() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        out = SmtpMailOut(SmtpSettings("127.0.0.1", port, "starttls", timeout=timedelta(seconds=0.1)))
        with pytest.raises(TransportDeferred) as raised:
            out.probe()

    assert raised.value.message == f"127.0.0.1:{port} cannot be reached: no answer in time"
    assert raised.value.hint.endswith("and security: tls for 465, starttls for 587.")


def test_the_probe_asks_about_a_sender_and_sends_nothing() -> None:
    with OddServer({"MAIL": "553 5.1.8 no such domain"}) as server:
        out = SmtpMailOut(server.settings())
        with pytest.raises(TransportRefused) as raised:
            out.probe(BOB)

    assert raised.value.message == (f"the mail server refused the sender {BOB}: 553 5.1.8 no such domain")
    assert server.commands == ["EHLO client.example", f"MAIL FROM:<{BOB}>", "RSET", "QUIT"]


def test_a_server_that_greets_with_nothing_cannot_be_reached() -> None:
    assert "cannot be reached" in failure({}, greeting=CUT).message


@pytest.mark.parametrize("code", [530, 534, 535, 538])
def test_a_server_that_wants_a_sign_in_is_the_operators_matter(code: int) -> None:
    error = failure({"MAIL": f"{code} 5.7.0 who are you?"})

    assert type(error) is ConfigurationError
    assert error.message == f"the mail server wants us to sign in: {code} 5.7.0 who are you?"


def test_a_sign_in_that_fails_for_now_puts_the_mail_off() -> None:
    error = failure(
        {"EHLO": "250-odd.example\r\n250 AUTH PLAIN", "AUTH": "454 4.7.0 later"},
        user="bob",
        password=lambda: "secret",
    )

    assert type(error) is TransportDeferred


def test_a_password_beyond_ascii_is_the_operators_matter() -> None:
    error = failure({"EHLO": "250-odd.example\r\n250 AUTH PLAIN"}, user="bob", password=lambda: "geheimß")

    assert type(error) is ConfigurationError
    assert "has letters beyond ASCII" in error.message
    assert error.hint == "Give this user a password without them."
    assert "geheim" not in error.message


def test_starttls_that_fails_for_now_puts_the_mail_off() -> None:
    error = failure({"EHLO": "250-odd.example\r\n250 STARTTLS", "STARTTLS": "454 later"}, security="starttls")

    assert type(error) is TransportDeferred


def test_a_server_that_hangs_up_while_securing_puts_the_mail_off() -> None:
    error = failure(
        {"EHLO": "250-odd.example\r\n250 STARTTLS", "STARTTLS": "220 go"},
        security="starttls",
        timeout=timedelta(seconds=0.2),
    )

    assert type(error) is Unanswered


def test_a_message_that_is_put_off_leaves_the_connection_usable() -> None:
    with OddServer({".": "451 later"}) as server, SmtpMailOut(server.settings()) as out:
        for _ in range(2):
            with pytest.raises(TransportDeferred):
                out.send(BOB, [ANN], MIME)

    assert [command for command in server.commands if command.startswith("EHLO")] == ["EHLO client.example"]


def test_data_that_is_refused_refuses_the_mail_and_clears_the_connection() -> None:
    with (
        OddServer({"DATA": "554 no"}) as server,
        SmtpMailOut(server.settings()) as out,
        pytest.raises(TransportRefused, match=r"^the mail server refused the mail: 554 no$"),
    ):
        out.send(BOB, [ANN], MIME)

    assert server.commands[-2:] == ["RSET", "QUIT"]


def test_a_connection_that_cannot_be_cleared_is_given_up() -> None:
    with (
        OddServer({"RCPT": "550 no", "RSET": CUT}) as server,
        SmtpMailOut(server.settings()) as out,
        pytest.raises(TransportRefused),
    ):
        out.send(BOB, [ANN], MIME)

    assert server.commands[-1] == "RSET"


def test_a_server_that_wants_data_without_recipients_is_left() -> None:
    pipelining = {"EHLO": "250-odd.example\r\n250 PIPELINING", "RCPT": "550 no"}

    with (
        OddServer(pipelining) as server,
        SmtpMailOut(server.settings()) as out,
        pytest.raises(TransportRefused, match="every recipient: 550 no"),
    ):
        out.send(BOB, [ANN], MIME)

    assert server.commands[-1] == "DATA"


@pytest.mark.parametrize("offered", ["SIZE 1000", "PIPELINING"])
def test_a_goodbye_on_a_kept_connection_costs_no_mail(offered: str) -> None:
    answers = {"EHLO": f"250-odd.example\r\n250 {offered}"}

    with OddServer(answers) as server, SmtpMailOut(server.settings()) as out:
        out.send(BOB, [ANN], MIME)
        server.once |= {"MAIL": "421 idle too long"} | ({"RCPT": CUT} if offered == "PIPELINING" else {})
        delivery = out.send(BOB, [ANN], MIME)

    assert delivery.answer == "250 taken"
    assert [command for command in server.commands if command.startswith("EHLO")] == [
        "EHLO client.example"
    ] * 2


def test_the_server_is_told_the_size_and_of_letters_beyond_ascii() -> None:
    mime = "Subject: x\r\n\r\nGrüße\r\n".encode()

    with OddServer({}) as server, SmtpMailOut(server.settings()) as out:
        out.send("", [ANN], mime)

    assert f"MAIL FROM:<> SIZE={len(mime)} BODY=8BITMIME" in server.commands


def test_a_server_that_says_no_goodbye_is_left_all_the_same() -> None:
    with OddServer({"QUIT": CUT}) as server:
        assert SmtpMailOut(server.settings()).probe() == (
            f"127.0.0.1:{server.port} takes mail, without encryption, without signing in"
        )
