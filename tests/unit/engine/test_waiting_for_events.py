"""An instance that waits for what happens: a record that is saved, a message, a signal, or that nothing came in time."""

from datetime import timedelta

import pytest
from engine_world import NOON
from office import ANNA

from procession.dispatch import start_by_hand

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
HEAD = """
    process: p
    title: The process
    inputs: {meeting: {type: record, of: activity}}
    triggers: [{manual: {on: activity}}]
    key: "{{ meeting }}"
    mode: %s
    history: {on: "{{ meeting.opportunity }}"}
    steps:
"""
REPLY = """
      - id: reply
        wait_for: {record: activity, events: [added], match: record.contact == meeting.contact and record.incoming}
        timeout: 2 days
        on_timeout:
          - {log_history: "No reply"}
          - stop: no reply
      - log_history: "Reply: {{ outputs.reply.record.subject }} of {{ outputs.reply.record.contact.account.name }}"
"""


@pytest.fixture
def meeting(office):
    """In four days, with Ann."""
    return office.given(
        "meeting", "activity", type="task", category="meeting", subject="Talk", start=NOON + 4 * DAY,
        contact="ann", owner="bob", opportunity="deal",
    )  # fmt: skip


@pytest.fixture
def begin(office, meeting):
    def run(steps, mode="parallel"):
        office.nothing_new()
        plan = office.deploy(HEAD % mode + steps)
        start_by_hand(office.ports, plan, {"meeting": meeting}, actor=ANNA)
        office.work()

    return run


def reply(office, name="reply", **values):
    office.given(name, "activity", **{"type": "email", "subject": name, "contact": "ann", "incoming": True} | values)


def texts(office):
    return [row.text for row in office.history("deal")]


def waits(office):
    with office.ports.store.unit(write=False) as unit:
        found = unit.journal.waits([instance.id for instance in office.instances()])
    return [wait for some in found.values() for wait in some]


def test_it_goes_on_when_what_it_waits_for_is_saved(office, begin):
    begin(REPLY)
    assert office.states() == ["waiting"]

    reply(office, "Yes")
    office.work()

    assert (office.states(), texts(office), waits(office)) == (["completed"], ["Reply: Yes of Acme"], [])


def test_what_is_not_meant_does_not_end_a_wait(office, begin):
    begin(REPLY)

    reply(office, "An own mail", incoming=False)
    reply(office, "Of somebody else", contact="cid")
    office.work()

    assert (office.states(), texts(office)) == (["waiting"], [])


def test_what_does_not_come_in_time_is_a_timeout(office, begin):
    begin(REPLY)
    office.work(later=2 * DAY)

    assert (office.states(), texts(office)) == (["stopped"], ["No reply"])
