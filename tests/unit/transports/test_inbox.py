"""The inbox as a process of its own: what it says it took is on disk before it says so."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from procession.effects import Recipient, SendMail
from procession.mail import compose
from procession.testing.inbox import Inbox
from procession.transports.smtp import SmtpMailOut, SmtpSettings

BOB, ANN = "bob@us.example", "ann@acme.example"


def mime(number: int) -> bytes:
    mail = SendMail(
        f"<{number}@us.example>",
        Recipient(BOB),
        (Recipient(ANN),),
        f"Mail {number}",
        "Hello\n",
        "<p>Hello</p>",
    )
    return compose(mail, datetime(2026, 3, 2, tzinfo=UTC))


Process = subprocess.Popen[str]


@pytest.fixture
def served(tmp_path: Path) -> Iterator[tuple[Process, dict[str, Any]]]:
    command = [sys.executable, "-m", "procession.testing.inbox", "--port", "0", "--maildir", str(tmp_path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        yield process, json.loads(process.stdout.readline())
        process.kill()


def test_every_accepted_mail_has_its_line_though_the_server_is_killed(
    served: tuple[Process, dict[str, Any]], tmp_path: Path
) -> None:
    process, where = served
    with SmtpMailOut(SmtpSettings(where["host"], where["port"], "none")) as out:
        for number in range(3):
            out.send(BOB, [ANN], mime(number))

        os.kill(process.pid, signal.SIGKILL)

    lines = [json.loads(line) for line in (tmp_path / "accepted.jsonl").read_text().splitlines()]
    assert where["pid"] == process.pid
    assert [(line["from"], line["to"], line["message_id"], line["bytes"]) for line in lines] == [
        (BOB, [ANN], f"<{number}@us.example>", len(mime(number))) for number in range(3)
    ]
    assert sorted(path.read_bytes() for path in (tmp_path / "new").iterdir()) == [
        mime(number) for number in range(3)
    ]


def test_an_inbox_shows_what_is_in_a_mail() -> None:
    with Inbox() as inbox, SmtpMailOut(SmtpSettings(inbox.host, inbox.port, "none")) as out:
        out.send(BOB, [ANN], mime(1))

        [mail] = inbox.wait_for(1)

    assert (mail.subject, mail.text, mail.html, mail.message_id) == (
        "Mail 1",
        "Hello\n",
        "<p>Hello</p>\n",
        "<1@us.example>",
    )
    assert mail.attachments == {}
    assert abs(mail.received_at - datetime.now(UTC)) < timedelta(minutes=1)


def test_waiting_for_more_than_comes_says_how_many_came() -> None:
    with Inbox() as inbox, pytest.raises(TimeoutError, match=r"^0 of 1 mails came within 0.01 s$"):
        inbox.wait_for(1, timedelta(milliseconds=10))
