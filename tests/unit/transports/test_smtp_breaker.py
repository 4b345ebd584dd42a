"""A mail server that does not answer is left alone for a while: on a clock that is set, then on real sockets."""

import logging
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from datetime import timedelta
from typing import Any

import pytest
from slow_server import SlowServer

from procession.errors import (
    ConfigurationError,
    NotAsked,
    PermanentError,
    ProcessionError,
    TransportDeferred,
    TransportRefused,
    Unanswered,
    UnknownOutcome,
)
from procession.transports.breaker import Breaker
from procession.transports.smtp import SmtpMailOut, SmtpSettings

BOB, ANN = "bob@us.example", "ann@acme.example"
MIME = b"Subject: x\r\n\r\nHello\r\n"
SILENCE_SECONDS = 0.3


class Watch:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def watch() -> Watch:
    return Watch()


@pytest.fixture
def breaker(watch: Watch) -> Breaker:
    return Breaker("mail.example:587", monotonic=watch, moment=0.05)


def hand_over(breaker: Breaker, outcome: BaseException | None = None) -> str:
    """What becomes of a mail, by its class; `sent` without an `outcome` of the server."""
    try:
        with breaker.guarded():
            if outcome:
                raise outcome
    except (ProcessionError, ZeroDivisionError) as error:
        return type(error).__name__
    return "sent"


def fail(breaker: Breaker, times: int) -> None:
    for _ in range(times):
        assert hand_over(breaker, Unanswered("no answer in time")) == "Unanswered"


def pause(breaker: Breaker, watch: Watch) -> float:
    """How many seconds until a mail is handed over again; that one is not answered either."""
    began = watch.now
    while hand_over(breaker, Unanswered("no answer in time")) == "NotAsked":
        watch.now += 0.5
    return watch.now - began


def test_the_first_mails_are_handed_over_whatever_becomes_of_them(breaker: Breaker) -> None:
    fail(breaker, 3)


def test_after_three_in_a_row_the_next_is_put_off_with_one_sentence(breaker: Breaker) -> None:
    fail(breaker, 3)

    with pytest.raises(NotAsked) as raised, breaker.guarded():
        pytest.fail("it was handed over")

    assert raised.value.message == (
        "mail.example:587 did not answer the last 3 mails, so this one was not handed over: the next one tries it in 5 s"
    )
    assert raised.value.hint == "Look at the mail server; `procession doctor` says whether it answers."
    with pytest.raises(NotAsked):
        breaker.check()


def test_the_pauses_double_up_to_a_minute(breaker: Breaker, watch: Watch) -> None:
    fail(breaker, 3)

    assert [pause(breaker, watch) for _ in range(6)] == [5, 10, 20, 40, 60, 60]


def test_a_mail_that_is_sent_after_the_pause_opens_the_way_for_all(breaker: Breaker, watch: Watch) -> None:
    fail(breaker, 3)
    assert pause(breaker, watch) == 5
    watch.now += 10

    assert [hand_over(breaker) for _ in range(5)] == ["sent"] * 5
    fail(breaker, 3)
    assert pause(breaker, watch) == 5, "what was before the answer counts no more"


def test_one_mail_at_a_time_tries(breaker: Breaker, watch: Watch) -> None:
    fail(breaker, 3)
    watch.now += 5

    with breaker.guarded():
        assert hand_over(breaker) == "NotAsked"
        with pytest.raises(NotAsked, match="this one was not handed over: another one tries it now"):
            breaker.check()
        watch.now += 1000
        assert hand_over(breaker) == "NotAsked"

    assert hand_over(breaker) == "sent"


def trying(watch: Watch, moment: float) -> tuple[Breaker, AbstractContextManager[None]]:
    """One mail tries, and others come."""
    breaker = Breaker("mail.example:587", monotonic=watch, moment=moment)
    fail(breaker, 3)
    watch.now += 5
    probe = breaker.guarded()
    probe.__enter__()
    return breaker, probe


def test_others_wait_a_moment_for_the_one_that_tries_and_go_if_it_is_answered(watch: Watch) -> None:
    breaker, probe = trying(watch, 20)
    with ThreadPoolExecutor(8) as pool:
        others = [pool.submit(hand_over, breaker) for _ in range(8)]
        with pytest.raises(TimeoutError):
            others[0].result(timeout=0.05)
        breaker.check()

        probe.__exit__(None, None, None)

        assert [other.result() for other in others] == ["sent"] * 8


def test_others_are_put_off_once_the_one_that_tries_was_not_answered(watch: Watch) -> None:
    breaker, probe = trying(watch, 20)
    with ThreadPoolExecutor(8) as pool:
        others = [pool.submit(hand_over, breaker) for _ in range(8)]
        probe.__exit__(Unanswered, Unanswered("no answer in time"), None)

        assert [other.result() for other in others] == ["NotAsked"] * 8


def test_all_others_together_wait_one_moment(watch: Watch) -> None:
    breaker, probe = trying(watch, 0.5)
    began = time.monotonic()

    assert [hand_over(breaker) for _ in range(30)] == ["NotAsked"] * 30

    assert time.monotonic() - began < 5
    probe.__exit__(None, None, None)


def test_another_one_tries_if_the_first_did_not_come_to_the_server(watch: Watch) -> None:
    breaker, probe = trying(watch, 20)
    with ThreadPoolExecutor(8) as pool:
        others = [pool.submit(hand_over, breaker, Unanswered("no answer in time")) for _ in range(8)]
        probe.__exit__(PermanentError, PermanentError("that is no e-mail address"), None)

        assert sorted(other.result() for other in others) == ["NotAsked"] * 7 + ["Unanswered"]


@pytest.mark.parametrize(
    "answer",
    [
        None,
        TransportDeferred("the mail server put off the mail: 451 later"),
        TransportRefused("the mail server refused the mail: 550 no"),
        ConfigurationError("the mail server wants us to sign in"),
    ],
    ids=["taken", "later", "refused", "sign in"],
)
def test_whatever_a_server_answers_it_answers(
    answer: ProcessionError | None, breaker: Breaker, watch: Watch
) -> None:
    for _ in range(10):
        hand_over(breaker, answer)
    assert hand_over(breaker) == "sent"

    fail(breaker, 2)
    hand_over(breaker, answer)
    fail(breaker, 3)
    assert pause(breaker, watch) == 5
    watch.now += 10
    hand_over(breaker, answer)
    assert hand_over(breaker) == "sent"


def test_mails_whose_outcome_nobody_knows_were_not_answered(breaker: Breaker) -> None:
    for _ in range(3):
        assert hand_over(breaker, UnknownOutcome("no answer was read")) == "UnknownOutcome"

    assert hand_over(breaker) == "NotAsked"


@pytest.mark.parametrize(
    "ours", [PermanentError("that is no e-mail address"), ZeroDivisionError()], ids=["address", "mistake"]
)
def test_a_mail_that_never_came_to_the_server_says_nothing_of_it(
    ours: Exception, breaker: Breaker, watch: Watch
) -> None:
    fail(breaker, 2)
    hand_over(breaker, ours)
    fail(breaker, 1)
    assert hand_over(breaker) == "NotAsked"

    watch.now += 5
    assert hand_over(breaker, ours) == type(ours).__name__
    assert hand_over(breaker, Unanswered("no answer in time")) == "Unanswered", "another one tries"
    assert pause(breaker, watch) == 10


def test_those_that_were_under_way_make_the_pause_no_longer(breaker: Breaker, watch: Watch) -> None:
    early = [breaker.guarded() for _ in range(4)]
    for one in early:
        one.__enter__()
    for one in early:
        one.__exit__(Unanswered, Unanswered("no answer in time"), None)

    assert pause(breaker, watch) == 5
    assert pause(breaker, watch) == 10


def test_once_one_was_not_answered_others_wait_for_those_under_way(breaker: Breaker) -> None:
    under_way = [breaker.guarded() for _ in range(3)]
    for one in under_way:
        one.__enter__()
    with ThreadPoolExecutor(1) as pool:
        under_way[0].__exit__(Unanswered, Unanswered("no answer in time"), None)
        next_one = pool.submit(hand_over, breaker)
        with pytest.raises(TimeoutError):
            next_one.result(timeout=0.05)

        under_way[1].__exit__(None, None, None)

        assert next_one.result(timeout=20) == "sent"
    under_way[2].__exit__(None, None, None)


def test_one_that_was_under_way_and_is_sent_opens_the_way(breaker: Breaker) -> None:
    early = [breaker.guarded() for _ in range(4)]
    for one in early:
        one.__enter__()
    for one in early[:3]:
        one.__exit__(Unanswered, Unanswered("no answer in time"), None)
    assert hand_over(breaker) == "NotAsked"

    early[3].__exit__(None, None, None)

    assert hand_over(breaker) == "sent"


def test_the_log_says_once_that_mails_wait_and_once_that_they_go(
    breaker: Breaker, watch: Watch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    fail(breaker, 3)
    for _ in range(3):
        pause(breaker, watch)
    watch.now += 60
    hand_over(breaker)
    hand_over(breaker)

    assert [record.message for record in caplog.records] == [
        "mail.example:587 did not answer 3 mails in a row: others wait",
        "mail.example:587 answers again",
    ]


def test_threads_agree_on_who_tries(breaker: Breaker, watch: Watch) -> None:
    fail(breaker, 3)
    watch.now += 5
    start, tried = threading.Barrier(16), threading.Semaphore(0)
    all_asked = threading.Event()

    def send() -> str:
        start.wait()
        try:
            with breaker.guarded():
                all_asked.wait(20)
        except NotAsked:
            tried.release()
            return "NotAsked"
        return "sent"

    with ThreadPoolExecutor(16) as pool:
        outcomes = [pool.submit(send) for _ in range(16)]
        for _ in range(15):
            assert tried.acquire(timeout=20)
        all_asked.set()

    assert sorted(each.result() for each in outcomes) == ["NotAsked"] * 15 + ["sent"]


# On real sockets.


@pytest.fixture
def server() -> Iterator[SlowServer]:
    with SlowServer() as opened:
        yield opened


def mail_out(server: SlowServer, watch: Watch, **changes: Any) -> SmtpMailOut:
    given: dict[str, Any] = {
        "security": "none", "timeout": timedelta(seconds=SILENCE_SECONDS), "ehlo_name": "client.example"
    }  # fmt: skip
    settings = SmtpSettings("127.0.0.1", server.port, **(given | changes))
    return SmtpMailOut(settings, breaker=Breaker(str(settings), monotonic=watch))


def outcome(out: SmtpMailOut, recipient: str = ANN) -> str:
    try:
        out.send(BOB, [recipient], MIME)
    except ProcessionError as error:
        return type(error).__name__
    return "sent"


def outcomes(out: SmtpMailOut, mails: int, threads: int) -> list[str]:
    with ThreadPoolExecutor(threads) as pool:
        return sorted(pool.map(lambda _: outcome(out), range(mails)))


@pytest.mark.parametrize("threads", [4, 40], ids=["as many hands as connections", "all at once"])
@pytest.mark.parametrize("how", ["mute", "dripping"])
@pytest.mark.parametrize("at", ["greeting", "MAIL", "."])
def test_forty_mails_to_a_server_that_does_not_answer_cost_one_time_out(
    at: str, how: Any, threads: int, server: SlowServer, watch: Watch
) -> None:
    server.at, server.how = at, how
    why = "UnknownOutcome" if at == "." else "Unanswered"
    with mail_out(server, watch) as out:
        began = time.monotonic()
        found = outcomes(out, 40, threads)
        took = time.monotonic() - began

    asked = found.count(why)
    assert 3 <= asked <= 4
    assert found.count("NotAsked") == 40 - asked
    assert server.connections == asked
    assert took < 10 * SILENCE_SECONDS, "it was ten time-outs of one silence, and of a drip without end"


def test_a_server_that_answers_again_gets_all_mails(server: SlowServer, watch: Watch) -> None:
    server.at = "greeting"
    with mail_out(server, watch) as out:
        outcomes(out, 8, 4)
        server.at = ""
        assert outcomes(out, 8, 4) == ["NotAsked"] * 8

        watch.now += 5
        assert outcome(out) == "sent"
        assert outcomes(out, 8, 4) == ["sent"] * 8


def test_a_server_that_is_gone_is_not_asked_either(server: SlowServer, watch: Watch) -> None:
    with SlowServer() as gone:
        pass

    with mail_out(gone, watch) as out:
        assert [outcome(out) for _ in range(5)] == ["Unanswered"] * 3 + ["NotAsked"] * 2


def test_a_kept_connection_that_the_server_closed_counts_for_nothing(
    server: SlowServer, watch: Watch
) -> None:
    with mail_out(server, watch, mails_per_connection=2) as out:
        assert [outcome(out) for _ in range(10)] == ["sent"] * 10


def test_an_address_that_is_none_is_no_fault_of_the_server(server: SlowServer, watch: Watch) -> None:
    with mail_out(server, watch) as out:
        assert [outcome(out, "no address") for _ in range(5)] == ["PermanentError"] * 5
        assert outcome(out) == "sent"


def test_mails_that_are_put_off_take_no_turn_of_those_that_go_out(server: SlowServer, watch: Watch) -> None:
    server.at = "greeting"
    with mail_out(server, watch, per_second=10) as out:
        began = time.monotonic()
        outcomes(out, 40, 4)

    assert time.monotonic() - began < 3, "they would have waited for three seconds and more"
