"""What people see of instances that stand in line for a key, and of starts that were refused."""

from pathlib import Path

import pytest

from .conftest import Call

HELLO = """\
process: hello
title: Say hello
inputs:
  contact: {type: record, of: contact}
triggers:
  - manual: {on: contact}
key: "{{ contact.id }}"
mode: MODE
steps:
  - id: pause
    wait: 2 hours
"""
RUN = ("run", "hello", "--input", "contact=contact:1")


@pytest.fixture
def hello(project: Path) -> Path:
    for file in (project / "processes").glob("*.yaml"):
        file.unlink()
    return project / "processes" / "hello.yaml"


@pytest.fixture
def queued(hello: Path, call: Call) -> None:
    """One that waits, and two behind it."""
    hello.write_text(HELLO.replace("MODE", "queued"), encoding="utf-8")
    for _ in range(3):
        assert call(*RUN).code == 0


def test_whoever_starts_one_is_told_after_whom_it_begins(hello: Path, call: Call) -> None:
    hello.write_text(HELLO.replace("MODE", "queued"), encoding="utf-8")
    call(*RUN)

    said = [call(*RUN), call(*RUN, "--no-wait"), call(*RUN, "--json")]

    assert [one.out for one in said[:2]] == [
        f"Instance {number} is queued, after instance {number - 1}; `procession serve` takes it up.\n"
        for number in (2, 3)
    ]
    assert (said[2].json["state"], said[2].json["queued_after"]) == ("queued", 3)


def test_a_list_says_after_whom_an_instance_begins(queued: None, call: Call) -> None:
    said = call("instances", "--state", "queued").out

    assert "after instance 1" in said
    assert "after instance 2" in said
    assert [(one["id"], one["queued_after"], one["queued_behind"]) for one in call("instances", "--json").json] == [
        (3, 2, []), (2, 1, [3]), (1, None, [2, 3]),
    ]  # fmt: skip


def test_an_instance_says_who_stands_in_line_behind_it(queued: None, call: Call) -> None:
    first, second = call("instances", "show", "1").out, call("instances", "show", "2").out

    assert "2 starts queued behind it: 2, 3" in first
    assert "queued, after instance 1" in second
    assert "1 start queued behind it: 3" in second


def test_the_status_counts_those_in_line(queued: None, call: Call) -> None:
    assert call("status", "--json").json["instances"] == {"hello": {"waiting": 1, "queued": 2}}
    assert "queued" in call("status").out


def test_one_that_stands_in_line_is_cancelled_at_once(queued: None, call: Call) -> None:
    assert call("instances", "cancel", "2").out == "Instance 2 is cancelled.\n"
    assert "after instance 1" in call("instances", "show", "3").out
    assert call("instances", "cancel", "1").out == "Instance 1 is cancelled.\n"
    assert call("instances", "show", "3", "--json").json["state"] == "ready"


def test_what_is_refused_is_counted_where_the_key_is(hello: Path, call: Call) -> None:
    hello.write_text(HELLO.replace("MODE", "single"), encoding="utf-8")
    call(*RUN)
    for _ in range(3):
        assert call(*RUN).code == 2

    assert "3 starts were refused since it holds the key" in call("instances", "show", "1").out
    call("instances", "cancel", "1")
    assert "3 starts were refused since it held the key" in call("instances", "show", "1").out


def test_an_incident_says_what_it_keeps_from_beginning(hello: Path, call: Call) -> None:
    pause, fails = "id: pause\n    wait: 2 hours", 'set: {x: "{{ 1 / (contact.id - 1) }}"}'
    held = HELLO.replace(pause, fails)
    for mode in ("queued", "single"):
        hello.write_text(held.replace("MODE", mode), encoding="utf-8")
        for _ in range(2):
            call(*RUN)

    said = call("incidents").out

    assert "  1 start queued behind it: 2.\n  2 starts were refused since it holds the key.\n" in said
    assert call("incidents", "--json").json["instances"][0]["refused"] == 2
