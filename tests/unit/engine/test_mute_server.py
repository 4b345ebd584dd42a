"""Mails to a server that does not answer: an engine over SMTP on a real socket, and on a clock that is set."""

import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta

import pytest
from office import ANNA, Office
from slow_server import SlowServer

from procession.dispatch import start_by_hand
from procession.errors import NotAsked, TransportDeferred
from procession.ports import Delivery
from procession.transports.breaker import Breaker
from procession.transports.smtp import SmtpMailOut, SmtpSettings

SILENCE_SECONDS = 0.3
HELLO = """
    process: p
    title: The process
    inputs: {deal: {type: record, of: opportunity}}
    triggers: [{manual: {on: opportunity}}]
    mode: parallel
    steps:
      - id: hello
        send_email: {to: "{{ deal.contact }}", subject: Hello, text: Hello}
        retry: transient
"""
TRIES = [timedelta(minutes=minutes) for minutes in (0, 1, 2, 3, 5, 9)]
"""Pauses after which a mail of `retry: transient` is due again, jitter included."""


@pytest.fixture
def server() -> Iterator[SlowServer]:
    with SlowServer("MAIL") as opened:
        yield opened


@pytest.fixture
def connected(office: Office, server: SlowServer) -> Iterator[Office]:
    settings = SmtpSettings(
        "127.0.0.1", server.port, "none", ehlo_name="x.example", timeout=timedelta(seconds=SILENCE_SECONDS)
    )
    breaker = Breaker(str(settings), monotonic=lambda: office.clock.now().timestamp())
    with SmtpMailOut(settings, breaker=breaker) as out:
        office.ports = replace(office.ports, mail_out=out)
        yield office


def start(office: Office, count: int) -> None:
    plan = office.deploy(HELLO)
    for _ in range(count):
        start_by_hand(office.ports, plan, {"deal": office.known["deal"]}, actor=ANNA)


def mails(office: Office) -> Counter[str]:
    with office.ports.store.unit(write=False) as unit:
        states = ("queued", "sending", "sent", "failed", "unknown")
        return Counter({state: len(unit.outbox.in_state([state])) for state in states})


def test_forty_mails_to_a_mute_server_hold_the_engine_up_for_about_one_time_out(
    connected: Office, server: SlowServer
) -> None:
    start(connected, 40)
    began = time.monotonic()

    connected.work()

    assert time.monotonic() - began < 10 * SILENCE_SECONDS, "ten, as it was"
    assert 3 <= server.connections <= 4
    assert mails(connected) == Counter(queued=40)
    assert connected.states() == ["waiting"] * 40


def test_mails_to_a_server_that_is_back_within_a_quarter_of_an_hour_are_sent(
    connected: Office, server: SlowServer
) -> None:
    start(connected, 40)
    for pause in TRIES[:5]:
        connected.work(later=pause)
    assert mails(connected) == Counter(queued=40)
    server.at = ""

    connected.work(later=TRIES[5])
    assert mails(connected)["failed"] == 0, "none has used up its tries while nobody asked the server"
    connected.work(later=timedelta(minutes=1))

    assert mails(connected) == Counter(sent=40)
    assert connected.states() == ["completed"] * 40
    assert server.mails == 40


class NotNow:
    """A mail server that is not asked so many times, since it did not answer others, and then refuses for a moment."""

    connections = 1

    def __init__(self, *errors: Exception) -> None:
        self.errors = list(errors)

    def send(self, *_mail: object) -> Delivery:
        if self.errors:
            raise self.errors.pop(0)
        return Delivery("250 OK")

    def close(self) -> None: ...


@pytest.mark.parametrize(
    ("retry", "errors", "state"),
    [
        ("", 12 * [NotAsked("not now")], "completed"),
        ("retry: {max_attempts: 2}", [*5 * [NotAsked("not now")], TransportDeferred("451"), *3 * [NotAsked("no")]], "completed"),
        ("retry: {max_attempts: 2}", [TransportDeferred("451"), NotAsked("no"), TransportDeferred("451")], "incident"),
    ],
)  # fmt: skip
def test_a_mail_that_was_not_handed_over_for_the_sake_of_others_has_lost_no_try(
    office: Office, retry: str, errors: list[Exception], state: str
) -> None:
    office.ports = replace(office.ports, mail_out=NotNow(*errors))
    plan = office.deploy(HELLO.replace("retry: transient", retry))
    start_by_hand(office.ports, plan, {"deal": office.known["deal"]}, actor=ANNA)
    for _ in range(20):
        office.work(later=timedelta(hours=1))

    assert office.states() == [state]
