"""A mail server that is mute, dripping or endless holds nobody up for long, on real sockets; the arithmetic on a clock
that is set."""

import socket
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest
from slow_server import How, SlowServer

from procession.errors import ProcessionError, TransportRefused, Unanswered, UnknownOutcome
from procession.takeover import LONGEST_HAND_OVER
from procession.testing.certificate import Certificate, make_certificate
from procession.transports import smtp, smtp_dialogue
from procession.transports.smtp import SmtpMailOut, SmtpSettings
from procession.transports.smtp_dialogue import HAND_OVER_SECONDS, Patience

BOB, ANN = "bob@us.example", "ann@acme.example"
MIME = b"Subject: x\r\n\r\nHello\r\n"
BIG = b"Subject: x\r\n\r\n" + b"Hello Ann, hello Ann, hello Ann.\r\n" * 400_000
SILENCE = timedelta(seconds=0.3)
LONG_SECONDS = 5.0
"""Several times what any phase may last here, for a machine that has much to do."""
MUCH_BYTES = 1_000_000
"""What a server can get rid of: what is read of it, and what fits into the buffers of both ends."""


def settings(port: int, **changes: Any) -> SmtpSettings:
    given: dict[str, Any] = {"security": "none", "timeout": SILENCE, "ehlo_name": "client.example"}
    return SmtpSettings("127.0.0.1", port, **(given | changes))


def settings_for(server: SlowServer, **changes: Any) -> SmtpSettings:
    """Such that the server comes to where it is slow."""
    if server.at in {"STARTTLS", "handshake"}:
        changes |= {"security": "starttls"}
    if server.at == "AUTH":
        changes |= {"user": "bob", "password": lambda: "secret"}
    return settings(server.port, **changes)


def failure(server: SlowServer, mime: bytes = MIME, **changes: Any) -> ProcessionError:
    """What becomes of a mail, soon."""
    with SmtpMailOut(settings_for(server, **changes)) as out:
        began = time.monotonic()
        with pytest.raises(ProcessionError) as raised:
            out.send(BOB, [ANN], mime)
        assert time.monotonic() - began < LONG_SECONDS
    return raised.value


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Certificate:
    return make_certificate(tmp_path_factory.mktemp("certificate"))


BEFORE = ["greeting", "EHLO", "STARTTLS", "handshake", "AUTH", "MAIL", "RCPT", "DATA"]


@pytest.mark.parametrize("how", ["mute", "dripping"])
@pytest.mark.parametrize("at", BEFORE)
def test_a_server_that_keeps_one_waiting_before_the_message_puts_the_mail_off(at: str, how: How) -> None:
    with SlowServer(at, how) as server:
        error = failure(server)

    assert type(error) is Unanswered
    assert error.message.endswith(": no answer in time")


@pytest.mark.parametrize("how", ["endless lines", "endless line"])
@pytest.mark.parametrize("at", [at for at in BEFORE if at != "handshake"])
def test_a_server_whose_answer_before_the_message_has_no_end_puts_the_mail_off(at: str, how: How) -> None:
    with SlowServer(at, how) as server:
        error = failure(server)

    assert type(error) is Unanswered
    assert error.message.endswith(": its answer has no end")
    assert server.written < MUCH_BYTES


@pytest.mark.parametrize("how", ["mute", "dripping", "endless lines", "endless line"])
def test_a_server_that_does_not_come_to_an_answer_after_the_message_leaves_the_outcome_unknown(
    how: How,
) -> None:
    with SlowServer(".", how) as server:
        error = failure(server)

    assert type(error) is UnknownOutcome
    assert server.mails == 1
    assert server.written < MUCH_BYTES


@pytest.mark.parametrize("how", ["mute", "dripping"])
def test_a_server_that_does_not_take_the_message_puts_the_mail_off(
    how: How, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(smtp_dialogue, "BYTES_PER_SECOND", 1e9)
    with SlowServer("message", how) as server:
        error = failure(server, BIG)

    assert type(error) is Unanswered
    assert error.message == "the mail server was lost before it took the mail: no answer in time"


@pytest.mark.parametrize("how", ["mute", "dripping", "endless lines", "endless line"])
@pytest.mark.parametrize(("at", "kind"), [("EHLO", Unanswered), ("MAIL", Unanswered), (".", UnknownOutcome)])
def test_tls_makes_no_difference(
    at: str, how: How, kind: type[ProcessionError], certificate: Certificate
) -> None:
    with SlowServer(at, how, tls=certificate.server) as server:
        error = failure(server, security="tls", ca_file=certificate.ca_file)

    assert type(error) is kind
    assert server.written < MUCH_BYTES


@pytest.fixture
def unreachable() -> Iterator[int]:
    """A port where connecting takes for ever: nobody accepts, and no more fit in."""
    with socket.create_server(("127.0.0.1", 0), backlog=0) as listener:
        port = listener.getsockname()[1]
        before = [socket.socket() for _ in range(4)]
        for one in before:
            one.setblocking(False)
            one.connect_ex(("127.0.0.1", port))
        yield port
        for one in before:
            one.close()


def test_a_server_that_cannot_be_connected_to_puts_the_mail_off(unreachable: int) -> None:
    with (
        SmtpMailOut(settings(unreachable)) as out,
        pytest.raises(Unanswered, match="cannot be reached: no answer in time"),
    ):
        out.send(BOB, [ANN], MIME)


def test_all_addresses_of_a_host_share_the_time_there_is(
    unreachable: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    address = (socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", unreachable))
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: [address] * 100)
    began = time.monotonic()

    with SmtpMailOut(settings(unreachable)) as out, pytest.raises(Unanswered):
        out.send(BOB, [ANN], MIME)

    assert time.monotonic() - began < LONG_SECONDS


def test_the_next_address_of_a_host_is_tried(unreachable: int, monkeypatch: pytest.MonkeyPatch) -> None:
    with SlowServer() as server:
        addresses = [
            (socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", port))
            for port in (unreachable, server.port)
        ]
        monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: addresses)
        with SmtpMailOut(settings(server.port)) as out:
            out.send(BOB, [ANN], MIME)

    assert server.mails == 1


def test_what_a_server_said_stands_though_it_does_not_clear_the_connection() -> None:
    with SlowServer("RSET", RCPT="550 no") as server:
        assert type(failure(server)) is TransportRefused


@pytest.mark.parametrize("how", ["mute", "dripping", "endless lines", "endless line"])
def test_a_goodbye_that_is_not_answered_is_not_waited_for(how: How) -> None:
    with SlowServer("QUIT", how) as server:
        out = SmtpMailOut(settings(server.port))
        out.send(BOB, [ANN], MIME)
        began = time.monotonic()

        out.close()

        assert time.monotonic() - began < LONG_SECONDS
    assert server.mails == 1


def test_kept_connections_that_fell_silent_cost_a_mail_one_time_out_and_not_one_each() -> None:
    with SlowServer() as server, SmtpMailOut(settings(server.port, connections=3)) as out:
        server.pause = 0.1
        with ThreadPoolExecutor(3) as pool:
            assert len(list(pool.map(lambda _: out.send(BOB, [ANN], MIME), range(3)))) == 3
        assert server.connections == 3
        server.at = "MAIL"
        with pytest.raises(Unanswered):
            out.send(BOB, [ANN], MIME)

    assert server.held_up == 2, "a kept one, and a new one"


def test_the_time_of_one_mail_is_not_that_of_the_next(monkeypatch: pytest.MonkeyPatch) -> None:
    with SlowServer() as server, SmtpMailOut(settings(server.port)) as out:
        out.send(BOB, [ANN], MIME)
        monkeypatch.setattr(smtp, "HAND_OVER_SECONDS", 0)
        with pytest.raises(Unanswered):
            out.send(BOB, [ANN], MIME)

    assert server.mails == 1


def test_each_phase_has_a_time_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    begun = []

    def noted(phase: str) -> Callable[..., None]:
        begin = getattr(Patience, phase)

        def note(patience: Patience, *size: int) -> None:
            begun.append(phase)
            begin(patience, *size)

        return note

    for phase in ("for_opening", "for_commands", "for_message", "for_answer", "for_courtesy"):
        monkeypatch.setattr(Patience, phase, noted(phase))
    with SlowServer() as server, SmtpMailOut(settings(server.port)) as out:
        out.send(BOB, [ANN], MIME)

    assert begun == ["for_opening", "for_commands", "for_message", "for_answer", "for_courtesy"]


@pytest.mark.parametrize(
    ("at", "kind"), [("greeting", Unanswered), ("MAIL", Unanswered), (".", UnknownOutcome)]
)
def test_all_phases_of_a_mail_share_the_time_of_one_mail(
    at: str, kind: type[ProcessionError], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(smtp, "HAND_OVER_SECONDS", 0.3)
    with SlowServer(at) as server:
        assert type(failure(server, timeout=timedelta(seconds=20))) is kind


@pytest.mark.parametrize("how", ["mute", "dripping", "endless lines", "endless line"])
def test_a_look_whether_the_server_answers_ends_soon(how: How) -> None:
    for at in ("greeting", "MAIL"):
        with SlowServer(at, how) as server:
            began = time.monotonic()
            with pytest.raises(Unanswered):
                SmtpMailOut(settings(server.port)).probe(BOB)
            assert time.monotonic() - began < LONG_SECONDS


def test_what_was_said_before_tls_is_not_believed_after_it(certificate: Certificate) -> None:
    """Somebody in between may have said it (RFC 3207, 4.2; "STARTTLS command injection")."""
    answers = {"STARTTLS": "220 go\r\n250 SIZE 77000000"}
    with SlowServer(starttls=certificate.server, **answers) as server:
        found = SmtpMailOut(settings(server.port, security="starttls", ca_file=certificate.ca_file)).probe()

    assert found == f"127.0.0.1:{server.port} takes mail, secured by STARTTLS, without signing in"


def test_a_long_greeting_is_read() -> None:
    lines = "\r\n".join(f"250-{'X' * 400}{number}" for number in range(100))
    with SlowServer(EHLO=f"{lines}\r\n250 SIZE 1000") as server, SmtpMailOut(settings(server.port)) as out:
        assert out.send(BOB, [ANN], MIME).answer == "250 taken"


def test_a_server_that_takes_its_time_for_each_of_many_recipients_gets_the_mail() -> None:
    recipients = [f"ann{number}@acme.example" for number in range(20)]
    with SlowServer() as server:
        server.pause = 0.1
        with SmtpMailOut(settings(server.port, timeout=timedelta(seconds=1))) as out:
            began = time.monotonic()
            out.send(BOB, recipients, MIME)

    assert time.monotonic() - began > 2, "no phase lasted longer than two silences"
    assert server.mails == 1


# How long is long.


class Watch:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def most(patience: Patience, watch: Watch, step: float) -> float:
    """How long a phase lasts if something comes each `step` seconds."""
    began = watch.now
    while True:
        try:
            patience.seconds()
        except TimeoutError:
            return watch.now - began
        watch.now += step


@pytest.fixture
def watch() -> Watch:
    return Watch()


@pytest.fixture
def patience(watch: Watch) -> Patience:
    return Patience(30, watch)


def test_nothing_is_waited_for_longer_than_one_silence(patience: Patience, watch: Watch) -> None:
    patience.for_opening()

    assert patience.seconds() == 30
    watch.now += 40
    assert patience.seconds() == 20


def test_a_phase_lasts_two_silences_however_much_comes(patience: Patience, watch: Watch) -> None:
    patience.for_opening()
    assert most(patience, watch, 0.5) == 60
    patience.for_answer()
    assert most(patience, watch, 0.5) == 60


def test_many_recipients_and_a_big_message_get_more(patience: Patience, watch: Watch) -> None:
    patience.for_commands(3)
    assert most(patience, watch, 0.5) == 69
    patience.for_commands(102)
    assert most(patience, watch, 0.5) == 366
    patience.for_message(32_000_000)
    assert most(patience, watch, 0.5) == 1060


def test_all_that_one_mail_takes_ends_too(watch: Watch) -> None:
    """As long as the RFC's waits are asked for, the last answer may have its ten minutes."""
    patience = Patience(600, watch, until=watch.now + HAND_OVER_SECONDS)
    patience.for_opening()
    watch.now += 100
    patience.for_answer()

    assert patience.seconds() == 600
    assert most(patience, watch, 1) == HAND_OVER_SECONDS - 100
    with pytest.raises(TimeoutError):
        patience.seconds()
    patience.for_courtesy()
    assert patience.seconds() == 5


def test_a_mail_is_over_before_its_engine_thinks_that_it_broke_off() -> None:
    assert timedelta(seconds=HAND_OVER_SECONDS) < LONGEST_HAND_OVER


def test_a_goodbye_gets_five_seconds_or_one_silence(watch: Watch) -> None:
    for silence, seconds in ((30, 5), (2, 2)):
        patience = Patience(silence, watch)
        patience.for_courtesy()
        assert most(patience, watch, 0.5) == seconds
