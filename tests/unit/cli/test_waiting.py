"""What people see of instances that wait and of mails that are held back, and what they do with them."""

from pathlib import Path

import pytest

from procession.testing.inbox import Inbox

from .conftest import Call

LATER = """\
process: later
title: Write later
inputs:
  contact: {type: record, of: contact}
triggers:
  - manual: {on: contact}
history: {on: "{{ contact }}"}
steps:
  - id: pause
    wait: 2 hours
  - id: hello
    send_email: {to: "{{ contact }}", subject: Hello, text: Hello, undo: 10 minutes}
  - log_history: "It was {{ outputs.hello.state }}"
"""
HELD = LATER.replace("process: later", "process: held").replace("  - id: pause\n    wait: 2 hours\n", "")


@pytest.fixture
def later(project: Path) -> None:
    for file in (project / "processes").glob("*.yaml"):
        file.unlink()
    for name, text in (("later", LATER), ("held", HELD)):
        (project / "processes" / f"{name}.yaml").write_text(text, encoding="utf-8")


@pytest.fixture
def inbox(monkeypatch: pytest.MonkeyPatch):
    with Inbox() as inbox:
        for name, value in (("HOST", inbox.host), ("PORT", str(inbox.port)), ("SECURITY", "none")):
            monkeypatch.setenv(f"PROCESSION_SMTP_{name}", value)
        yield inbox


def test_a_simulation_goes_ahead_to_the_end_of_each_wait(later: None, call: Call) -> None:
    steps = call("simulate", "later", "--input", "contact=contact:1", "--json").json["steps"]

    pause, hello, _ = steps
    assert [step["state"] for step in steps] == ["done"] * 3
    assert pause["at"] < hello["at"]
    assert hello["output"]["state"] == "sent"


def test_a_simulation_goes_ahead_though_somebody_else_waits_for_less(later: None, call: Call) -> None:
    call("run", "held", "--input", "contact=contact:1")
    call("run", "held", "--input", "contact=contact:2")

    said = call("simulate", "later", "--input", "contact=contact:1", "--json").json

    assert (said["state"], [step["state"] for step in said["steps"]]) == ("completed", ["done"] * 3)
    assert {one["state"] for one in call("instances", "--process", "held", "--json").json} == {"waiting"}


def test_who_runs_a_process_is_told_until_when_it_waits(later: None, call: Call) -> None:
    said = call("run", "later", "--input", "contact=contact:1")

    assert (said.code, said.out) == (0, "Instance 1: waiting.\n")
    assert "pause: until" in said.err
    assert "procession serve" in said.err


def test_what_an_instance_waits_for_is_shown(later: None, call: Call) -> None:
    call("run", "later", "--input", "contact=contact:1")

    shown = call("instances", "show", "1")
    (wait,) = call("instances", "show", "1", "--json").json["waits"]

    assert "waits     pause: until" in shown.out
    assert "pause   waiting" in shown.out
    assert (wait["step"], wait["for"], wait["moves_with"]) == ("pause", "timer", [])
    assert [one["id"] for one in call("instances", "--state", "waiting", "--json").json] == [1]


def test_the_status_says_what_is_under_way_and_what_waits_longest(later: None, call: Call) -> None:
    assert call("status").err == "0 instances under way; mails: none on the way.\n"
    call("run", "later", "--input", "contact=contact:1")
    call("run", "held", "--input", "contact=contact:1")

    said, told = call("status", "--longest", "1"), call("status", "--json").json

    assert "later" in said.out
    assert said.err.splitlines()[-1] == "2 instances under way; mails: 1 held."
    assert told["instances"] == {"held": {"waiting": 1}, "later": {"waiting": 1}}
    assert [wait["step"] for wait in told["longest_waits"]] == ["pause", "hello"]


def test_a_held_mail_is_listed_until_when(later: None, call: Call) -> None:
    call("run", "held", "--input", "contact=contact:1")

    assert "held until" in call("email", "list").out
    assert [mail["state"] for mail in call("email", "list", "--state", "held", "--json").json] == ["held"]


def test_a_held_mail_is_sent_now_by_hand_as_it_is_now(later: None, call: Call, inbox: Inbox) -> None:
    call("run", "held", "--input", "contact=contact:1")
    (mail,) = call("email", "list", "--json").json
    call("crm", "save", "contact:1", "--email", "new@acme.example")

    assert call("email", "send", str(mail["mail"])).code == 0

    assert [(sent.subject, sent.recipients) for sent in inbox.mails] == [("Hello", ("new@acme.example",))]
    assert call("instances", "show", "1", "--json").json["state"] == "completed"


def test_a_simulation_wakes_nobody_else(later: None, call: Call) -> None:
    call("run", "later", "--input", "contact=contact:1")

    said = call("simulate", "later", "--input", "contact=contact:2", "--json").json

    assert said["state"] == "completed"
    assert call("instances", "show", "1", "--json").json["state"] == "waiting"


def test_a_held_mail_is_cancelled_by_hand_and_its_process_goes_on(later: None, call: Call) -> None:
    call("run", "held", "--input", "contact=contact:1")
    (mail,) = call("email", "list", "--json").json

    assert call("email", "cancel", str(mail["mail"])).code == 0

    assert call("instances", "show", "1", "--json").json["state"] == "ready"
