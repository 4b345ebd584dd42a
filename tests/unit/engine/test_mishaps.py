"""What nobody foresaw: bugs, rows that cannot be read, a database that is away. It takes nothing else along, and nothing is lost."""

import sqlite3
import threading
from contextlib import closing
from dataclasses import replace
from datetime import timedelta

import pytest
from engine_world import NOON
from office import ANNA
from sqlalchemy import event, text

from procession.advance import advance
from procession.definitions import Definitions
from procession.dispatch import start_by_hand
from procession.engine import Engine, claim
from procession.engines import Membership
from procession.errors import ConfigurationError, PermanentError
from procession.ports import Glance

ON_DEAL = """
    process: p
    title: The process
    inputs: {deal: {type: record, of: opportunity}}
    triggers: [{record: opportunity, events: [added], if: "record.amount > 1"}]
    mode: parallel
    history: {on: "{{ deal }}"}
    steps:
      - {id: note, log_history: "{{ deal.name }}"}
"""


def execute(office, statement, **values):
    """A change behind the store's back."""
    with office.ports.store._engine.begin() as connection:
        connection.execute(text(statement), values)


def writing_units(office):
    """A list that grows with each unit that is begun in order to write."""
    begun = []

    def said(_connection, _cursor, statement, *_):
        if statement == "BEGIN IMMEDIATE":
            begun.append(statement)

    event.listen(office.ports.store._engine, "before_cursor_execute", said)
    return begun


def deals(office, *names):
    for name in names:
        office.given(name, "opportunity", name=name, amount=7)


def make_impatient(office):
    """Let the database be busy at once rather than after half a minute."""
    office.ports.store._engine.dispose()
    event.listen(
        office.ports.store._engine, "connect", lambda connection, _: connection.execute("PRAGMA busy_timeout = 1")
    )  # fmt: skip


def busy(office):
    """Somebody who has the database for himself until he is closed."""
    other = sqlite3.connect(office.folder / "office.sqlite", check_same_thread=False, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    return closing(other)


# --- in a step


def break_step(plan, name):
    """The plan with a bug in its first step, which shows for one record only."""

    def decide(fields, context):
        if fields["text"] == name:
            raise ZeroDivisionError("division by zero")
        return step.kind.decide(fields, context)

    step = plan.steps[0]
    return replace(plan, steps=(replace(step, kind=replace(step.kind, decide=decide)),))


@pytest.mark.parametrize("count", [1, 5])
def test_a_bug_in_a_step_is_an_incident_of_its_instance_with_its_place(office, count):
    plan = office.deploy(ON_DEAL)
    office.plans["p"] = break_step(plan, "Deal 0")
    deals(office, *(f"Deal {number}" for number in range(count)))

    office.work()

    (incident,) = [instance for instance in office.instances() if instance.state == "incident"]
    assert office.states().count("completed") == count - 1
    assert incident.error["place"] == "p.yaml:9:5"
    assert incident.error["step"] == "note"
    assert incident.error["message"].startswith(
        "step 'note' failed in a way nobody foresaw: ZeroDivisionError: division by zero (test_mishaps.py:"
    )
    assert incident.error["hint"].endswith("please report it.")


def test_what_nobody_foresaw_can_be_caught_by_on_error(office):
    plan = office.deploy(ON_DEAL.replace('name }}"}', 'name }}", on_error: [{log_history: instead}]}'))
    office.plans["p"] = break_step(plan, "Deal")
    deals(office, "Deal")

    office.work()

    assert office.states() == ["completed"]
    assert [row.text for row in office.history("Deal")] == ["instead"]


@pytest.mark.parametrize(
    "damage",
    [
        "UPDATE opportunity SET close_date = 'soon' WHERE id = :deal",
        """UPDATE instance SET inputs = '{"deal": {"$ref": "?"}}' WHERE id = :instance""",
    ],
)
def test_an_instance_that_cannot_be_read_does_not_hold_up_the_others(office, damage):
    plan = office.deploy(ON_DEAL.replace("deal.name", "deal.close_date"))
    deals(office, "one", "bad", "two", "three")
    office.nothing_new()
    numbers = {
        name: start_by_hand(office.ports, plan, {"deal": office.known[name]}, actor=ANNA).id
        for name in ("one", "bad", "two", "three")
    }
    execute(office, damage, **({"deal": office.known["bad"].id} if ":deal" in damage else {"instance": numbers["bad"]}))  # fmt: skip

    office.work()

    assert office.states() == ["completed", "incident", "completed", "completed"]
    assert office.instances()[1].error["place"].startswith("p.yaml:")


def test_a_value_that_the_database_refuses_is_an_incident_and_no_endless_loop(office):
    plan = office.deploy(ON_DEAL + """
      - {id: keep, set: {greeting: "hello"}}
    """)  # fmt: skip
    execute(office, "CREATE TRIGGER no BEFORE INSERT ON step_run WHEN NEW.path = 'keep' AND NEW.instance_id = 2"
                    " BEGIN SELECT RAISE(ABORT, 'not this one'); END")  # fmt: skip
    deals(office, "one", "two", "three")

    office.work()

    assert office.states() == ["completed", "incident", "completed"]
    assert office.instances()[1].error["message"] == "The database refused the change: not this one"
    assert plan.process == "p"


# --- in the dispatch of events


UNREADABLE = "UPDATE opportunity SET close_date = 'soon' WHERE name = 'bad'"
REFUSED = """
    CREATE TRIGGER no BEFORE INSERT ON instance WHEN NEW.title LIKE '%bad'
    BEGIN SELECT RAISE(ABORT, 'not this one'); END
"""


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (UNREADABLE, "the dispatch of events failed in a way nobody foresaw: ValueError:"),
        (REFUSED, "The database refused the change: not this one"),
    ],
)
def test_an_event_that_cannot_be_dispatched_is_an_incident_and_lets_the_others_pass(office, damage, message):
    office.deploy(ON_DEAL.replace("deal.name", "deal.amount"))
    deals(office, "one", "bad", "two", "three", "four")
    execute(office, damage)

    office.work()

    states = {str(instance.title): instance.state for instance in office.instances()}
    (incident,) = [instance for instance in office.instances() if instance.state == "incident"]
    assert sorted(states.values()) == ["completed"] * 4 + ["incident"]
    assert incident.error["message"].startswith(message)
    assert incident.error["place"].startswith("p.yaml:")
    with office.ports.store.unit(write=False) as unit:
        assert not unit.journal.glance(office.clock.now()).pending


def test_instances_of_a_version_that_cannot_be_run_here_wait_for_an_engine_that_can(office):
    plan = office.deploy(ON_DEAL)
    start_by_hand(office.ports, plan, {"deal": office.known["deal"]}, actor=ANNA)
    older = office.engine()
    older.definitions = Definitions({})
    newer = replace(office.ports, engine=Membership(office.ports.store))

    while older.tick():
        pass
    assert office.states() == ["ready"]
    older.tick()
    begun = writing_units(office)
    older.tick()
    assert begun == []  # it does not claim what it cannot run again and again
    Engine(newer, Definitions({"p": plan}), lambda p, group: advance(p, group, newer)).tick()

    assert office.states() == ["completed"]


def test_a_clock_that_is_set_back_keeps_an_engine_from_nothing_that_it_can_run(office):
    plan = office.deploy(ON_DEAL)
    start_by_hand(office.ports, plan, {"deal": office.known["deal"]}, actor=ANNA)
    engine = office.engine()
    engine.definitions = Definitions({})
    while engine.tick():
        pass
    engine.tick()  # it found nothing that it can run, and pauses

    office.clock.at -= timedelta(hours=1)
    engine.definitions = Definitions(
        {"other": office.deploy(ON_DEAL.replace("process: p", "process: other"))}
    )
    (other,) = engine.definitions.plans.values()
    start_by_hand(office.ports, other, {"deal": office.known["deal"]}, actor=ANNA)
    engine.tick()

    assert office.states() == ["ready", "completed"]


# --- while the database is away


def test_a_database_that_is_busy_puts_a_tick_off_and_loses_nothing(office):
    office.deploy("""
        process: daily
        title: Daily
        triggers: [{schedule: "0 12 * * *"}]
        steps: [{set: {x: 1}}]
    """)  # fmt: skip
    make_impatient(office)
    office.clock.at -= timedelta(minutes=1)
    engine = office.engine()
    assert engine.tick() == 0

    office.clock.at = NOON
    with busy(office):
        assert engine.tick() == 0
    while engine.tick():
        pass

    assert office.states() == ["completed"]


def test_what_became_of_a_mail_is_written_as_soon_as_the_database_is_back(office):
    plan = office.deploy(
        ON_DEAL.replace(
            'log_history: "{{ deal.name }}"',
            """
        send_email: {to: "{{ deal.contact }}", subject: Hello, text: Hello}""",
        )
    )
    start_by_hand(office.ports, plan, {"deal": office.known["deal"]}, actor=ANNA)
    make_impatient(office)
    send, locked = office.post.send, []

    def send_and_lock(*mail):
        delivery = send(*mail)
        locked.append(sqlite3.connect(office.folder / "office.sqlite", check_same_thread=False))
        locked[0].execute("BEGIN IMMEDIATE")
        threading.Timer(0.1, locked[0].close).start()
        return delivery

    office.post.send = send_and_lock
    office.work()

    assert office.states() == ["completed"]
    assert office.history("deal")[0].delivery == "sent"
    assert office.subjects() == ["Hello"]


def test_instances_of_a_segment_that_broke_off_are_given_back(office):
    plan = office.deploy(ON_DEAL)
    start_by_hand(office.ports, plan, {"deal": office.known["deal"]}, actor=ANNA)

    def gone(_plan, _instances):
        raise ConfigurationError("The database cannot be used: it is away")

    engine = office.engine()
    engine.execute = gone
    with pytest.raises(ConfigurationError):
        engine.tick()
    assert office.states() == ["running"]
    office.work()

    assert office.states() == ["completed"]


def test_a_flow_run_that_breaks_off_gives_its_instances_back(office):
    """Whoever advances: here the edge around a step, as Prefect's is."""
    plan = office.deploy(ON_DEAL)
    start_by_hand(office.ports, plan, {"deal": office.known["deal"]}, actor=ANNA)

    def around(_step, _count, _do):
        raise OSError("the server of flow runs is gone")

    with pytest.raises(OSError, match="flow runs"):
        advance(plan, claim(office.ports, 1), office.ports, around)
    assert office.ports.engine.give_back() == 1

    assert office.states() == ["ready"]


# --- fencing tokens


def test_a_thread_that_slept_writes_nothing_for_the_one_that_went_on(office):
    """One engine: its first thread sleeps between two steps, the second one claims the instance again."""
    plan = office.deploy(ON_DEAL + """
      - {id: last, log_history: "last"}
    """)  # fmt: skip
    start_by_hand(office.ports, plan, {"deal": office.known["deal"]}, actor=ANNA)

    def sleep_before_last(step, _count, do):
        if step.id == "last":
            office.dead(office.ports)
            office.ports.engine.beat()
            office.engine().planner.plan(Glance(orphans=True))
            (again,) = claim(office.ports, 1)
            ends.extend(advance(plan, [again], office.ports))
        return do()

    ends = []
    (late,) = advance(plan, claim(office.ports, 1), office.ports, sleep_before_last)

    assert [end.state for end in ends] == ["completed"]
    assert (late.state, late.result) == ("cancelled", "stopped before its next step")
    assert [row.text for row in office.history("deal")] == ["Pumps", "last"]
    assert office.states() == ["completed"]


# --- what cannot be written once a mail is out

TWO_MAILS = """
    process: two
    inputs: {deal: {type: record, of: opportunity}}
    triggers: [{record: opportunity, events: [added], inputs: {deal: "{{ record }}"}}]
    mode: parallel
    history: {on: "{{ deal }}"}
    steps:
      - set: {text: "{{ deal.name }}"}
      - {id: first, send_email: {to: a@acme.example, from: b@us.example, subject: "One {{ deal.amount }}", text: Hello}}
      - {id: second, send_email: {to: a@acme.example, from: b@us.example, subject: "Two {{ vars.text | length }}", text: Hello, reply_to: first}}
"""


@pytest.mark.parametrize("connections", [1, 4])
def test_an_instance_that_grows_too_large_when_its_mail_is_out_holds_nobody_else_up(
    office, connections, monkeypatch
):
    """Its mail was sent, which is known of it, and so are those of the others: each once."""
    monkeypatch.setattr("procession.written.LARGEST_POSITION", 950)
    office.post.connections = connections
    office.deploy(TWO_MAILS)
    for number in range(12):
        office.given(f"deal {number}", "opportunity", name="x" * (700 if number == 5 else 3), amount=number)

    office.work()
    office.work(later=timedelta(hours=1))

    assert office.states() == ["incident" if number == 5 else "completed" for number in range(12)]
    assert sorted(office.subjects()) == sorted([f"One {n}" for n in range(12)] + ["Two 3"] * 11)
    assert "too much is open in this instance at the same time" in office.instances()[5].error["message"]
    with office.ports.store.unit(write=False) as unit:
        assert {mail.state for mail in unit.outbox.in_state(["sent", "unknown", "sending", "queued"])} == {
            "sent"
        }
    assert sum("E-mail “One" in row.text for n in range(12) for row in office.history(f"deal {n}")) == 12


def test_a_mail_whose_instance_cannot_be_written_is_not_sent_again_when_it_is_resumed(office, monkeypatch):
    monkeypatch.setattr("procession.written.LARGEST_POSITION", 950)
    office.deploy(TWO_MAILS)
    office.given("big", "opportunity", name="x" * 700, amount=1)
    office.work()
    assert office.states() == ["incident"]

    monkeypatch.undo()
    (instance,) = office.instances()
    with office.ports.store.unit() as unit:
        unit.journal.resume(instance.id, NOON)
        unit.commit()
    office.work()

    assert office.states() == ["completed"]
    assert office.subjects() == ["One 1", "Two 700"]


def test_words_of_a_mail_server_that_no_database_takes_do_not_lose_what_became_of_the_mail(office):
    office.deploy(TWO_MAILS)
    office.post.refuse_next("550 5.1.1 no \0 such \ud800 user")
    deals(office, "one", "two", "three")

    office.work()

    assert sorted(office.states()) == ["completed", "completed", "incident"]
    assert len(office.subjects()) == 4


@pytest.mark.parametrize("last", ["ends", "fails", "breaks off"])
def test_a_thread_that_slept_does_not_end_what_another_one_has_now(office, last):
    """Nothing is written before the end, so it is only there that it can be noticed."""
    call = "call: {function: boom}" if last == "fails" else "set: {b: 2}"
    plan = office.deploy(f"""
        process: p
        title: The process
        triggers: [{{manual: {{}}}}]
        mode: parallel
        steps: [{{set: {{a: 1}}}}, {{id: last, {call}}}]
    """)
    start_by_hand(office.ports, plan, {}, actor=ANNA)
    (claimed,) = claim(office.ports, 1)

    def sleep_before_last(step, _count, do):
        if step.id == "last":
            with office.ports.store.unit() as unit:
                unit.journal.give_back({claimed.id: claimed.fencing_token})
                unit.commit()
            again.extend(claim(office.ports, 1))
            if last == "breaks off":
                raise PermanentError("a bug")
        return do()

    again = []
    (late,) = advance(plan, [claimed], office.ports, sleep_before_last)

    assert again
    assert office.states() == ["running"]
    assert (late.state, late.result) == ("cancelled", "stopped before its next step")


@pytest.mark.parametrize(
    "more", ["", "{id: bad, send_email: {to: a@acme.example, from: b@us.example, subject: S, text: T}}"]
)
def test_what_was_done_before_a_batch_is_halved_is_not_done_again(office, monkeypatch, more):
    """Each half goes on from where its instances are, though it was claimed once only."""
    monkeypatch.setattr("procession.written.LARGEST_POSITION", 950)
    office.deploy(f"""
        process: p
        inputs: {{deal: {{type: record, of: opportunity}}}}
        triggers: [{{record: opportunity, events: [added], inputs: {{deal: "{{{{ record }}}}"}}}}]
        mode: parallel
        history: {{on: "{{{{ deal }}}}"}}
        steps:
          - log_history: Begun
          - create_activity: {{type: call, subject: Call, opportunity: "{{{{ deal }}}}"}}
          {"- " + more if more else ""}
          - set: {{text: "{{{{ deal.name }}}}"}}
          - create_activity: {{type: call, subject: Call again, opportunity: "{{{{ deal }}}}"}}
          - {{id: last, send_email: {{to: a@acme.example, from: b@us.example, subject: Last, text: Last}}}}
    """)
    for number in range(12):
        office.given(f"deal {number}", "opportunity", name="x" * (1_200 if number == 5 else 3), amount=number)

    office.work()

    told = [[row.text for row in office.history(f"deal {n}") if row.kind == "note"] for n in range(12)]
    assert told == [["Begun"]] * 12
    with office.ports.store.unit(write=False) as unit:
        assert len(unit.records.find("activity", {"subject": "Call"}, limit=100)) == 12
        assert len(unit.records.find("activity", {"subject": "Call again"}, limit=100)) == 11
    assert office.states().count("incident") == 1


def test_what_had_ended_before_a_batch_is_halved_is_not_begun_again(office, monkeypatch):
    """Functions are called before anything is fenced."""
    monkeypatch.setattr("procession.written.LARGEST_POSITION", 950)
    called = []
    functions = {**office.ports.functions, "double": lambda number: called.append(number) or number}
    office.ports = replace(office.ports, functions=functions)
    plan = office.deploy("""
        process: p
        inputs: {deal: {type: record, of: opportunity}}
        triggers: [{record: opportunity, events: [added], inputs: {deal: "{{ record }}"}}]
        mode: parallel
        steps:
          - call: {function: double, args: {number: "{{ deal.amount }}"}}
          - if: deal.amount == 5
            then:
              - set: {text: "{{ deal.name }}"}
              - create_activity: {type: call, subject: Call, opportunity: "{{ deal }}"}
              - create_activity: {type: call, subject: Again, opportunity: "{{ deal }}"}
            else:
              - create_activity: {type: call, subject: Other, opportunity: "{{ deal }}"}
              - create_activity: {type: call, subject: Other, opportunity: "{{ deal }}"}
    """)
    for number in range(12):
        office.given(f"deal {number}", "opportunity", name="x" * (1_200 if number == 5 else 3), amount=number)
    engine = office.engine()
    engine.planner.plan(engine._glance())

    ends = advance(plan, claim(office.ports, 100), office.ports)

    assert sorted(called) == list(range(12))
    assert sorted(end.state for end in ends) == ["completed"] * 11 + ["incident"]
    assert sorted(office.states()) == ["completed"] * 11 + ["incident"]


def test_a_database_that_is_away_when_a_batch_is_halved_leaves_all_of_it_to_be_given_back(
    office, monkeypatch
):
    plan = office.deploy(ON_DEAL)
    deals(office, "one", "two", "three")
    engine = office.engine()
    engine.planner.plan(engine._glance())
    claimed = claim(office.ports, 100)

    def away(*_):
        raise ConfigurationError("The database cannot be used: it is away.")

    def broken(*_, **__):
        raise PermanentError("a bug")

    monkeypatch.setattr("procession.advance.still_running", away)
    monkeypatch.setattr("procession.advance.perform", broken)
    with pytest.raises(ConfigurationError):
        advance(plan, claimed, office.ports)
    monkeypatch.undo()

    assert office.ports.engine.give_back() == len(claimed) == 3
    office.work()
    assert office.states() == ["completed"] * 3
