"""A burst of saves is one start (`debounce`)."""

from datetime import timedelta

import pytest

SECOND, MINUTE = timedelta(seconds=1), timedelta(minutes=1)
PROCESS = """
    process: p
    inputs: {{contact: {{type: record, of: contact}}}}
    triggers:
      - {{id: saved, record: contact, events: {events}, debounce: 2m{more}}}
    history: {{on: "{{{{ contact.account }}}}"}}
    steps:
      - log_history: "{{{{ trigger.event }}}} {{{{ trigger.changed | join(' ') }}}}: {{{{ contact.phone }}}}"
"""


@pytest.fixture
def deploy(office):
    def run(events="[added, modified]", more=""):
        office.deploy(PROCESS.format(events=events, more=more))

    return run


def texts(office):
    return [row.text for row in office.history("acme")]


def test_saves_that_follow_each_other_are_one_start_of_the_latest(office, deploy):
    deploy()
    office.change("ann", phone="1")
    office.work()
    office.work(later=MINUTE)
    office.change("ann", phone="2", job_title="CEO")
    office.work()
    office.work(later=2 * MINUTE - SECOND)
    assert office.instances() == []
    office.work(later=SECOND)

    assert texts(office) == ["modified phone job_title: 2"]


def test_saves_that_are_far_apart_are_starts_of_their_own(office, deploy):
    deploy()
    office.change("ann", phone="1")
    office.work()
    office.work(later=2 * MINUTE)
    office.change("ann", phone="2")
    office.work()
    office.work(later=2 * MINUTE)

    assert texts(office) == ["modified phone: 1", "modified phone: 2"]


def test_one_that_was_added_and_changed_since_was_added(office, deploy):
    deploy()
    office.given("bea", "contact", name="Bea", account="acme")
    office.work()
    office.change("bea", phone="1")
    office.work()
    office.work(later=2 * MINUTE)

    assert texts(office) == ["added : 1"]


def test_one_that_was_added_and_deleted_starts_nothing(office, deploy):
    deploy(events="[added, modified, deleted]")
    office.given("bea", "contact", name="Bea", account="acme")
    office.work()
    office.delete("bea")
    office.work()
    office.work(later=2 * MINUTE)

    assert office.instances() == []


def test_one_that_was_changed_and_deleted_was_deleted(office, deploy):
    deploy(events="[modified, deleted]")
    office.given("bea", "contact", name="Bea", phone="7", account="acme")
    office.nothing_new()
    office.change("bea", phone="8")
    office.work()
    office.delete("bea")
    office.work()
    office.work(later=2 * MINUTE)

    assert texts(office) == ["deleted : 8"]


def test_each_record_has_a_burst_of_its_own(office, deploy):
    deploy()
    office.given("bea", "contact", name="Bea", account="acme")
    office.nothing_new()
    office.change("ann", phone="1")
    office.change("bea", phone="2")
    office.work()
    office.work(later=2 * MINUTE)

    assert sorted(texts(office)) == ["modified phone: 1", "modified phone: 2"]


def test_the_condition_is_asked_when_the_burst_is_over(office, deploy):
    deploy(more=", if: record.phone == '2'")
    office.change("ann", phone="1")
    office.work()
    office.change("ann", phone="2")
    office.work()
    office.work(later=2 * MINUTE)

    assert texts(office) == ["modified phone: 2"]


def test_fields_that_do_not_count_do_not_prolong_it(office, deploy):
    deploy(more=", changed: [phone]")
    office.change("ann", phone="1")
    office.work()
    office.work(later=MINUTE)
    office.change("ann", job_title="CEO")
    office.work()
    office.work(later=MINUTE)

    assert texts(office) == ["modified phone: 1"]


def test_a_condition_that_fails_is_an_incident_and_holds_nobody_up(office, deploy):
    deploy(more=", if: (record.phone | number) < 3")
    office.change("ann", phone="none")
    office.given("bea", "contact", name="Bea", phone="1", account="acme")
    office.work()
    office.work(later=2 * MINUTE)

    assert (sorted(office.states()), texts(office)) == (["completed", "incident"], ["added : 1"])


def test_it_outlasts_a_new_version_and_ends_with_its_process(office, deploy):
    deploy()
    office.change("ann", phone="1")
    office.work()
    office.plans.clear()
    office.work(later=2 * MINUTE)
    deploy()
    office.work(later=2 * MINUTE)

    assert (office.instances(), texts(office)) == ([], [])


def test_who_waits_for_these_saves_gets_each_at_once(office, deploy):
    deploy()
    office.deploy("""
    process: q
    inputs: {contact: {type: record, of: contact}}
    triggers: [{record: contact, events: [modified], changed: [phone], if: record.phone == '1'}]
    history: {on: "{{ contact.account }}"}
    steps:
      - {id: again, wait_for: {record: contact, events: [modified], changed: [phone]}}
      - log_history: "again {{ outputs.again.record.phone }}"
    """)
    office.change("ann", phone="1")
    office.work()
    office.change("ann", phone="2")
    office.work()
    assert texts(office) == ["again 2"]
    office.work(later=2 * MINUTE)

    assert texts(office) == ["again 2", "modified phone: 2"]


def test_a_save_that_is_not_dispatched_yet_prolongs_it(office, deploy):
    """It came within the two minutes, and the engine looks later."""
    deploy()
    office.change("ann", phone="1")
    office.work()
    office.clock.at += 2 * MINUTE - SECOND
    office.change("ann", phone="2")
    office.work(later=2 * SECOND)
    assert office.instances() == []
    office.work(later=2 * MINUTE)

    assert texts(office) == ["modified phone: 2"]
