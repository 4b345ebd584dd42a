"""An engine that is to stop lets go of mails that no server has; those that one may have are waited for."""

import socket
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import timedelta

import pytest

from procession.errors import NotTried
from procession.testing.inbox import Inbox
from procession.transports.smtp import SmtpMailOut, SmtpSettings

MAIL = ("us@crm.example", ["ann@acme.example"], b"Subject: Hello\r\n\r\nHello\r\n")


@contextmanager
def mute() -> Iterator[socket.socket]:
    """A server that accepts connections and never says a word."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server


@pytest.mark.parametrize("security", ["none", "starttls", "tls"])
def test_a_mail_that_waits_for_a_mute_server_is_let_go_at_once(security: str) -> None:
    with mute() as server, ThreadPoolExecutor(3) as pool:
        out = SmtpMailOut(SmtpSettings("127.0.0.1", server.getsockname()[1], security, connections=2))
        sent = [pool.submit(out.send, *MAIL) for _ in range(3)]
        (one, _), (other, _) = server.accept(), server.accept()
        began = time.monotonic()

        out.break_off()

        for each in sent:
            with pytest.raises(NotTried):
                each.result()
        assert time.monotonic() - began < 5
        with pytest.raises(NotTried):
            out.send(*MAIL)
        one.close()
        other.close()


def test_a_mail_whose_answer_is_awaited_is_not_let_go() -> None:
    with Inbox() as inbox, ThreadPoolExecutor(1) as pool:
        out = SmtpMailOut(SmtpSettings(inbox.host, inbox.port, "none"))
        inbox.faults.delay = timedelta(seconds=0.5)
        sent = pool.submit(out.send, *MAIL)
        time.sleep(0.1)
        while inbox.connections == 0 or out._open.open:
            time.sleep(0.001)

        out.break_off()

        assert sent.result().answer.startswith("250")
        assert len(inbox.mails) == 1
        out.close()
