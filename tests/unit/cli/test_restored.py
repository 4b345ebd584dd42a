"""A database that was put back or copied, at the command line: what is said, and what a person says."""

import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from procession.testing.inbox import Inbox

from .conftest import Call

GREET = """\
process: greet
inputs: {contact: {type: record, of: contact}}
triggers: [{manual: {on: contact}}]
mode: parallel
steps:
  - id: hello
    send_email: {to: "{{ contact }}", subject: Hello, text: Hello}
"""
DATABASE = Path(".procession/procession.sqlite")
RUN = ("run", "greet", "-i", "contact=contact:1")


@pytest.fixture
def inbox(monkeypatch: pytest.MonkeyPatch) -> Iterator[Inbox]:
    with Inbox() as server:
        monkeypatch.setenv("PROCESSION_SMTP_HOST", server.host)
        monkeypatch.setenv("PROCESSION_SMTP_PORT", str(server.port))
        monkeypatch.setenv("PROCESSION_SMTP_SECURITY", "none")
        yield server


@pytest.fixture
def greeted(project: Path, call: Call, inbox: Inbox) -> Path:
    """A project that has sent a mail since its backup was made."""
    for file in (project / "processes").glob("*.yaml"):
        file.unlink()
    (project / "processes" / "greet.yaml").write_text(GREET, encoding="utf-8")
    assert call(*RUN).code == 0
    backup()
    assert call(*RUN).code == 0
    return project


def backup() -> None:
    with closing(sqlite3.connect(DATABASE)) as there, closing(sqlite3.connect("backup.sqlite")) as copy:
        there.backup(copy)


def put_back() -> None:
    for end in ("-wal", "-shm"):
        DATABASE.with_name(DATABASE.name + end).unlink(missing_ok=True)
    shutil.copy("backup.sqlite", DATABASE)


def test_what_runs_and_what_is_sent_by_hand_is_refused_with_what_to_do(
    greeted: Path, call: Call, inbox: Inbox
) -> None:
    draft = call("email", "new", "--to", "contact:1", "--subject", "a", "--text", "b", "--json").json["mail"]
    backup()
    assert call(*RUN).code == 0
    put_back()

    said = [call(*RUN), call(*RUN, "--no-wait"), call("email", "send", str(draft))]

    assert {one.code for one in said} == {2}
    for one in said:
        assert one.err.startswith("The database may have been put back from a backup, or copied: ")
        assert "procession restored --go-on, or procession restored --drop-due" in one.err
    assert len(inbox.mails) == 3
    assert len(call("instances", "--json").json) == 2


def test_the_doctor_says_so_before_an_engine_has_found_out(greeted: Path, call: Call) -> None:
    put_back()

    said = call("doctor")

    assert said.code == 1
    assert "✗ backup: The database may have been put back from a backup, or copied" in said.out
    assert "procession restored --drop-due" in said.out


@pytest.mark.parametrize("word", ["--go-on", "--drop-due"])
def test_a_person_says_what_is_to_become_of_it(greeted: Path, call: Call, inbox: Inbox, word: str) -> None:
    put_back()

    said = call("restored", word)

    assert said.code == 0
    assert "The database is held no more" in said.out
    assert "backup" not in call("doctor").out
    assert call(*RUN).code == 0
    ids = [mail.message_id for mail in inbox.mails]
    assert len(ids) == len(set(ids)) == 3


def test_there_is_nothing_to_say_of_a_database_that_goes_on(greeted: Path, call: Call) -> None:
    said = call("restored", "--go-on")

    assert (said.code, said.out) == (2, "")
    assert said.err.startswith(
        "The database is not held, and it knows of everything that was done with it from here."
    )


@pytest.mark.parametrize("words", [(), ("--go-on", "--drop-due")])
def test_it_must_be_said_which(greeted: Path, call: Call, words: tuple[str, ...]) -> None:
    put_back()

    said = call("restored", *words)

    assert (said.code, said.err) == (
        2,
        "Say what is to become of what was queued or due. Give --go-on or --drop-due.\n",
    )


def test_what_was_done_can_be_read_by_a_program(greeted: Path, call: Call) -> None:
    put_back()

    assert call("restored", "--drop-due", "--json").json == {
        "sent": 0,
        "unknown": 1,
        "mails": 0,
        "instances": 0,
        "events": 1,
    }


def test_a_copy_gets_an_identity_of_its_own(greeted: Path, call: Call, inbox: Inbox) -> None:
    call(*RUN, "--no-wait")
    backup()
    copy = greeted.parent / "copy"
    shutil.copytree(greeted, copy, ignore=shutil.ignore_patterns(".procession"))
    (copy / ".procession").mkdir()
    shutil.copy("backup.sqlite", copy / DATABASE)
    assert call("-C", str(copy), *RUN).code == 2

    said = call("init", str(copy), "--new-identity")

    assert said.code == 0
    assert (
        "cancelled of what the other one had queued and under way: 0 mails, 1 instance, 2 events" in said.err
    )
    assert call("-C", str(copy), *RUN).code == 0
    assert call("instances", "show", "3", "--json").json["state"] == "ready"
    assert call(*RUN).code == 0
    ids = [mail.message_id for mail in inbox.mails]
    assert len(ids) == len(set(ids)) == 4


@pytest.mark.parametrize("word", ["--go-on", "--drop-due"])
def test_what_the_database_does_not_know_of_is_told(greeted: Path, call: Call, word: str) -> None:
    put_back()

    said = call("restored", word)

    assert (
        "1 mail went out that this database does not know of; what caused it may cause it again.\n"
        in said.out
    )


def test_the_original_is_not_taken_for_a_copy(greeted: Path, call: Call) -> None:
    call(*RUN, "--no-wait")

    said = call("init", "--new-identity")

    assert said.code == 2
    assert said.err.endswith(
        "Nothing says that this database is a copy of another one: what it has queued and under way would be cancelled. If it"
        " is one (its folder was copied as a whole, or before any engine worked on it), give --yes. For one that was put"
        " back from a backup: procession restored --go-on, or --drop-due.\n"
    )
    assert call("instances", "show", "3", "--json").json["state"] == "ready"


def test_a_folder_that_was_copied_as_a_whole_is_a_copy_if_it_is_said(greeted: Path, call: Call) -> None:
    call(*RUN, "--no-wait")

    said = call("init", "--new-identity", "--yes")

    assert said.code == 0
    assert call("instances", "show", "3", "--json").json["state"] == "cancelled"


@pytest.mark.parametrize("word", ["--keep", "--yes"])
def test_what_says_nothing_alone(project: Path, call: Call, word: str) -> None:
    said = call("init", word)

    assert (said.code, said.err) == (2, f"{word} is for a copy. Give --new-identity with it.\n")
