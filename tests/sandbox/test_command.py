"""`procession sandbox` for people: it starts, says where it is, and other commands act on it."""

import json
import re
import select
import signal
import subprocess
import sys
from collections.abc import Iterator

import pytest
from sandbox.client import Client
from typer.testing import CliRunner

from procession.cli.sandbox import app


def listen_to_interrupts() -> None:
    """A job that a shell put in the background ignores them, and hands that down."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


class Running:
    def __init__(self, *options: str) -> None:
        command = [sys.executable, "-m", "procession.sandbox", "--port", "0", "--json", "--log", *options]
        self.process = subprocess.Popen(
            command,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            preexec_fn=listen_to_interrupts,  # noqa: PLW1509  no threads here
        )
        ready, _, _ = select.select([self.process.stdout], [], [], 30)
        assert ready, "the sandbox did not start"
        self.said = json.loads(self.process.stdout.readline())

    def stop(self) -> str:
        self.process.send_signal(signal.SIGINT)
        _, errors = self.process.communicate(timeout=20)
        return errors


@pytest.fixture(scope="module")
def started() -> Iterator[Running]:
    running = Running(
        "--user",
        "eva@firm.test:s3cret",
        "--user",
        "tom@firm.test:s3cret",
        "--fault",
        "GetRoomLists=busy-fault",
    )
    yield running
    if running.process.poll() is None:
        running.stop()


def ask(started: Running, *arguments: str):
    return CliRunner().invoke(
        app, [*arguments, "--url", started.said["ews"], "--user", "eva@firm.test:s3cret"]
    )


def test_one_line_of_json_says_where_everything_is(started: Running) -> None:
    assert re.fullmatch(r"http://127\.0\.0\.1:\d+/EWS/Exchange\.asmx", started.said["ews"])
    assert all(re.fullmatch(r"127\.0\.0\.1:\d+", started.said[face]) for face in ("smtp", "imap", "pop3"))
    assert started.said["users"] == [
        {"address": "eva@firm.test", "password": "s3cret"},
        {"address": "tom@firm.test", "password": "s3cret"},
    ]


def test_a_mail_and_a_meeting_are_added_to_a_running_one(started: Running) -> None:
    mail = ask(
        started,
        "add-mail",
        "Offer",
        "--from",
        "kim@customer.test",
        "--text",
        "Please",
        "--to",
        "tom@firm.test",
    )
    meeting = ask(
        started, "add-meeting", "Visit", "--start", "2030-03-04T10:00+01:00", "--attendee", "tom@firm.test"
    )
    ledger = ask(started, "ledger")
    tom = Client(started.said["ews"], "tom@firm.test", "s3cret")

    assert mail.output.startswith("A mail for tom@firm.test has arrived: <")
    assert meeting.output.startswith("The meeting of eva@firm.test starts 2030-03-04T09:00:00+00:00: ")
    assert {"Offer", "Visit"} <= set(tom.find(base="Default").subjects())
    assert "eva@firm.test -> tom@firm.test  Visit" in ledger.output


def test_a_fault_named_at_the_start_strikes(started: Running) -> None:
    client = Client(started.said["ews"], "eva@firm.test", "s3cret")

    assert client.send("<m:GetRoomLists/>").code == "ErrorServerBusy"
    assert client.send("<m:GetRoomLists/>").code == "NoError"
    assert ask(started, "fault", "GetRoomLists#1=busy-fault", "--clear").output == "1 faults are set.\n"
    assert client.send("<m:GetRoomLists/>").code == "ErrorServerBusy"


def test_what_cannot_be_done_is_said_in_a_sentence(started: Running) -> None:
    wrong = CliRunner().invoke(app, ["ledger", "--url", started.said["ews"], "--user", "eva@firm.test:no"])
    nobody = ask(started, "add-mail", "X", "--to", "nobody@firm.test")
    nowhere = CliRunner().invoke(app, ["ledger", "--url", "http://127.0.0.1:9/EWS/Exchange.asmx"])

    assert wrong.output == "The sandbox knows no such user and password. Give --user ADDRESS:PASSWORD.\n"
    assert nobody.output == "There is no user nobody@firm.test.\n"
    assert nowhere.output.startswith("No sandbox answers at http://127.0.0.1:9/EWS/Exchange.asmx")
    assert {wrong.exit_code, nobody.exit_code, nowhere.exit_code} == {2}


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--user", "eva"], "'eva' is not a user. Write ADDRESS:PASSWORD, as in anna@example.com:secret.\n"),
        (["--fault", "x=explode"], "There is no fault 'explode'. There are "),
        (
            ["--version", "Exchange5.5"],
            "The sandbox does not know Exchange5.5. It serves Exchange2010_SP2, Exchange2013_SP1 and Exchange2016.\n",
        ),
    ],
)
def test_an_option_that_is_wrong_is_explained(options: list[str], message: str) -> None:
    result = CliRunner().invoke(app, ["--port", "0", *options])

    assert (result.exit_code, result.output.startswith(message)) == (2, True), result.output


def test_a_port_that_is_taken_is_explained(started: Running) -> None:
    port = started.said["smtp"].rpartition(":")[2]

    result = CliRunner().invoke(app, ["--port", port])

    assert result.exit_code == 2
    assert result.output.startswith("The sandbox cannot listen: ")
    assert "Name another --port; 0 takes any free one." in result.output


def test_it_stops_on_interrupt_and_its_log_has_a_line_for_each_request(started: Running) -> None:
    Client(started.said["ews"], "eva@firm.test", "s3cret").find()

    errors = started.stop()

    assert re.search(r"^ews eva@firm\.test FindItem 200 [\d.]+ ms$", errors, re.MULTILINE)
    assert "Traceback" not in errors
    assert started.process.returncode == 0


def test_an_empty_one_that_others_may_reach_warns_and_holds_nothing() -> None:
    running = Running("--empty", "--host", "0.0.0.0", "--tls")

    errors = running.stop()

    assert errors.startswith(
        "Warning: listening on 0.0.0.0, so others can reach this sandbox and read its passwords.\n"
    )
    assert "The certificate to trust is " in errors
    assert running.said["ews"].startswith("https://0.0.0.0:")
