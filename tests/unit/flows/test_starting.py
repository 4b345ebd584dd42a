"""A flow run that nobody handed instances to, and what it leaves to another engine."""

from pathlib import Path
from typing import Any
from unittest.mock import MagicMock
from uuid import uuid4

import pytest
from office import ANNA, Office
from prefect.client.schemas.objects import FlowRun, State

from flows import starting
from flows.starting import INSTANCES, Host
from procession.advance import direct
from procession.definitions import Definitions
from procession.dispatch import start_by_hand
from procession.plan import Plan

HELLO = """\
    process: hello
    inputs: {c: {type: record, of: contact}}
    triggers: [{manual: {on: contact}}]
    mode: parallel
    history: {on: "{{ c }}"}
    steps:
      - log_history: "TEXT"
"""


@pytest.fixture
def office(tmp_path: Path) -> Office:
    office = Office(tmp_path)
    office.given("ann", "contact", name="Ann")
    office.nothing_new()
    return office


def hello(office: Office, text: str) -> Plan:
    return office.deploy(HELLO.replace("TEXT", text))


def runs(
    office: Office, plan: Plan, monkeypatch: pytest.MonkeyPatch, *, about: str = "", **given: Any
) -> State[Any]:
    """How a flow run of this version ends, where an engine knows no other version."""
    run = FlowRun(flow_id=uuid4(), labels={INSTANCES: about} if about else {})
    monkeypatch.setattr(starting, "current_run", lambda: run)
    monkeypatch.setattr(starting, "get_client", MagicMock())
    monkeypatch.setattr(starting.tables, "show", MagicMock())
    host = Host(office.ports, Definitions({plan.process: plan}), is_engine=True)
    return starting.start(plan, host, given, direct)


@pytest.mark.parametrize("given", [{"event": 1}, {"about": "1"}], ids=["by an automation", "run again"])
def test_an_instance_whose_version_cannot_be_run_here_is_left_to_an_engine_that_can(
    office: Office, monkeypatch: pytest.MonkeyPatch, given: dict[str, Any], caplog: pytest.LogCaptureFixture
) -> None:
    old = hello(office, "one")
    start_by_hand(office.ports, old, {"c": office.known["ann"]}, actor=ANNA)
    new = hello(office, "two")

    state = runs(office, new, monkeypatch, **given)

    assert (state.name, state.message) == (
        "Nothing to do",
        "This engine cannot run the version of instance 1; one that can takes it up.",
    )
    assert office.states() == ["ready"]
    assert (
        f"1 instance of hello must wait for an engine that can run version {old.digest[:12]}" in caplog.text
    )
    office.plans["hello"] = old
    office.work()
    assert [row.text for row in office.history("ann")] == ["one"]


def test_what_can_be_run_here_runs_beside_what_cannot(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    old = hello(office, "one")
    start_by_hand(office.ports, old, {"c": office.known["ann"]}, actor=ANNA)
    new = hello(office, "two")
    start_by_hand(office.ports, new, {"c": office.known["ann"]}, actor=ANNA)

    state = runs(office, new, monkeypatch, event=1)

    assert state.name == "Completed"
    assert office.states() == ["ready", "completed"]
    assert [row.text for row in office.history("ann")] == ["two"]


def test_what_is_known_not_to_run_here_is_not_claimed_again(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    old = hello(office, "one")
    start_by_hand(office.ports, old, {"c": office.known["ann"]}, actor=ANNA)
    new = hello(office, "two")
    host = Host(office.ports, Definitions({"hello": new}), is_engine=True)

    for _ in range(3):
        _, claimed = starting._planned(new, host)
        starting.by_version(claimed, host.definitions, office.ports)

    (instance,) = office.instances()
    assert (instance.state, instance.fencing_token) == ("ready", 1)
    assert host.definitions.unrunnable == {old.digest}


def test_a_run_of_what_stands_in_line_says_after_whom_it_begins(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan = office.deploy(HELLO.replace("mode: parallel", 'key: "{{ c }}"\n    mode: queued'))
    start_by_hand(office.ports, plan, {"c": office.known["ann"]}, actor=ANNA)

    state = runs(office, plan, monkeypatch, c=str(office.known["ann"]))

    assert (state.name, state.message) == (
        "Nothing to do",
        "Instance 2 is queued, after instance 1: another run shows it.",
    )
    assert office.states() == ["ready", "queued"]
