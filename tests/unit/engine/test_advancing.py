"""What an instance does on its way: errors, retries, incidents, mail, History."""

from datetime import timedelta

import pytest
from office import ANNA
from sqlalchemy import text

from procession.dispatch import start_by_hand
from procession.ports import StepRun

HEAD = """
    process: p
    title: The process
    inputs: {deal: {type: record, of: opportunity}}
    triggers: [{manual: {on: opportunity}}]
    mode: parallel
    history: {on: "{{ deal }}"}
    steps:
"""


def run(office, steps, tail=""):
    plan = office.deploy(HEAD + steps + tail)
    start_by_hand(office.ports, plan, {"deal": office.known["deal"]}, actor=ANNA)
    office.work()
    return office.instances()[-1]


def texts(office):
    return [row.text for row in office.history("deal")]


MAIL = """
      - id: hello
        send_email: {to: "{{ deal.contact }}", subject: Hello, text: "Dear {{ deal.contact.first_name }}"}
"""


def test_a_mail_is_sent_logged_and_connected(office):
    instance = run(office, MAIL)

    (mail,) = office.post.mails
    (row,) = office.history("deal")
    assert instance.state == "completed"
    assert mail.text.strip() == "Dear Ann"
    assert (row.text, row.delivery) == ("E-mail “Hello” to Ann Smith", "sent")
    assert (row.actor.name, row.actor.step) == ("The process", "hello")
    assert [row.text for row in office.history("ann")] == ["E-mail “Hello” to Ann Smith"]


def test_a_mail_deferred_by_the_server_is_tried_again_and_sent_once(office):
    office.post.refuse_next("451 4.7.1 try again later")
    run(office, MAIL.replace("id: hello", "id: hello\n        retry: transient"))
    assert office.states() == ["waiting"]

    office.work(later=timedelta(minutes=1))

    assert office.states() == ["completed"]
    assert office.subjects() == ["Hello"]
    assert texts(office) == ["E-mail “Hello” to Ann Smith"]


def test_a_refused_mail_goes_to_on_error_with_the_servers_words(office):
    office.post.refuse_next("550 5.1.1 no such user")

    instance = run(office, MAIL + """
        on_error:
          - create_activity: {type: call, owner: "{{ deal.owner }}", subject: "Not delivered: {{ error.message }}"}
    """)  # fmt: skip

    (call,) = office.find("activity", type="call")
    assert instance.state == "completed"
    assert "550" in call.subject
    assert office.history("deal")[0].delivery == "failed"


def test_a_record_that_the_process_deleted_itself_is_known_as_it_was_when_it_goes_on_later(office):
    office.post.refuse_next("451 4.7.1 try again later")
    plan = office.deploy(HEAD.replace('history: {on: "{{ deal }}"}', "") + """
      - delete: {record: "{{ deal }}"}
      - id: tell
        send_email: {to: ann@acme.example, subject: "{{ deal.name }} is gone", text: Alas}
        retry: transient
    """)  # fmt: skip
    start_by_hand(office.ports, plan, {"deal": office.known["deal"]}, actor=ANNA)
    office.work()
    assert office.states() == ["waiting"]

    office.work(later=timedelta(minutes=1))

    assert office.states() == ["completed"]
    assert office.subjects() == ["Pumps is gone"]


@pytest.mark.parametrize(("characters", "state"), [(63_000, "completed"), (64_000, "incident")])
def test_an_instance_that_keeps_more_than_64000_characters_open_is_an_incident(office, characters, state):
    instance = run(office, f"""
      - set: {{much: "{"x" * characters}"}}
      - log_history: noted
      - log_history: "{{{{ vars.much | length }}}}"
    """)  # fmt: skip

    assert instance.state == state
    if instance.error:
        assert instance.error["message"].startswith("too much is open in this instance at the same time")


def test_an_error_that_nothing_catches_is_an_incident_with_its_place(office):
    instance = run(office, "      - {id: try, call: {function: boom}}\n")

    assert instance.state == "incident"
    assert instance.error["message"] == "function 'boom' failed: no luck today"
    assert instance.error["place"].startswith("p.yaml:9:")


def test_the_errors_of_the_process_take_what_no_step_caught(office):
    tail = """
    errors:
      - notify: {to: sales-ops, text: "{{ process.title }}: {{ error.message }}"}
    """

    instance = run(office, "      - {id: try, call: {function: boom}}\n", tail)

    assert instance.state == "failed"
    assert [mail.text.strip() for mail in office.post.mails] == [
        "The process: function 'boom' failed: no luck today"
    ]


def test_a_resumed_incident_takes_the_failed_step_again_and_no_other(office):
    office.change("ann", email="")
    office.nothing_new()
    instance = run(office, "      - log_history: before\n" + MAIL + "      - log_history: after\n")
    assert instance.state == "incident"
    assert "Ann Smith" in instance.error["message"]

    office.change("ann", email="ann@home.example")
    with office.ports.store.unit() as unit:
        assert unit.journal.resume(instance.id, office.clock.now())
        unit.commit()
    office.work()

    assert office.states() == ["completed"]
    assert texts(office) == ["before", "E-mail “Hello” to Ann Smith", "after"]
    assert office.post.mails[0].recipients == ("ann@home.example",)


def test_a_mail_refused_for_its_address_goes_to_the_mended_one_when_resumed(office):
    office.post.refuse_next("550 5.1.1 no such user")
    instance = run(office, MAIL)
    assert instance.state == "incident"

    office.change("ann", email="ann@home.example")
    with office.ports.store.unit() as unit:
        unit.journal.resume(instance.id, office.clock.now())
        unit.commit()
    office.work()

    assert [mail.recipients for mail in office.post.mails] == [("ann@home.example",)]


def test_a_mail_whose_answer_was_not_read_is_held_and_goes_on_when_a_person_decides(office):
    office.post.drop_next(accepted=True)
    instance = run(office, MAIL + "      - log_history: after\n")
    assert (instance.state, instance.error["class"]) == ("incident", "unknown")

    with office.ports.store.unit() as unit:
        (held,) = unit.outbox.in_state(["unknown"])
        unit.outbox.settle(held.id, "sent", office.clock.now(), detail="anna saw it in the server's log")
        unit.journal.resume(instance.id, office.clock.now())
        unit.commit()
    office.work()

    assert office.states() == ["completed"]
    assert len(office.post.mails) == 1
    assert texts(office) == ["E-mail “Hello” to Ann Smith", "after"]


def test_a_draft_waits_for_a_person(office):
    run(office, MAIL.replace("subject: Hello", "send: draft, subject: Hello"))

    office.work(later=timedelta(days=30))

    assert office.subjects() == []
    assert office.history("deal")[0].delivery == "draft"


def test_a_contact_who_opted_out_gets_no_mail_and_history_says_why(office):
    office.change("ann", opt_out=True)

    instance = run(office, MAIL)

    assert instance.state == "completed"
    assert office.subjects() == []
    assert len(texts(office)) == 1
    assert "opted out" in texts(office)[0]


def test_a_reply_joins_the_thread_of_the_mail_it_answers(office):
    run(office, MAIL + MAIL.replace("id: hello", "id: again").replace("subject: Hello", "reply_to: hello, subject: Again"))  # fmt: skip

    first, second = office.post.mails
    assert second.message["In-Reply-To"] == first.message_id
    assert first.message_id in second.message["References"]


def test_loops_choices_and_variables_work_together(office):
    run(office, """
      - set: {total: 0}
      - for_each:
          items: "{{ [1, 2, 3] }}"
          as: n
          steps:
            - set: {total: "{{ vars.total + n }}"}
            - choose:
                branches:
                  - {when: n == 2, steps: [{log_history: "two"}]}
                else: [{log_history: "other {{ n }}"}]
      - log_history: "total {{ vars.total }}"
    """)  # fmt: skip

    assert texts(office) == ["other 1", "two", "other 3", "total 6"]


def test_a_guard_skips_its_step_and_its_outputs_are_none(office):
    run(office, """
      - {id: maybe, if: deal.amount > 100, create_activity: {type: call, subject: Big}}
      - {if: not outputs.maybe.record, log_history: "nothing was made"}
    """)  # fmt: skip

    assert texts(office) == ["nothing was made"]


def test_stop_ends_the_instance_with_its_result(office):
    instance = run(office, """
      - {if: deal.amount == 7, then: [{stop: {result: enough}}]}
      - log_history: never
    """)  # fmt: skip

    assert (instance.state, instance.result) == ("stopped", "enough")
    assert texts(office) == []


def test_a_function_gives_its_value_to_later_steps(office):
    run(office, """
      - {id: twice, call: {function: double, args: {number: "{{ deal.amount }}"}}}
      - log_history: "is {{ outputs.twice.value }}"
    """)  # fmt: skip

    assert texts(office) == ["is 14"]


def test_what_is_created_read_changed_and_deleted_is_in_the_store(office):
    run(office, """
      - {id: made, create: {entity: contact, values: {name: Carl, account: "{{ deal.account }}"}}}
      - {update: {record: "{{ outputs.made.record }}", values: {job_title: Buyer}}}
      - {id: all, read: {entity: contact, where: {account: "{{ deal.account }}"}, order: name}}
      - log_history: "{{ outputs.all.count }}: {{ outputs.all.records | map('name') | join(', ') }}"
      - {delete: {record: "{{ outputs.made.record }}"}}
    """)  # fmt: skip

    assert texts(office)[2] == "2: Ann Smith, Carl"
    assert texts(office)[-1] == "Deleted contact “Carl”"
    assert [contact.name for contact in office.find("contact")] == ["Ann Smith"]


def test_references_of_a_record_that_a_step_found_or_made_can_be_followed(office):
    run(office, """
      - {id: deals, read: {entity: opportunity, where: {account: "{{ deal.account }}"}}}
      - {id: made, create: {entity: opportunity, values: {name: Valves, contact: "{{ deal.contact }}", account: "{{ deal.account }}"}}}
      - log_history: "{{ outputs.deals.first.contact.email }}, {{ outputs.made.record.account.name }}"
      - for_each: {items: "{{ outputs.deals.records }}", as: each, steps: [{log_history: "{{ each.owner.team }}"}]}
    """)  # fmt: skip

    assert texts(office)[1:] == ["ann@acme.example, Acme", "sales-ops"]


def test_an_instance_asked_to_stop_does_not_take_its_next_step(office):
    plan = office.deploy(HEAD + MAIL + MAIL.replace("hello", "second").replace("Hello", "Second"))
    number = start_by_hand(office.ports, plan, {"deal": office.known["deal"]}, actor=ANNA).id
    send = office.post.send

    def send_and_stop(*mail):
        delivery = send(*mail)
        with office.ports.store.unit() as unit:
            unit.journal.ask_to_stop([number], "cancelled in the UI", office.clock.now())
            unit.commit()
        return delivery

    office.post.send = send_and_stop
    office.work()

    assert office.states() == ["cancelled"]
    assert office.subjects() == ["Hello"]


@pytest.mark.parametrize("count", [1, 7])
def test_one_bad_instance_of_a_batch_does_not_hold_up_the_others(office, count):
    office.change("ann", email="")
    office.given("eve", "contact", name="Eve", first_name="Eve", email="eve@acme.example", account="acme")
    plan = office.deploy(HEAD + MAIL)
    start_by_hand(office.ports, plan, {"deal": office.known["deal"]}, actor=ANNA)
    for number in range(count):
        other = office.given(f"d{number}", "opportunity", name=f"D{number}", account="acme", contact="eve")
        start_by_hand(office.ports, plan, {"deal": other}, actor=ANNA)

    office.work()

    assert office.states() == ["incident"] + ["completed"] * count
    assert len(office.post.mails) == count


def test_the_items_of_a_loop_that_an_error_left_are_forgotten(office):
    """They have rows of their own; the handler that caught the error opens as the loop closes."""
    office.deploy(
        HEAD
        + """
      - for_each:
          items: "{{ ['one', 'two'] }}"
          as: each
          steps:
            - {id: note, log_history: "{{ each }}"}
            - {id: no, call: {function: boom}}
        on_error:
          - {id: told, log_history: "caught"}
          - {id: later, send_email: {to: "{{ deal.contact }}", subject: Later, text: x}, retry: {max_attempts: 3}}
    """
    )
    plan = next(iter(office.plans.values()))
    start_by_hand(office.ports, plan, {"deal": office.known["deal"]}, actor=ANNA)
    office.post.refuse_next("451 later")

    office.work()

    (instance,) = office.instances()
    with office.ports.store.unit(write=False) as unit:
        kept = unit.journal.positions([instance.id])[instance.id]
    assert instance.state == "waiting"
    assert [name for name in {**kept.kept, **kept.position.get("kept", {})} if name.startswith("items")] == []


def test_a_step_that_version_0_1_tried_twice_has_one_of_three_tries_left(office):
    plan = office.deploy(
        HEAD + MAIL.rstrip() + "\n        retry: {max_attempts: 3, interval: 1m, jitter: 0}\n"
    )
    started = start_by_hand(office.ports, plan, {"deal": office.known["deal"]}, actor=ANNA)
    with office.ports.store.unit() as unit:
        tried = StepRun(started.id, "hello", "", "send_email", "retrying", office.clock.now(), attempts=2)
        unit.journal.record([tried])
        unit.commit()
    with office.ports.store._engine.begin() as connection:
        connection.execute(text("UPDATE instance SET is_of_0_1 = true"))
    office.post.refuse_next("451 4.7.1 try again later")

    office.work()

    assert office.states() == ["incident"]
