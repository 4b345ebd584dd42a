"""`mode: queued`: instances of one key, one after the other, in the order of what started them."""

from datetime import timedelta

import pytest
from engine_world import ACTOR, Fuse, InMemory, Killed, OnSQLite
from office import ANNA

from crm.schema import SCHEMA
from procession import restoring
from procession.advance import advance
from procession.compile import compile_text
from procession.definitions import Definitions
from procession.dispatch import start_by_hand
from procession.engine import Engine
from procession.mail import Templates
from procession.witness import Witness

TELL = """
    process: tell
    inputs: {deal: {type: record, of: opportunity}}
    triggers:
      - {id: worth, record: opportunity, events: [modified], changed: [amount], inputs: {deal: "{{ record }}"}}
      - {manual: {on: opportunity}}
    key: "{{ deal.id }}"
    mode: queued
    history: {on: "{{ deal }}"}
    steps:
      - {id: mail, send_email: {to: "bob@us.example", subject: "{{ process.instance }}", text: Told}}
      - log_history: Told
"""
SLOW = TELL.replace(
    "    steps:\n",
    "    steps:\n      - {id: try, call: {function: boom}, retry: {max_attempts: 2, interval: 1h, on: [permanent], jitter: 0}}\n",
)


def save(office, *amounts):
    for amount in amounts:
        office.change("deal", amount=amount)


def stop(office, *numbers):
    with office.ports.store.unit() as unit:
        unit.journal.ask_to_stop(numbers, "by anna", office.clock.now())
        unit.commit()


def resume(office, number):
    with office.ports.store.unit() as unit:
        assert unit.journal.resume(number, office.clock.now())
        unit.commit()


def test_saves_that_waited_together_start_one_after_the_other(office):
    office.deploy(TELL)
    save(office, 1, 2, 3)

    office.work()

    assert office.states() == ["completed"] * 3
    assert office.subjects() == ["1", "2", "3"]


def test_those_in_line_wait_while_the_first_one_waits_or_is_held(office):
    office.deploy(SLOW)
    save(office, 1, 2, 3)

    office.work()
    assert office.states() == ["waiting", "queued", "queued"]

    office.work(later=timedelta(hours=2))
    assert office.states() == ["incident", "queued", "queued"]


def test_the_next_one_begins_when_the_one_that_is_held_goes_on_to_its_end(office):
    office.deploy(SLOW)
    save(office, 1, 2)
    office.work()
    office.work(later=timedelta(hours=2))

    office.ports.functions["boom"] = lambda: None
    resume(office, 1)
    office.work()

    assert office.states() == ["completed", "completed"]
    assert office.subjects() == ["1", "2"]


@pytest.mark.parametrize("later", [timedelta(), timedelta(hours=2)])
def test_a_person_cancels_the_first_one_and_the_next_begins(office, later):
    office.deploy(SLOW)
    save(office, 1, 2, 3)
    office.work()
    office.work(later=later)

    office.ports.functions["boom"] = lambda: None
    stop(office, 1)
    office.work()

    assert office.states() == ["cancelled", "completed", "completed"]
    assert office.subjects() == ["2", "3"]


def test_one_that_is_cancelled_in_line_does_nothing(office):
    office.deploy(SLOW)
    save(office, 1, 2, 3)
    office.work()

    stop(office, 2)
    office.ports.functions["boom"] = lambda: None
    office.work(later=timedelta(hours=2))

    assert office.states() == ["completed", "cancelled", "completed"]
    assert office.subjects() == ["1", "3"]


def test_whoever_starts_it_by_hand_is_told_that_it_is_queued(office):
    plan = office.deploy(SLOW)
    save(office, 1)
    office.work()

    with office.ports.engine.holding([]):
        queued = start_by_hand(office.ports, plan, {"deal": office.known["deal"]}, actor=ANNA, at_once=True)

    assert (queued.id, queued.state) == (2, "queued")


def test_an_older_event_begins_before_what_was_started_by_hand_meanwhile(office):
    plan = office.deploy(SLOW)
    save(office, 1)
    office.work()
    save(office, 2)
    start_by_hand(office.ports, plan, {"deal": office.known["deal"]}, actor=ANNA)

    office.ports.functions["boom"] = lambda: None
    office.work(later=timedelta(hours=2))

    assert office.subjects() == ["1", "3", "2"]


def test_a_restored_backup_drops_a_line_with_the_one_that_was_due(office, tmp_path):
    """They would have run by now; what is due later, and what a person has to decide, keeps its line."""
    office.given("other", "opportunity", name="Valves", account="acme")
    office.nothing_new()
    office.deploy(SLOW)
    save(office, 1, 2)
    office.work()
    office.clock.at += timedelta(minutes=59)
    for amount in (1, 2):
        office.change("other", amount=amount)
    office.work()
    assert office.states() == ["waiting", "queued"] * 2

    office.clock.at += timedelta(minutes=1)
    with office.ports.store.unit() as unit:
        unit.journal.hold("a test")
        unit.commit()
    restoring.drop_due(office.ports, office.plans, Witness(tmp_path / "office.sqlite"), ANNA)

    assert office.states() == ["cancelled", "cancelled", "waiting", "queued"]


def test_a_mixed_key_is_frozen_and_typed(office):
    """Contact 1 is not opportunity 1, and a record that is renamed later is what it was."""
    office.deploy("""
        process: about
        inputs:
          deal: {type: record, of: opportunity, required: false}
          contact: {type: record, of: contact, required: false}
        triggers:
          - {id: deal, record: opportunity, events: [modified], inputs: {deal: "{{ record }}"}}
          - {id: contact, record: contact, events: [modified], inputs: {contact: "{{ record }}"}}
        key: "{{ deal or contact }}"
        mode: single
        steps:
          - {id: try, call: {function: boom}, retry: {max_attempts: 2, interval: 1h, on: [permanent], jitter: 0}}
    """)
    assert office.known["deal"].id == office.known["ann"].id
    office.change("deal", amount=1)
    office.change("ann", phone="+49 1")
    office.work()
    office.change("deal", name="Pipes")
    office.work()

    assert [(one.key, one.state, one.refused) for one in office.instances()] == [
        ("opportunity:1", "waiting", 1), ("contact:1", "waiting", 0),
    ]  # fmt: skip


# --- kills


def crash(world, plan, at):
    """Three saves of one deal, and an engine that dies at this instant; another goes on. Returns how many instants there are."""
    for amount in (1, 2, 3):
        with world.store.unit() as unit:
            unit.records.update([(world.deal, {"amount": amount})], ACTOR)
            unit.commit()
    fuse = Fuse(at)
    try:
        work(world, plan, fuse)
    except Killed:
        pass
    finally:
        with world.store.unit() as unit:
            unit.journal.bury({row.id: row.beat for row in unit.journal.engines()})
            unit.commit()
    for _ in range(2):
        work(world, plan, Fuse())
        look_up(world)
    return fuse.passed


def work(world, plan, fuse):
    ports = world.ports(fuse)
    engine = Engine(ports, Definitions({plan.process: plan}), lambda its, group: advance(its, group, ports))
    while engine.tick():
        pass


def look_up(world):
    """A person looks up at the mail server what became of the mail in doubt; until then the line stands."""
    now = world.clock.now()
    with world.store.unit() as unit:
        for mail in unit.outbox.in_state(["unknown"]):
            held, *behind = unit.journal.lines([mail.instance]).get(mail.instance, (mail.instance,))
            assert held == mail.instance
            waiting = unit.journal.instances(ids=behind) if behind else ()
            assert {one.state for one in waiting} <= {"queued"}
            taken = world.postman.taken[mail.message_id]
            unit.outbox.settle(mail.id, "sent" if taken else "queued", now)
            unit.journal.resume(mail.instance, now)
        unit.commit()


@pytest.fixture(params=["memory", "sqlite"])
def ground(request, tmp_path):
    return InMemory() if request.param == "memory" else OnSQLite(tmp_path)


def test_an_engine_that_dies_at_any_instant_leaves_the_line_in_order(ground):
    template = Templates.of_files({})
    plan = compile_text(TELL.replace("\n    ", "\n").strip(), "tell.yaml", template, SCHEMA, ())
    with ground.world() as world:
        instants = crash(world, plan, 0)

    assert instants > 20
    for at in range(1, instants + 1):
        with ground.world() as world:
            crash(world, plan, at)
            assert [subject for subject, _ in world.postman.told] == ["1", "2", "3"], f"killed at {at}"
            assert set(world.postman.told.values()) == {1}, f"killed at {at}"
            with world.store.unit(write=False) as unit:
                states = {one.state for one in unit.journal.instances()}
                notes = [row for row in unit.history.of(world.deal) if row.text == "Told"]
            assert (states, len(notes)) == ({"completed"}, 3), f"killed at {at}"
